"""TensorFlow Serving's `PredictRequest` and `PredictResponse` as a `Wire`, without TensorFlow."""

from typing import Any

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.plan.model import Protocol
from fairlead.protocols import protos
from fairlead.protocols.message import Asked, Form, Message, Output, Payload
from fairlead.protocols.protobuf_fields import entry, nested, text, varint
from fairlead.protocols.tensor_messages import read_tensor, write_tensor
from fairlead.protocols.tensors import DEFAULT_INPUT, DEFAULT_OUTPUT, Tensor, as_tensors, tensor
from fairlead.protocols.v2_json import wanted_tensors
from fairlead.protocols.wire import Body

REQUEST, ANSWER = "tensorflow.serving.PredictRequest", "tensorflow.serving.PredictResponse"
GRPC = b"application/grpc"
_NOTHING = Asked()


class TensorflowProto:
    """Messages of `tensorflow.serving.PredictionService/Predict`."""

    name = Protocol.TENSORFLOW
    is_grpc = True
    is_symmetric = False

    def read_request(self, body: Body) -> Message:
        """What a client asks."""
        proto = protos.parse(REQUEST, body.data)
        asked = asked_of(proto.model_spec)
        asked.outputs = [Output(name) for name in proto.output_filter]
        return Message(Payload(Form.TENSORS, _tensors(proto.inputs, "input")), asked=asked)

    def read_answer(self, body: Body) -> Message:
        """What a unit answered."""
        proto = protos.parse(ANSWER, body.data)
        return Message(Payload(Form.TENSORS, _tensors(proto.outputs, "output")))

    def write_request(self, message: Message) -> Body:
        """A message for a unit."""
        asked = message.asked or _NOTHING
        parts = [nested(b"\x0a", write_spec(asked))]
        parts += _entries(b"\x12", as_tensors(message.payload, name=DEFAULT_INPUT))
        parts += [nested(b"\x1a", one.name.encode()) for one in asked.outputs]
        return Body(b"".join(parts), GRPC)

    def write_answer(self, message: Message, asked: Asked | None) -> Body:
        """The answer to a client."""
        asked = asked or _NOTHING
        try:
            tensors = as_tensors(message.payload, name=DEFAULT_OUTPUT)
        except BadRequest as error:  # what the unit gave is not the client's mistake
            raise UnitFailed(str(error)) from error
        parts = _entries(b"\x0a", wanted_tensors(tensors, asked), is_listed=True)
        return Body(b"".join([*parts, nested(b"\x12", write_spec(asked))]), GRPC)

    def failure(self, error: FairleadError) -> tuple[int, bytes]:
        """Errors have no body over gRPC."""
        return error.http, b""


def asked_of(spec: Any) -> Asked:
    """What a ModelSpec says."""
    version = str(spec.version.value) if spec.HasField("version") else spec.version_label
    return Asked(model=spec.name, version=version, signature=spec.signature_name)


def write_spec(asked: Asked) -> bytes:
    """The bytes of a ModelSpec; a version that is no number is a label."""
    version = b""
    if asked.version.isdecimal():
        version = nested(b"\x12", b"\x08" + varint(int(asked.version)))
    elif asked.version:
        version = text(b"\x22", asked.version)
    return text(b"\x0a", asked.model) + version + text(b"\x1a", asked.signature)


def _tensors(items: Any, kind: str) -> list[Tensor]:
    # A map has no order; names give one, so that the same request is always the same list.
    return [tensor(name, read_tensor(items[name], f"{kind} {name!r}")) for name in sorted(items)]


def _entries(start: bytes, tensors: list[Tensor], *, is_listed: bool = False) -> list[bytes]:
    return [entry(start, one.name, nested(b"\x12", write_tensor(one.array, is_listed=is_listed))) for one in tensors]


TENSORFLOW_PROTO = TensorflowProto()
