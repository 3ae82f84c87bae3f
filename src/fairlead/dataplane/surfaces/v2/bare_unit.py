"""A router or combiner of a graph elsewhere: the two paths that Seldon's orchestrator asks such units at under V2."""

from fairlead.dataplane.graph.driving import Step
from fairlead.dataplane.graph.parcel import Parcel, Walk, plain
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.dataplane.surfaces.routing_table import Routes
from fairlead.dataplane.surfaces.v2.inferring import Inferring, Target
from fairlead.plan.model import Method
from fairlead.protocols.exchange import Reply, Request
from fairlead.protocols.v2_json import V2_JSON

_FIRST = Target("")


def bare_routes(unit: LocalUnit, inferring: Inferring, limit_bytes: int) -> Routes:
    """The routes that a unit has besides those of every model."""

    def choose(parcel: Parcel, walk: Walk) -> Step[Parcel]:
        return unit.call(Method.ROUTE, parcel, walk)

    async def combine(parcel: Parcel, walk: Walk) -> Parcel:
        assert parcel.bytes_ is not None  # it is as it came
        answers = V2_JSON.read_answers(plain(parcel.bytes_, limit_bytes).data)
        parcel.decoded = answers[0]  # whose id is the request's
        return await unit.aggregate([Parcel(answer) for answer in answers], walk)

    def route(request: Request, reply: Reply) -> None:
        inferring.answer(request, reply, _FIRST, choose)

    def aggregate(request: Request, reply: Reply) -> None:
        inferring.answer(request, reply, _FIRST, combine)

    return {"/route": {"POST": route}, "/aggregate": {"POST": aggregate}}
