"""`inference.GRPCInferenceService`: the Open Inference Protocol over gRPC."""

from typing import TYPE_CHECKING, Any

from fairlead.dataplane.graph.driving import drive
from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.surfaces.grpc.calling import Answer, Ask, Calls, response_lines
from fairlead.dataplane.surfaces.grpc.outcomes import plain
from fairlead.dataplane.surfaces.grpc.quick import V2Quick
from fairlead.dataplane.surfaces.grpc.streaming import Stream, streamed
from fairlead.dataplane.surfaces.models import Models
from fairlead.dataplane.surfaces.v2.describing import refuse_overrides
from fairlead.errors import BadRequest
from fairlead.protocols import protos
from fairlead.protocols.exchange import Handler, Headers, Request
from fairlead.protocols.message import Asked, Message
from fairlead.protocols.protobuf_fields import nested, packed, text, top_level
from fairlead.protocols.streaming import STREAM_INFER
from fairlead.protocols.v2_proto import GRPC, V2_PROTO, read_request
from fairlead.protocols.wire import Body
from fairlead.runtimes.base import ModelState, RepositoryModel, TensorSpec

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

SERVICE = "inference.GRPCInferenceService"
_INFER = f"/{SERVICE}/ModelInfer"
EXTENSIONS = ("model_repository_extension", "model_repository")
_YES = b"\x08\x01"
_IDENTITY = (1, 2, 3)


def handlers(parts: "Parts", calls: Calls) -> dict[str, Handler]:
    """Paths to handlers."""
    inference = Inference(parts, calls)
    found = {path: calls.unary(path, ask) for path, ask in inference.asks().items()}
    unit = parts.models.row_wise()
    if unit is not None:
        found[_INFER] = V2Quick(unit, calls, found[_INFER], _INFER, parts.models)
    found[STREAM_INFER] = streamed(calls, lambda stream, request: _Talk(stream, request, inference, calls))
    return found


