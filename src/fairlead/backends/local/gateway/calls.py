"""gRPC calls at the gateway: whom one is for, and what the gateway answers by itself.

Metadata and authority choose a route as they do for any request. A call that neither leads anywhere goes to the only
service there is, or to the one whose model its message names. Health checks without such hints are answered here,
because they ask whether anybody is there at all.
"""

from typing import Protocol

from fairlead.backends.local.gateway.finding import Forward, View
from fairlead.backends.local.gateway.metering import Meters
from fairlead.backends.local.gateway.switchboard import CompiledRoute
from fairlead.errors import BadRequest, FairleadError, GrpcCode, NotFound
from fairlead.protocols import model_names
from fairlead.protocols.body_stream import BodyStream
from fairlead.protocols.exchange import Incoming, Outgoing, Request, Response, ServerReply
from fairlead.protocols.grpc import (
    CONTENT_TYPE,
    failure_of,
    frame_message,
    grpc_failure,
    grpc_response,
    status_lines,
)
from fairlead.protocols.protobuf_fields import top_level

_HEALTH = "/grpc.health.v1.Health/"
_REFLECTION = "/grpc.reflection."
_SERVING = b"\x08\x01"
_NOT_SERVING = b"\x08\x02"
_LISTED_NAMES = 20
_PEEKED_BYTES = 1024 * 1024


class Onward(Protocol):
    """Sends a call to the route that was found for it."""

    def __call__(
        self, forward: Forward, route: CompiledRoute, request: Request, reply: ServerReply, incoming: Incoming | None
    ) -> None: ...


