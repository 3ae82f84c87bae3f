"""`tensorflow.serving`: PredictionService and ModelService for any model, without TensorFlow.

A model that offers signatures of its own (TensorFlow's do) is described by them; any other has one, `serving_default`,
made of what it says it takes and gives. How examples become tensors is `examples`' business.
"""

from typing import TYPE_CHECKING, Any

from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.surfaces.grpc import examples
from fairlead.dataplane.surfaces.grpc.calling import Answer, Ask, Calls
from fairlead.dataplane.surfaces.models import Described, Models
from fairlead.errors import BadRequest, NotOffered
from fairlead.protocols import protos
from fairlead.protocols.exchange import Handler
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.protobuf_fields import entry, nested, text, top_level, varint
from fairlead.protocols.tensor_messages import write_shape
from fairlead.protocols.tensorflow_proto import GRPC, TENSORFLOW_PROTO, asked_of, write_spec
from fairlead.protocols.tensorproto import BY_DTYPE
from fairlead.protocols.tensors import DEFAULT_OUTPUT, DTYPES, Tensor, as_tensors
from fairlead.protocols.wire import Body
from fairlead.runtimes.base import Signature, TensorSpec

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

PREDICTION = "tensorflow.serving.PredictionService"
MODEL = "tensorflow.serving.ModelService"
DEFAULT_SIGNATURE = "serving_default"
_PREDICTS = "tensorflow/serving/predict"
_SIGNATURE_MAP = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
_AVAILABLE, _STARTING = b"\x10\x1e", b"\x10\x0a"


def handlers(parts: "Parts", calls: Calls) -> dict[str, Handler]:
    """Paths to handlers."""
    return {path: calls.unary(path, ask) for path, ask in _Serving(parts).asks().items()}


