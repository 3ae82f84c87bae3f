"""`seldon.protos`: the services of a graph and of a bare unit.

A graph answers `Seldon`; when it is a single unit it answers that unit's services beside it, so that clients of a bare
unit work against it too. A worker of a bare unit answers them all, as Seldon's wrapper does.
"""

from typing import TYPE_CHECKING

from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.graph.units import GraphUnit
from fairlead.dataplane.surfaces.grpc.calling import Answer, Ask, Calls, response_lines
from fairlead.dataplane.surfaces.grpc.outcomes import of_seldon
from fairlead.dataplane.surfaces.grpc.quick import SeldonQuick
from fairlead.errors import UnitFailed
from fairlead.plan.model import Method
from fairlead.protocols import protos
from fairlead.protocols.exchange import Handler
from fairlead.protocols.message import Form, Message, Payload, Reward
from fairlead.protocols.seldon_proto import (
    GRPC,
    SELDON_PROTO,
    decode_feedback,
    decode_list,
    with_routing,
    write_graph_metadata,
    write_model_metadata,
)
from fairlead.protocols.wire import Body

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

_PACKAGE = "seldon.protos"
_OF_UNITS = {
    "Model/Predict": Method.PREDICT,
    "Transformer/TransformInput": Method.TRANSFORM_INPUT,
    "Generic/TransformInput": Method.TRANSFORM_INPUT,
    "OutputTransformer/TransformOutput": Method.TRANSFORM_OUTPUT,
    "Generic/TransformOutput": Method.TRANSFORM_OUTPUT,
    "Router/Route": Method.ROUTE,
    "Generic/Route": Method.ROUTE,
}
_NOT_HERE = "GraphMetadata not available on the Model level."


def handlers(parts: "Parts", calls: Calls) -> dict[str, Handler]:
    """Paths to handlers."""
    asks: dict[str, Ask] = {}
    units = list(parts.executor.units.values())
    if not parts.spec.single_unit or len(units) != 1:
        asks |= _Graph(parts, calls.limit_bytes).asks()
    if len(units) == 1:
        asks = _Unit(units[0], calls.limit_bytes).asks() | asks
    found = {path: calls.unary(path, ask, worded=of_seldon) for path, ask in asks.items()}
    unit = parts.models.row_wise()
    if unit is not None:
        for path in (f"/{_PACKAGE}.Seldon/Predict", f"/{_PACKAGE}.Model/Predict"):
            if path not in found:
                continue
            is_graph = "Seldon/" in path and not parts.spec.single_unit and parts.spec.revision.include_routing
            routing = {str(unit.unit.name): -1} if is_graph else {}
            found[path] = SeldonQuick(unit, calls, found[path], path, routing=routing)
    return found


class _Graph:
    """The service of a whole graph."""

    def __init__(self, parts: "Parts", limit_bytes: int) -> None:
        self._executor = parts.executor
        self._name = parts.spec.component
        self._limit_bytes = limit_bytes
        self._with_routing = parts.spec.revision.include_routing

    def asks(self) -> dict[str, Ask]:
        return {
            f"/{_PACKAGE}.Seldon/Predict": self._predict,
            f"/{_PACKAGE}.Seldon/SendFeedback": self._feedback,
            f"/{_PACKAGE}.Seldon/ModelMetadata": self._model_metadata,
            f"/{_PACKAGE}.Seldon/GraphMetadata": self._graph_metadata,
        }

    async def _predict(self, data: bytes, walk: Walk) -> Answer:
        parcel = await self._executor.predict(_parcel(data, self._limit_bytes), walk)
        return _written(parcel, walk.routing if self._with_routing else {})

    async def _feedback(self, data: bytes, walk: Walk) -> Answer:
        reward = decode_feedback(data)
        asked = _rewarding(data, reward)
        answer = await self._executor.feedback(asked, reward, walk)
        # REST sends the reward itself back when nobody takes it; it is no SeldonMessage, so here nothing comes back.
        return b"" if answer is asked else _written(answer, {})

    async def _model_metadata(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002 - a method's signature
        asked = protos.parse(f"{_PACKAGE}.SeldonModelMetadataRequest", data)
        return write_model_metadata(await self._executor.unit(asked.name).metadata())

    async def _graph_metadata(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        return write_graph_metadata(await self._executor.metadata(self._name))


class _Unit:
    """The services of one unit."""

    def __init__(self, unit: GraphUnit, limit_bytes: int) -> None:
        self._unit = unit
        self._limit_bytes = limit_bytes

    def asks(self) -> dict[str, Ask]:
        asks: dict[str, Ask] = {f"/{_PACKAGE}.{path}": self._method(method) for path, method in _OF_UNITS.items()}
        asks[f"/{_PACKAGE}.Seldon/Predict"] = self._method(Method.PREDICT)
        for service in ("Combiner", "Generic"):
            asks[f"/{_PACKAGE}.{service}/Aggregate"] = self._aggregate
        for service in ("Model", "Router", "Generic", "Seldon"):
            asks[f"/{_PACKAGE}.{service}/SendFeedback"] = self._feedback
        for path in ("Model/Metadata", "Seldon/ModelMetadata"):
            asks[f"/{_PACKAGE}.{path}"] = self._metadata
        asks[f"/{_PACKAGE}.Seldon/GraphMetadata"] = self._no_graph
        return asks

    def _method(self, method: Method) -> Ask:
        async def ask(data: bytes, walk: Walk) -> Answer:
            return _written(await self._unit.call(method, _parcel(data, self._limit_bytes), walk), {})

        return ask

    async def _aggregate(self, data: bytes, walk: Walk) -> Answer:
        parcels = [Parcel(message, wire=SELDON_PROTO) for message in decode_list(data)]
        return _written(await self._unit.aggregate(parcels, walk), {})

    async def _feedback(self, data: bytes, walk: Walk) -> Answer:
        reward = decode_feedback(data)
        return _written(await self._unit.feedback(_rewarding(data, reward), reward, walk), {})

    async def _metadata(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        return write_model_metadata(await self._unit.metadata())

    async def _no_graph(self, data: bytes, walk: Walk) -> Answer:  # noqa: ARG002
        raise UnitFailed(_NOT_HERE)


def _parcel(data: bytes, limit_bytes: int) -> Parcel:
    return Parcel.of_request(SELDON_PROTO, Body(data, GRPC), limit_bytes=limit_bytes)


def _rewarding(data: bytes, reward: Reward) -> Parcel:
    """A reward on its way: bytes for peers, and for whoever reads it the answer it is about."""

    def read() -> Message:
        return reward.response or reward.request or Message(Payload(Form.NONE, None))

    return Parcel(bytes_=Body(data, GRPC), read=read, wire=SELDON_PROTO)


def _written(parcel: Parcel, routing: dict[str, int]) -> Answer:
    came = parcel.answer_bytes(SELDON_PROTO) if parcel.is_bytes else None
    if came is not None:
        return with_routing(came.data, routing)
    message = parcel.message()
    if message.raw_proto is None:
        message.meta.routing = routing
        routing = {}
    data = with_routing(SELDON_PROTO.write_answer(message, None).data, routing)
    return (data, response_lines(message.response_headers)) if message.response_headers else data
