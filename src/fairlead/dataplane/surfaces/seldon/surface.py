"""The Seldon v1 protocol over REST as one handler: from a request's path and verb to whoever answers it.

A graph has the orchestrator's routes; when it is a single unit it has that unit's own routes beside them, so that
clients of a bare unit work against it too. A worker of a bare unit has those alone.
"""

from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.metering import CONTENT_TYPE, Meters
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces.routing_table import ANY, Routes, Verbs
from fairlead.dataplane.surfaces.seldon.elsewhere import Elsewhere, is_elsewhere
from fairlead.dataplane.surfaces.seldon.graph_routes import GraphRoutes
from fairlead.dataplane.surfaces.seldon.unit_routes import UnitRoutes
from fairlead.protocols import seldon_v1
from fairlead.protocols.exchange import Reply, Request, Response


class SeldonSurface:
    """Answers every request of one worker. It never blocks and never raises."""

    def __init__(self, spec: WorkerSpec, executor: Executor, meters: Meters) -> None:
        units = list(executor.units.values())
        bare = None
        if len(units) == 1:
            bare = UnitRoutes(units[0], meters, limit_bytes=spec.max_body_bytes, is_whole=spec.single_unit)
        graph = GraphRoutes(spec, executor, meters)
        self._graph = graph
        self._routes: Routes = {}
        self._fallback: GraphRoutes | UnitRoutes | Elsewhere = graph
        if bare is not None:
            self._routes |= bare.routes()
        if bare is None or not spec.single_unit:
            self._routes |= graph.routes()
        else:
            self._fallback = bare
            own = graph.routes()
            self._routes |= {path: own[path] for path in ("/ready", "/live", "/prometheus", "/metrics")}
        self._has_graph = self._fallback is graph
        if is_elsewhere(spec):
            self._fallback = Elsewhere()

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one request."""
        verbs = self._routes.get(request.path)
        if verbs is None:
            verbs = self._graph.find(request.path) if self._has_graph else None
            if verbs is None:
                self._fallback.unknown_path(request, reply)
                return
        route = verbs.get(request.method)
        if route is not None:
            route(request, reply)
        else:
            self._other_verb(verbs, request, reply)

    def _other_verb(self, verbs: Verbs, request: Request, reply: Reply) -> None:
        if ANY in verbs:
            verbs[ANY](request, reply)
        elif request.method == "OPTIONS":
            self._fallback.options(request, reply, sorted(verbs))
        elif request.method == "HEAD" and "GET" in verbs:
            verbs["GET"](request, reply)
        else:
            self._fallback.wrong_verb(request, reply, sorted(verbs))


class MetricsSurface:
    """What a metrics port serves: a unit's own metrics, at the path its environment names."""

    def __init__(self, meters: Meters, path: str) -> None:
        self._meters = meters
        self._paths = frozenset((path, "/metrics", "/prometheus"))

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one request."""
        if request.path not in self._paths:
            reply(refusal(404, f"404 page not found; metrics are at {min(self._paths)}"))
        else:
            reply(Response(200, b"Content-Type: " + CONTENT_TYPE + b"\r\n", self._meters.render_custom()))


def refusal(status: int, message: str) -> Response:
    """What the server itself says when it cannot take a request, in the protocol's shape."""
    return Response(status, b"Content-Type: application/json\r\n", seldon_v1.orchestrator_failure(status, message))