class _Serving:
    """The methods of both services."""

    def __init__(self, parts: "Parts") -> None:
        self._models: Models = parts.models

    def asks(self) -> dict[str, Ask]:
        return {
            f"/{PREDICTION}/Predict": self._predict,
            f"/{PREDICTION}/Classify": self._classify,
            f"/{PREDICTION}/Regress": self._regress,
            f"/{PREDICTION}/MultiInference": self._several,
            f"/{PREDICTION}/GetModelMetadata": self._metadata,
            f"/{MODEL}/GetModelStatus": self._status,
            f"/{MODEL}/HandleReloadConfigRequest": _no_reload,
        }

    async def _predict(self, data: bytes, walk: Walk) -> Answer:
        body = Body(data, GRPC)
        asked = asked_of(_spec_of(data))
        walk.model = asked.model
        named = self._named(asked, walk)

        def read() -> Message:
            message = TENSORFLOW_PROTO.read_request(body)
            assert message.asked is not None  # requests of this wire have it
            message.asked.model, message.asked.version = named.model, named.version
            message.asked.headers = walk.headers
            return message

        parcel = Parcel(bytes_=body, read=read, wire=TENSORFLOW_PROTO)
        answer = await self._models.predict(parcel, walk)
        came = answer.answer_bytes(TENSORFLOW_PROTO)
        if came is not None:
            return came.data
        wanted = parcel.message().asked or named
        wanted.signature = wanted.signature or DEFAULT_SIGNATURE
        return TENSORFLOW_PROTO.write_answer(answer.message(), wanted).data

    async def _classify(self, data: bytes, walk: Walk) -> Answer:
        proto = protos.parse("tensorflow.serving.ClassificationRequest", data)
        result, asked = await self._judged(proto.model_spec, proto.input, walk, examples.write_classes)
        return nested(b"\x0a", result) + nested(b"\x12", write_spec(asked))

    async def _regress(self, data: bytes, walk: Walk) -> Answer:
        proto = protos.parse("tensorflow.serving.RegressionRequest", data)
        result, asked = await self._judged(proto.model_spec, proto.input, walk, examples.write_values)
        return nested(b"\x0a", result) + nested(b"\x12", write_spec(asked))

    async def _several(self, data: bytes, walk: Walk) -> Answer:
        proto = protos.parse("tensorflow.serving.MultiInferenceRequest", data)
        parts = []
        for task in proto.tasks:
            kind = task.method_name.rpartition("/")[2]
            if kind not in ("classify", "regress"):
                raise BadRequest(
                    f"unsupported method {task.method_name!r}; expected tensorflow/serving/classify or "
                    "tensorflow/serving/regress"
                )
            write, start = (examples.write_classes, b"\x12") if kind == "classify" else (examples.write_values, b"\x1a")
            result, asked = await self._judged(task.model_spec, proto.input, walk, write)
            parts.append(nested(b"\x0a", nested(b"\x0a", write_spec(asked)) + nested(start, result)))
        return b"".join(parts)

    async def _judged(self, spec: Any, given: Any, walk: Walk, write: examples.Write) -> tuple[bytes, Asked]:
        """What a model makes of some examples, and what was asked."""
        asked = asked_of(spec)
        name, walk.model = asked.model, asked.model
        asked = self._named(asked, walk)
        asked.headers = walk.headers
        inputs = self._inputs(asked.model, asked.signature)
        tensors = examples.read_tensors(given, inputs)
        walk.model = name
        message = Message(Payload(Form.TENSORS, tensors), asked=asked)
        answer = await self._models.predict(Parcel(message, wire=TENSORFLOW_PROTO), walk)
        outputs: list[Tensor] = as_tensors(answer.message().payload, name=DEFAULT_OUTPUT)
        return write(outputs), asked

    def _inputs(self, model: str, signature: str) -> tuple[TensorSpec, ...]:
        offered = self._models.signatures(model).get(signature or DEFAULT_SIGNATURE)
        return self._models.describe(model).inputs if offered is None else offered.inputs

    async def _metadata(self, data: bytes, walk: Walk) -> Answer:
        proto = protos.parse("tensorflow.serving.GetModelMetadataRequest", data)
        unknown = [field for field in proto.metadata_field if field != "signature_def"]
        if unknown or not proto.metadata_field:
            said = f"{unknown[0]!r} is not supported" if unknown else "there is none"
            raise BadRequest(f"metadata_field: {said}; expected signature_def")
        asked = self._named(asked_of(proto.model_spec), walk)
        known = await self._models.described(asked.model)
        signatures = self._models.signatures(asked.model) or {DEFAULT_SIGNATURE: _signature_of(known)}
        listed = [entry(b"\x0a", name, nested(b"\x12", _write_signature(one))) for name, one in signatures.items()]
        packed_any = text(b"\x0a", _SIGNATURE_MAP) + nested(b"\x12", b"".join(listed))
        asked.signature = ""
        return nested(b"\x0a", write_spec(asked)) + entry(b"\x12", "signature_def", nested(b"\x12", packed_any))

    async def _status(self, data: bytes, walk: Walk) -> Answer:
        proto = protos.parse("tensorflow.serving.GetModelStatusRequest", data)
        asked = self._named(asked_of(proto.model_spec), walk)
        state = _AVAILABLE if await self._models.is_ready(asked.model) else _STARTING
        version = int(asked.version) if asked.version.isdecimal() else 1
        return nested(b"\x0a", b"\x08" + varint(version) + state + nested(b"\x1a", b""))

    def _named(self, asked: Asked, walk: Walk) -> Asked:  # noqa: ARG002 - beside the methods
        """The model's name and version as answers have them."""
        asked.model = self._models.resolve(asked.model, asked.version)
        if not asked.version:
            versions = self._models.versions(asked.model)
            asked.version = versions[-1] if versions else ""
        return asked


async def _no_reload(data: bytes, walk: Walk) -> Answer:  # noqa: ARG001 - a method's signature
    raise NotOffered("models are deployed by their manifests: apply the changed one instead of reloading")


def _spec_of(data: bytes) -> Any:
    """A request's ModelSpec, its field 1, without reading its tensors."""
    parts = [data[value:end] for number, start, value, end in top_level(data) if number == 1 and data[start] & 7 == 2]
    return protos.parse("tensorflow.serving.ModelSpec", b"".join(parts))


def _signature_of(known: Described) -> Signature:
    return Signature(inputs=known.inputs, outputs=known.outputs, method=_PREDICTS)


def _write_signature(one: Signature) -> bytes:
    parts = [entry(b"\x0a", spec.name, nested(b"\x12", _write_info(spec))) for spec in one.inputs]
    parts += [entry(b"\x12", spec.name, nested(b"\x12", _write_info(spec))) for spec in one.outputs]
    return b"".join([*parts, text(b"\x1a", one.method or _PREDICTS)])


def _write_info(spec: TensorSpec) -> bytes:
    kind = BY_DTYPE[DTYPES[spec.datatype].newbyteorder("<")] if spec.datatype in DTYPES else None
    number = b"" if kind is None else b"\x10" + varint(kind.number)
    return text(b"\x0a", f"{spec.name}:0") + number + nested(b"\x1a", write_shape(spec.shape))
