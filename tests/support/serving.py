"""Small units and requests for tests of the data plane: a graph in a few words, a handler asked without a socket."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fairlead.dataplane.assembling import assemble
from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.spec import Placement, WorkerSpec
from fairlead.dataplane.surfaces.composing import Surfaces
from fairlead.plan.model import Call, EnvVar, Feedback, Graph, Method, Node, Revision, Step, Unit, UnitName
from fairlead.protocols.exchange import Handler, Request, Response, ServerHandler, ServerReply
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward
from fairlead.protocols.tensors import DEFAULT_OUTPUT, as_array_payload, as_tensors
from fairlead.runtimes.base import Columns, PredictBytes, Repository, Rows, Servable, TensorSpec

Array = np.ndarray[Any, Any]
JSON = (b"content-type", b"application/json")


@dataclass
class Times:
    """Rows times a factor, as `Rows`; it remembers what it was given."""

    factor: float = 2.0
    class_names: list[str] | None = None
    output_name: str = "output-0"
    calls: list[Array] = field(default_factory=list)

    def predict(self, rows: Array) -> Array:
        self.calls.append(rows)
        if rows.shape[1] > 4:
            raise ValueError(f"X has {rows.shape[1]} features, expecting 4")
        return rows * self.factor


class Fake:
    """A loaded unit whose methods are given as functions of a message; what is not given passes it through."""

    def __init__(
        self,
        name: str,
        *,
        rows: Rows | None = None,
        columns: Columns | None = None,
        info: dict[str, Any] | None = None,
        **answers: Callable[..., Any],
    ) -> None:
        self.rows = rows
        self.inputs: tuple[TensorSpec, ...] = ()
        self.outputs: tuple[TensorSpec, ...] = ()
        self.platform = ""
        self.repository: Repository | None = None
        self.columns = columns
        self.predict_bytes: PredictBytes | None = None
        self.methods = frozenset(Method(name.replace("_", "-")) for name in answers if name != "health")
        self.asked: list[tuple[str, Any]] = []
        self._name = name
        self._answers = answers
        self._info = info or {}

    def invoke(self, method: Method, message: Message) -> Message:
        self.asked.append((method.value, message.payload.value))
        answer = self._answers.get(method.value.replace("-", "_"))
        value = as_array_payload(message.payload).value
        if self.rows is not None and method is Method.PREDICT and isinstance(value, np.ndarray):
            return self._message(message, self.rows.predict(value))
        return self._message(message, value if answer is None else answer(value))

    def aggregate(self, messages: list[Message]) -> Message:
        self.asked.append(("aggregate", [message.payload.value for message in messages]))
        values = [as_array_payload(message.payload).value for message in messages]
        return self._message(messages[0], self._answers["aggregate"](values))

    def feedback(self, reward: Reward) -> Message:
        self.asked.append(("feedback", reward.reward))
        return Message(Payload(Form.NDARRAY, np.array([])), Meta(request_path={self._name: "image:1"}))

    def health(self) -> Message:
        return Message(Payload(Form.STRING, self._answers.get("health", lambda: "healthy")()))

    def metadata(self) -> dict[str, Any]:
        return self._info

    def close(self) -> None:
        self.asked.append(("close", None))

    def _message(self, asked: Message, value: Any) -> Message:
        if isinstance(value, Message):
            return value
        path = {self._name: "image:1", **asked.meta.request_path}
        meta = Meta(asked.meta.puid, dict(asked.meta.tags), {}, path, list(asked.meta.metrics))
        is_text = isinstance(value, str)
        payload = Payload(Form.STRING, value) if is_text else Payload(Form.NDARRAY, np.asarray(value))
        if asked.payload.form is Form.TENSORS:
            payload = Payload(Form.TENSORS, as_tensors(payload, name=DEFAULT_OUTPUT))
        return Message(payload, meta)


def unit(name: str, **fields: Any) -> Unit:
    """A unit of the plan."""
    return Unit(name=UnitName(name), runtime="python", **({"image": "image:1"} | fields))


def call(name: str, method: Method = Method.PREDICT) -> Call:
    """A step that asks one unit."""
    return Call(unit=UnitName(name), method=method)


def worker_spec(
    units: list[Unit],
    root: Step,
    *,
    feedback: Feedback | None = None,
    drawing: Node | None = None,
    addresses: dict[str, str] | None = None,
    env: dict[str, str] | None = None,
    **fields: Any,
) -> WorkerSpec:
    """What a worker of this graph is told. `fields` belong to the spec, or else to its revision."""
    of_spec = {name: fields.pop(name) for name in list(fields) if name in WorkerSpec.__struct_fields__}
    revision = Revision(
        hash="h",
        units=tuple(units),
        graph=Graph(root=root, feedback=feedback, drawing=drawing),
        env=tuple(EnvVar(name=name, value=value) for name, value in (env or {}).items()),
        **fields,
    )
    placements = [Placement(unit=name, address=address) for name, address in (addresses or {}).items()]
    told = {"replica": "r-0", "namespace": "ns", "service": "dep", "component": "main", "placements": placements}
    return WorkerSpec(revision=revision, **(told | of_spec))


@dataclass
class Served:
    """A surface over fakes."""

    handler: Handler
    executor: Executor
    meters: Meters

    async def post(self, path: str, value: Any, *headers: tuple[bytes, bytes]) -> Response:
        """Send JSON, or bytes as they are."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return await ask(self.handler, Request("POST", path, b"", [JSON, *headers], body))

    async def get(self, path: str, *headers: tuple[bytes, bytes], method: str = "GET") -> Response:
        """Ask without a body."""
        path, _, query = path.partition("?")
        return await ask(self.handler, Request(method, path, query.encode(), list(headers), b""))


def served(spec: WorkerSpec, **fakes: Servable) -> Served:
    """A surface for `spec` on the running loop."""
    executor, meters = assemble(spec, fakes, asyncio.get_running_loop())
    return Served(Surfaces(spec, executor, meters), executor, meters)


async def ask(handler: Handler, request: Request) -> Response:
    """The handler's one answer."""
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    handler(request, answer.set_result)
    return await answer


class Waiting(ServerReply):
    """A server's reply to a client that stays, for handlers that give whole answers."""

    is_wanted = True

    def __init__(self) -> None:
        self.on_gone: Callable[[], None] | None = None
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def __call__(self, response: Response) -> None:
        self.answer.set_result(response)


async def ask_as_server(handler: ServerHandler, request: Request) -> Response:
    """The one answer of a handler that counts on a server's replies."""
    reply = Waiting()
    handler(request, reply)
    return await reply.answer


def header(response: Response, name: str) -> str:
    """A header's value; empty when it is not there."""
    for line in response.headers.decode().split("\r\n"):
        key, _, value = line.partition(": ")
        if key.lower() == name.lower():
            return value
    return ""