class Inference:
    """The methods of the service."""

    def __init__(self, parts: "Parts", calls: Calls) -> None:
        self._models: Models = parts.models
        self._calls = calls
        # What goes to a peer is not read here, so that it passes as it came.
        self._has_peers = any(isinstance(unit, RemoteUnit) for unit in parts.executor.units.values())

    def asks(self) -> dict[str, Ask]:
        methods: dict[str, Ask] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server,
            "ModelMetadata": self._model,
            "ModelInfer": self.infer,
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
        }
        return {f"/{SERVICE}/{name}": ask for name, ask in methods.items()}

    async def infer(self, data: bytes, walk: Walk) -> Answer:
        """One question and its answer."""
        body = Body(data, GRPC)
        asked, parcel = self._question(body, walk)
        walk.model = asked.model
        asked.model, asked.version = self._named(asked)
        answer = await self._models.predict(parcel, walk)
        came = answer.answer_bytes(V2_PROTO)
        if came is not None:
            return came.data
        message = answer.message()
        data = V2_PROTO.write_answer(message, parcel.message().asked).data
        return (data, response_lines(message.response_headers)) if message.response_headers else data

    def _question(self, body: Body, walk: Walk) -> tuple[Asked, Parcel]:
        """What is asked, as far as it must be known now, and the question itself."""
        if not self._has_peers:
            message = read_request(body.data)
            asked = self._completed(message, walk)
            return asked, Parcel(message, body, wire=V2_PROTO)
        named = _identity(body.data)
        asked = Asked(named.get(1, ""), named.get(2, ""), named.get(3, ""))

        def read() -> Message:
            message = read_request(body.data)
            own = self._completed(message, walk)
            own.model, own.version = asked.model, asked.version
            return message

        return asked, Parcel(bytes_=body, read=read, wire=V2_PROTO)

    def _completed(self, message: Message, walk: Walk) -> Asked:
        asked = message.asked
        assert asked is not None  # requests of this wire have it
        asked.id = asked.id or (walk.puid or self._calls.puids.take()).decode("latin-1")
        asked.headers = walk.headers
        return asked

    def _named(self, asked: Asked) -> tuple[str, str]:
        """The model's name and version as answers have them."""
        name = self._models.resolve(asked.model, asked.version)
        if asked.version:
            return name, asked.version
        versions = self._models.versions(name)
        return name, versions[-1] if versions else ""

    async def _live(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002 - a method's signature
        return _YES

    async def _ready(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        return _YES if await self._models.all_ready() else b""

    async def _model_ready(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        asked = _parse("ModelReadyRequest", data)
        name = self._models.resolve(asked.name, asked.version)
        return _YES if await self._models.is_ready(name) else b""

    async def _server(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        from importlib.metadata import version  # 4 ms that a cold start need not pay

        extensions = b"".join([text(b"\x1a", one) for one in EXTENSIONS])
        return text(b"\x0a", "fairlead") + text(b"\x12", version("fairlead")) + extensions

    async def _model(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        asked = _parse("ModelMetadataRequest", data)
        name = self._models.resolve(asked.name, asked.version)
        known = await self._models.described(name, asked.version)
        parts = [text(b"\x0a", known.name), *(text(b"\x12", version) for version in known.versions)]
        parts.append(text(b"\x1a", known.platform))
        parts += [nested(b"\x22", _write_spec(spec)) for spec in known.inputs]
        parts += [nested(b"\x2a", _write_spec(spec)) for spec in known.outputs]
        return b"".join(parts)

    async def _index(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        asked = _parse("RepositoryIndexRequest", data)
        listed = [one for one in self._models.index() if one.state is ModelState.READY or not asked.ready]
        return b"".join([nested(b"\x0a", _write_entry(one)) for one in listed])

    async def _load(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        asked = _parse("RepositoryModelLoadRequest", data)
        refuse_overrides(asked.parameters)
        name = _named_model(asked)
        await self._models.load(name)
        return text(b"\x0a", name) + b"\x10\x01"

    async def _unload(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        name = _named_model(_parse("RepositoryModelUnloadRequest", data))
        await self._models.unload(name)
        return text(b"\x0a", name) + b"\x10\x01"


class _Talk:
    """Questions of one stream: several under way, each answered when it is ready, with its id."""

    def __init__(self, stream: Stream, request: Request, inference: Inference, calls: Calls) -> None:
        self._stream = stream
        self._headers: Headers = request.headers
        self._request = request
        self._inference = inference
        self._calls = calls
        self._has_ended = False
        self._is_leaving = False
        self._under_way: set[Walk] = set()

    def take(self, message: bytes) -> None:
        if self._is_leaving:
            return  # The stream's end tells the client which of its questions were taken.
        self._stream.begun()
        walk = self._calls.walk(self._request)
        self._under_way.add(walk)

        def done(answer: Any, error: Exception | None) -> None:
            if error is not None:
                self._stream.send(_refusal(message, error))
            else:
                data = answer[0] if type(answer) is tuple else answer
                self._stream.send(nested(b"\x12", data))
            self._under_way.discard(walk)
            self._stream.done()
            self._end_if_done()

        drive(self._inference.infer(message, walk), done)

    def end(self) -> None:
        self._has_ended = True
        self._end_if_done()

    def gone(self) -> None:
        """Nobody waits for what is under way."""
        for walk in tuple(self._under_way):
            walk.leave()

    def drain(self) -> None:
        """Answer what is under way."""
        self._is_leaving = True
        self._end_if_done()

    def _end_if_done(self) -> None:
        if not self._stream.is_idle:
            return
        if self._has_ended:
            self._stream.finish()
        elif self._is_leaving:
            self._stream.leave()


def _refusal(question: bytes, error: Exception) -> bytes:
    """A failure within a stream, which goes on. It carries the question's model and id, so that a client knows which of
    its questions failed."""
    outcome = plain(error)
    try:
        named = _identity(question)
    except BadRequest:
        named = {}
    said = text(b"\x0a", named.get(1, "")) + text(b"\x12", named.get(2, "")) + text(b"\x1a", named.get(3, ""))
    return text(b"\x0a", outcome.words) + nested(b"\x12", said)


def _identity(question: bytes) -> dict[int, str]:
    """Model, version and id of a question, without reading the rest."""
    found: dict[int, str] = {}
    for number, start, value, end in top_level(question):
        if number in _IDENTITY and question[start] & 7 == 2:
            found[number] = question[value:end].decode("utf-8", "replace")
    return found


def _named_model(asked: Any) -> str:
    name = asked.named_model or asked.model_name
    if not name:
        raise BadRequest("model_name is empty; expected the name of a model")
    return str(name)


def _write_entry(model: RepositoryModel) -> bytes:
    state = text(b"\x1a", model.state.value) + text(b"\x22", model.reason)
    return text(b"\x0a", model.name) + text(b"\x12", model.version) + state


def _write_spec(spec: TensorSpec) -> bytes:
    shape = nested(b"\x1a", packed(spec.shape)) if spec.shape else b""
    return text(b"\x0a", spec.name) + text(b"\x12", spec.datatype) + shape


def _parse(name: str, data: bytes) -> Any:
    return protos.parse(f"inference.{name}", data)