class Calls:
    """Takes every gRPC call that comes from one side."""

    def __init__(self, view: View, meters: Meters, onward: Onward) -> None:
        self._view = view
        self._meters = meters
        self._onward = onward
        self._watchers: set[Outgoing] = set()

    def take(self, forward: Forward, request: Request, reply: ServerReply) -> None:
        """Send it on, or answer it here."""
        if not forward.is_hinted and request.path.startswith(_HEALTH):
            self._answer_health(request, reply)
        elif forward.route is not None:
            self._onward(forward, forward.route, request, reply, request.incoming)
        elif service := _meant(request):
            words = f"there is no service {service} here that takes {request.path}; {_hint(self._known())}"
            self._refuse(reply, grpc_failure(GrpcCode.NOT_FOUND, words))
        elif not model_names.names_model(request.path):
            self._refuse(reply, self._whom(request.path))
        elif request.incoming is None:
            self._send_by_name(forward, request, reply, request.body, None)
        else:
            self._peek(forward, request, reply, request.incoming)

    def drain(self) -> None:
        """Tell those who watch our health that they should go elsewhere."""
        watchers, self._watchers = self._watchers, set()
        for watcher in watchers:
            watcher.send(frame_message(_NOT_SERVING))
            watcher.end(status_lines(GrpcCode.OK))

    # By name.

    def _send_by_name(
        self, forward: Forward, request: Request, reply: ServerReply, start: bytes, incoming: Incoming | None
    ) -> None:
        try:
            name = model_names.model_name(request.path, start, encoding=request.header(b"grpc-encoding"))
            route = self._route_of(name)
        except FairleadError as error:
            self._refuse(reply, failure_of(error))
            return
        self._onward(forward, route, request, reply, incoming)

    def _route_of(self, name: str | None) -> CompiledRoute:
        if name is None:
            raise NotFound(f"the message names no model, and several services are here; {_hint(self._known())}")
        routes = self._view.routes_of_model(name)
        if len(routes) == 1:
            return routes[0]
        if not routes:
            raise NotFound(f"no model is called {name!r} here; {_hint(self._known())}")
        owners = ", ".join(f"{route.service.namespace}/{route.service.name}" for route in routes[:_LISTED_NAMES])
        raise NotFound(f"more than one service has a model called {name!r}: {owners}; {_HINT}")

    def _peek(self, forward: Forward, request: Request, reply: ServerReply, incoming: Incoming) -> None:
        """Look into the first message of a stream, as much as is needed of it, and pass on all of it."""
        replayed = BodyStream()
        start = bytearray()
        is_decided = False
        reply.on_gone = start.clear

        def decide() -> None:
            nonlocal is_decided
            is_decided = True
            incoming.pause()
            self._send_by_name(forward, request, reply, bytes(start), replayed)
            replayed.on_flow = lambda: incoming.pause() if replayed.is_waiting else incoming.resume()
            replayed.on_flow()

        def take(piece: bytes) -> None:
            replayed.feed(piece)
            if is_decided:
                return
            start.extend(piece)
            if len(start) > _PEEKED_BYTES or _has_name(request, bytes(start)):
                decide()

        def end() -> None:
            replayed.finish()
            if not is_decided:
                decide()

        incoming.listen(take, end)

    # By ourselves.

    def _answer_health(self, request: Request, reply: ServerReply) -> None:
        if request.path == f"{_HEALTH}Watch":
            out = reply.begin(200, CONTENT_TYPE)
            self._watchers.add(out)
            reply.on_gone = lambda: self._watchers.discard(out)
            out.send(frame_message(_SERVING))
            if request.incoming is not None:
                request.incoming.listen(lambda _: None, lambda: None)
        elif request.path != f"{_HEALTH}Check":
            reply(grpc_failure(GrpcCode.UNIMPLEMENTED, f"{request.path} is not a method of grpc.health.v1.Health"))
        else:
            reply(self._health_of(request.body))

    def _health_of(self, body: bytes) -> Response:
        """SERVING for the gateway as a whole; for a service or a model, whether a replica takes requests for it."""
        try:
            name = _first_text(body[5:])
        except BadRequest as error:
            return failure_of(error)
        if not name or name.startswith(("seldon.protos.", "inference.", "tensorflow.serving.", "grpc.")):
            return grpc_response(_SERVING)
        routes = self._view.routes_of_model(name)
        if not routes:
            return grpc_failure(GrpcCode.NOT_FOUND, f"no service or model is called {name!r} here")
        is_ready = any(target.pool.load.ready for route in routes for target in route.targets)
        return grpc_response(_SERVING if is_ready else _NOT_SERVING)

    def _whom(self, path: str) -> Response:
        known = self._known()
        if path.startswith(_REFLECTION):
            words = f"reflection needs one service to ask, and {len(known)} are here; {_hint(known)}"
            return grpc_failure(GrpcCode.UNIMPLEMENTED, words)
        return grpc_failure(GrpcCode.NOT_FOUND, f"nothing says which service {path} is for; {_hint(known)}")

    def _known(self) -> list[str]:
        return sorted(f"{service.namespace}/{service.name}" for service in self._view.services)

    def _refuse(self, reply: ServerReply, response: Response) -> None:
        self._meters.unrouted += 1
        reply(response)


_HINT = (
    "say which with the metadata seldon=<name> and namespace=<namespace>, or with the service's host name as authority"
)


def _meant(request: Request) -> str:
    """The service that metadata name in vain. A model of that name elsewhere is not what they ask for."""
    name, namespace = request.header(b"seldon").decode("latin-1"), request.header(b"namespace").decode("latin-1")
    return f"{namespace}/{name}" if namespace and name else name


def _hint(known: list[str]) -> str:
    if not known:
        return "nothing is served yet"
    more = f" and {len(known) - _LISTED_NAMES} more" if len(known) > _LISTED_NAMES else ""
    return f"{_HINT}; served here: {', '.join(known[:_LISTED_NAMES])}{more}"


def _has_name(request: Request, start: bytes) -> bool:
    """Whether enough of a first message is here to say which model it names, if any."""
    try:
        model_names.model_name(request.path, start, encoding=request.header(b"grpc-encoding"))
    except BadRequest:
        return False
    except FairleadError:
        return True  # There is something to say about it.
    return True


def _first_text(message: bytes) -> str:
    for number, _, start, end in top_level(message):
        if number == 1:
            return message[start:end].decode("utf-8", "replace")
    return ""
