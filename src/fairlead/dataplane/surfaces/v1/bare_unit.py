"""A router or combiner of a graph elsewhere: the verbs `:route` and `:aggregate`, by which Seldon's orchestrator asks
such units under TensorFlow's protocol. Graphs of V1 ask theirs the same way."""

from collections.abc import Callable, Mapping

from fairlead.dataplane.graph.parcel import Parcel, Walk, plain
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.dataplane.surfaces.answering import Answer, Answering
from fairlead.errors import BadRequest
from fairlead.plan.model import Method
from fairlead.protocols import jsontext
from fairlead.protocols.exchange import Reply, Request
from fairlead.protocols.message import Asked, Message
from fairlead.protocols.wire import JSON, Body, Wire

Route = Callable[[Request, Reply], None]
_COLUMNS = "outputs"


def bare_verbs(unit: LocalUnit, answering: Answering, wire: Wire, limit_bytes: int) -> Mapping[str, Route]:
    """What may stand behind the colon of a model's path, besides what every model is asked."""

    def read(request: Request, body: Body) -> Message:
        message = wire.read_request(plain(body, limit_bytes))
        message.asked = message.asked or Asked()
        message.asked.headers = request.headers
        return message

    def route(request: Request, reply: Reply) -> None:
        body = _body(request)
        walk = answering.walk(request, "")
        parcel = Parcel(bytes_=body, read=lambda: read(request, body), wire=wire)
        answering.run(request, reply, walk, unit.call(Method.ROUTE, parcel, walk), answering.written)

    def aggregate(request: Request, reply: Reply) -> None:
        walk = answering.walk(request, "")
        asked = Asked(headers=request.headers)

        def write(parcel: Parcel) -> Answer:
            return answering.written_to(parcel.message(), asked)

        answering.run(request, reply, walk, combine(request, walk, asked), write)

    async def combine(request: Request, walk: Walk, asked: Asked) -> Parcel:
        listed = _answers(plain(_body(request), limit_bytes).data)
        asked.is_columnar = _COLUMNS in listed[0]
        answers = [wire.read_answer(Body(jsontext.compact(one))) for one in listed]
        return await unit.aggregate([Parcel(answer) for answer in answers], walk)

    return {"route": route, "aggregate": aggregate}


def _body(request: Request) -> Body:
    return Body(request.body, request.header(b"content-type") or JSON, request.header(b"content-encoding"))


def _answers(data: bytes) -> list[dict[str, object]]:
    try:
        listed = jsontext.loads(data)
    except ValueError as error:
        raise BadRequest(f"JSON Parse error: {error}") from error
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        raise BadRequest("expected a JSON array of answers, each an object with predictions")
    return listed
