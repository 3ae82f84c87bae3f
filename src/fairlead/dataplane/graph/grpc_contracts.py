"""What a peer understands over gRPC: its methods, its messages, how a router's answer is read.

The tensor protocols have one method for everything; they know no routers and combiners, which are asked over REST then.
"""

from collections.abc import Mapping
from typing import Protocol

from fairlead.dataplane.graph.parcel import Parcel
from fairlead.errors import FairleadError
from fairlead.plan.model import Method
from fairlead.plan.model import Protocol as Name
from fairlead.protocols import seldon_v1
from fairlead.protocols.message import Reward
from fairlead.protocols.protobuf_fields import nested, text
from fairlead.protocols.seldon_proto import (
    SELDON_PROTO,
    encode_feedback,
    encode_list,
    read_model_metadata,
)
from fairlead.protocols.tensorflow_proto import TENSORFLOW_PROTO
from fairlead.protocols.v2_proto import V2_PROTO, as_request
from fairlead.protocols.wire import Body, Wire


class GrpcContract(Protocol):
    """`path` is `None` for what the protocol has no method for."""

    wire: Wire

    def path(self, method: Method) -> str | None: ...

    def request(self, parcel: Parcel, model: str) -> bytes:
        """A message as the request to a unit that is called `model`."""

    def listed(self, parcels: list[Parcel]) -> bytes:
        """Several answers as a combiner's request."""

    def rewarding(self, parcel: Parcel, reward: Reward) -> bytes:
        """A reward as a request."""


class SeldonGrpc:
    """The services of Seldon's wrapper."""

    wire: Wire = SELDON_PROTO
    _PATHS: Mapping[Method, str] = {
        Method.PREDICT: "/seldon.protos.Model/Predict",
        Method.TRANSFORM_INPUT: "/seldon.protos.Transformer/TransformInput",
        Method.TRANSFORM_OUTPUT: "/seldon.protos.OutputTransformer/TransformOutput",
        Method.ROUTE: "/seldon.protos.Router/Route",
        Method.AGGREGATE: "/seldon.protos.Combiner/Aggregate",
        Method.FEEDBACK: "/seldon.protos.Model/SendFeedback",
    }
    metadata_path = "/seldon.protos.Model/Metadata"

    def path(self, method: Method) -> str | None:
        return self._PATHS.get(method)

    def request(self, parcel: Parcel, model: str) -> bytes:  # noqa: ARG002 - its messages name no model
        return parcel.request_body(SELDON_PROTO).data

    def listed(self, parcels: list[Parcel]) -> bytes:
        return encode_list([self.request(parcel, "") for parcel in parcels])

    def rewarding(self, parcel: Parcel, reward: Reward) -> bytes:
        came = parcel.bytes_
        return came.data if came is not None and parcel.wire is SELDON_PROTO else encode_feedback(reward)

    def read_metadata(self, data: bytes) -> dict[str, object]:
        """What a unit says of itself."""
        return read_model_metadata(data)


class _OneMethod:
    """A protocol of one method."""

    wire: Wire
    _path: str

    def path(self, method: Method) -> str | None:
        return None if method in (Method.AGGREGATE, Method.FEEDBACK, Method.EXPLAIN) else self._path

    def listed(self, parcels: list[Parcel]) -> bytes:
        raise AssertionError(f"{len(parcels)} answers for a protocol without combiners")

    def rewarding(self, parcel: Parcel, reward: Reward) -> bytes:  # noqa: ARG002 - the contract's signature
        raise AssertionError(f"a reward of {reward.reward} for a protocol without rewards")


class V2Grpc(_OneMethod):
    """The service of MLServer, Triton and KServe's servers."""

    wire: Wire = V2_PROTO
    _path = "/inference.GRPCInferenceService/ModelInfer"

    def request(self, parcel: Parcel, model: str) -> bytes:
        came = parcel.bytes_
        if came is not None and parcel.wire is V2_PROTO and parcel.is_answer:
            return as_request(came.data, model=model)
        return _named(parcel.request_body(V2_PROTO).data, text(b"\x0a", model))


class TensorflowGrpc(_OneMethod):
    """The service of TensorFlow Serving."""

    wire: Wire = TENSORFLOW_PROTO
    _path = "/tensorflow.serving.PredictionService/Predict"

    def request(self, parcel: Parcel, model: str) -> bytes:
        return _named(parcel.request_body(TENSORFLOW_PROTO).data, nested(b"\x0a", text(b"\x0a", model)))


def _named(data: bytes, name: bytes) -> bytes:
    """A request that names its model first, or else last: of a field that is there twice the last one counts."""
    return data if data.startswith(name) else data + name


def route_of(wire: Wire, data: bytes) -> int:
    """The branch in a router's answer; -1 when it holds none."""
    try:
        message = wire.read_answer(Body(data))
    except FairleadError:
        return -1
    tensors = message.payload.value
    if isinstance(tensors, list):
        return seldon_v1.route_of(tensors[0].array) if tensors and hasattr(tensors[0], "array") else -1
    return seldon_v1.route_of(message)


SELDON_GRPC = SeldonGrpc()
GRPC_CONTRACTS: Mapping[Name, GrpcContract] = {
    Name.SELDON: SELDON_GRPC,
    Name.V2: V2Grpc(),
    Name.TENSORFLOW: TensorflowGrpc(),
}
"""Contracts by the protocol a revision speaks. V1 has none."""
