"""The table that is in force: matcher, pools and meters, and how one table follows another.

What two tables share lives on: pools with their connections and waiting requests, the turns of a split, counters.
"""

from collections.abc import Callable, Iterator, KeysView, Sequence
from dataclasses import dataclass

from fairlead.backends.local.gateway.link import Replica
from fairlead.backends.local.gateway.matching import Matcher, rewritten, strip
from fairlead.backends.local.gateway.metering import Key, Load, Meter, Meters
from fairlead.backends.local.gateway.pool import Pool
from fairlead.backends.local.gateway.splitting import Sampler, Splitter
from fairlead.plan import routing
from fairlead.plan.model import Route
from fairlead.plan.routing import RouteTable, Service
from fairlead.protocols.exchange import Head, Headers
from fairlead.protocols.frames import encode_request_head
from fairlead.protocols.grpc import parse_timeout
from fairlead.protocols.streaming import is_grpc

# Where a client that talks to a service directly sends its requests, by protocol; with one service there is no
# doubt whom it means.
_DIRECT_PATHS = {"seldon": "/api/", "tensorflow": "/v1/", "v1": "/v1/", "v2": "/v2/"}

# RFC 9110 section 7.6.1 and the length, which the frame carries.
_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer", b"content-length", b"expect"}
)
_END_TO_END = frozenset({b"host", b"content-type", b"content-encoding", b"grpc-encoding", b"grpc-timeout"})
"""Headers that Connection cannot take away: a worker must read a request as it was read here."""
_FORWARDED_PREFIX = b"x-forwarded-prefix"
GRPC_TIMEOUT = b"grpc-timeout"
_KEPT_CALLS = 512
_REQUEST_ID = b"x-request-id"


@dataclass(slots=True, eq=False)
class Serving:
    """One component's live pool and meter."""

    key: Key
    pool: Pool
    meter: Meter


@dataclass(slots=True, eq=False)
class CompiledRoute:
    """A route with the live things it leads to; `splitter` says which of `targets` is next."""

    service: Service
    route: Route
    targets: tuple[Serving, ...]
    mirrors: tuple[tuple[Serving, Sampler], ...]
    splitter: Splitter

    @property
    def protocol(self) -> str:
        """How the service words its errors."""
        return self.targets[0].pool.wanted.protocol if self.targets else "seldon"


class Epoch:
    """The time between two changes of the table. What was worked out in one is worth nothing in the next."""


@dataclass(slots=True, eq=False)
class Forward:
    """What a head means in one epoch: the route, and the head as the worker gets it. A gRPC call's head lacks its
    timeout, which is `timeout_s`; without a route its message has to say whom it is for. `is_hinted` says that the
    head itself chose the route."""

    epoch: Epoch
    route: CompiledRoute | None
    head: bytes
    is_grpc: bool = False
    is_hinted: bool = True
    timeout_s: float | None = None
    request_id: bytes = b""
    """The id that the client gave it."""


@dataclass(slots=True, eq=False)
class _Entry:
    """One service as it is compiled."""

    service: Service
    routes: list[CompiledRoute]
    keys: KeysView[Key]


class Switchboard:
    """The table in force. `publish` puts the next one in force at once, at the cost of what differs."""

    def __init__(self, meters: Meters) -> None:
        self.table = RouteTable()
        self.epoch = Epoch()
        self.servings: dict[Key, Serving] = {}
        self._meters = meters
        self.on_counts: Callable[[str, bytes | None], None] = lambda path, body: None  # noqa: ARG005
        """Gets what a replica counted, when it leaves."""
        self.on_poke: Callable[[Serving], None] = lambda serving: None  # noqa: ARG005
        """Told of a component where a request begins to wait and no replica can be reached."""
        self._entries: dict[tuple[str, str, str], _Entry] = {}
        self._matcher: Matcher[CompiledRoute] = Matcher()
        self._sole: CompiledRoute | None = None
        self._sole_call: CompiledRoute | None = None
        self._by_model: dict[str, list[CompiledRoute]] | None = None
        self._calls: dict[tuple[object, ...], Forward] = {}
        self.on_table: Callable[[RouteTable], None] = lambda _: None
        """Told of every table that is put in force."""

    def publish(self, table: RouteTable) -> None:
        """Serve what this table says. Requests that are under way stay where they are."""
        wanted = {service.identity: service for service in table.services}
        for identity in [identity for identity in self._entries if identity not in wanted]:
            self._replace(self._entries.pop(identity).routes, [])
        used: set[Key] = set()
        for identity, service in wanted.items():
            self._publish_service(identity, service)
            used.update(self._entries[identity].keys)
        for key in [key for key in self.servings if key not in used]:
            self.servings.pop(key).pool.retire()
        self._meters.keep(used)
        entry = next(iter(self._entries.values())) if len(self._entries) == 1 else None
        self._sole = _direct_route(entry) if entry is not None else None
        self._sole_call = _call_route(entry) if entry is not None else None
        self._by_model = None
        self._calls = {}
        self.table = table
        self.epoch = Epoch()
        self.on_table(table)

    def find(self, head: Head) -> Forward | None:
        """Where a request goes, or `None` when no route takes it. For a gRPC call there is always something to do."""
        if is_grpc(head):
            return self._find_call(head)
        route = self._matcher.find(head.path, head.headers)
        if route is not None:
            path = rewritten(head.path, route.route.path_prefix, route.route.rewrite)
            forwarded = _forwarded_head(head, path, strip(route.route.path_prefix))
            return Forward(self.epoch, route, forwarded, request_id=_request_id(head.headers))
        if self._sole is not None and head.path.startswith(_DIRECT_PATHS.get(self._sole.protocol, "\0")):
            forwarded = _forwarded_head(head, head.path, "")
            return Forward(self.epoch, self._sole, forwarded, request_id=_request_id(head.headers))
        return None

    def _find_call(self, head: Head) -> Forward:
        timeout = b""
        headers = []
        for pair in head.headers:
            if pair[0] == GRPC_TIMEOUT:
                timeout = pair[1]
            else:
                headers.append(pair)
        # Clients with deadlines send another timeout with each call, and nothing else that is new. Working a head out
        # takes 10 us, finding it again without its timeout 2.
        key = (head.path, head.query, *headers)
        forward = self._calls.get(key)
        if forward is None:
            if len(self._calls) >= _KEPT_CALLS:
                self._calls.clear()
            forward = self._calls[key] = self._work_out_call(head, headers)
        if not timeout:
            return forward
        return Forward(
            forward.epoch,
            forward.route,
            forward.head,
            is_grpc=True,
            is_hinted=forward.is_hinted,
            timeout_s=parse_timeout(timeout),
            request_id=forward.request_id,
        )

    def _work_out_call(self, head: Head, headers: Headers) -> Forward:
        route = self._matcher.find(head.path, headers)
        is_hinted = route is not None
        if route is None:
            route = self._sole_call
        # The route of the only service may be one of another path.
        path = rewritten(head.path, route.route.path_prefix, route.route.rewrite) if route and is_hinted else head.path
        forwarded = encode_request_head(head.method, path, head.query, forwarded_headers(headers, ""))
        return Forward(self.epoch, route, forwarded, is_grpc=True, is_hinted=is_hinted, request_id=_request_id(headers))

    def routes_of_model(self, name: str) -> Sequence[CompiledRoute]:
        """The services one of whose models answers to this name, each by the route its calls take."""
        if self._by_model is None:
            self._by_model = {}
            for entry in self._entries.values():
                route = _call_route(entry)
                if route is not None:
                    for model in {entry.service.name, *entry.service.models}:
                        self._by_model.setdefault(model, []).append(route)
        return self._by_model.get(name, ())

    def loads(self) -> Iterator[tuple[Key, Load]]:
        """What every component carries now."""
        return ((key, serving.pool.load) for key, serving in self.servings.items())

    def replicas(self) -> Iterator[Replica]:
        """Every replica that may be sent requests."""
        return (replica for serving in self.servings.values() for replica in serving.pool.replicas)

    def _heard(self, path: str, body: bytes | None) -> None:
        self.on_counts(path, body)

    def close(self) -> None:
        """Hang up on all replicas."""
        for serving in self.servings.values():
            serving.pool.retire()

    def _publish_service(self, identity: tuple[str, str, str], service: Service) -> None:
        entry = self._entries.get(identity)
        if entry is not None and entry.service == service:
            return
        pools = _pools(service)
        self._update_pools(pools)
        if entry is not None and entry.service.routes == service.routes and entry.keys == pools.keys():
            entry.service = service
            return
        routes = [_compile(service, route, self.servings) for route in service.routes]
        if entry is not None:
            _keep_turns(entry.routes, routes)
        self._replace(entry.routes if entry is not None else [], routes)
        self._entries[identity] = _Entry(service, routes, pools.keys())

    def _update_pools(self, pools: dict[Key, routing.Pool]) -> None:
        for key, wanted in pools.items():
            serving = self.servings.get(key)
            if serving is None:
                serving = self.servings[key] = self._new_serving(key)
            if serving.pool.wanted != wanted:
                serving.pool.update(wanted)

    def _new_serving(self, key: Key) -> Serving:
        def poke() -> None:
            self.on_poke(serving)

        pool = Pool(key.path, on_counts=self._heard, on_poke=poke)
        serving = Serving(key, pool, self._meters.meter(key))
        return serving

    def _replace(self, old: list[CompiledRoute], new: list[CompiledRoute]) -> None:
        for route in old:
            self._matcher.remove(route)
        for route in new:
            self._matcher.add(route)


def _direct_route(entry: _Entry) -> CompiledRoute | None:
    """The route of a service for clients that name none."""
    return next((route for route in entry.routes if strip(route.route.path_prefix)), None)


def _call_route(entry: _Entry) -> CompiledRoute | None:
    """The same for gRPC: the one that metadata would choose, with its weights and its timeout."""
    return next((route for route in entry.routes if route.route.metadata), _direct_route(entry))


def _pools(service: Service) -> dict[Key, routing.Pool]:
    """The pools of a service. A component that routes name and the table has no pool for refuses its requests: its
    share must not silently go to the others."""
    pools = {Key(service.kind, service.namespace, service.name, component): pool for component, pool in service.pools}
    for route in service.routes:
        for component in (*(item.component for item in route.targets), *(item.component for item in route.mirrors)):
            key = Key(service.kind, service.namespace, service.name, component)
            refusal = f"{key.path} is routed to and does not exist"
            pools.setdefault(key, routing.Pool(refusal=refusal))
    return pools


def _compile(service: Service, route: Route, servings: dict[Key, Serving]) -> CompiledRoute:
    def live(component: str) -> Serving:
        return servings[Key(service.kind, service.namespace, service.name, component)]

    return CompiledRoute(
        service,
        route,
        tuple(live(target.component) for target in route.targets),
        tuple((live(mirror.component), Sampler(mirror.percent)) for mirror in route.mirrors),
        Splitter([target.weight for target in route.targets]),
    )


def _keep_turns(old: list[CompiledRoute], new: list[CompiledRoute]) -> None:
    """A route that did not change goes on with its turns, or shares would drift with every change beside it."""
    before = {route.route: route for route in old}
    for route in new:
        known = before.get(route.route)
        if known is not None and known.targets == route.targets:
            route.splitter, route.mirrors = known.splitter, known.mirrors


def _forwarded_head(head: Head, path: str, prefix: str) -> bytes:
    return encode_request_head(head.method, path, head.query, forwarded_headers(head.headers, prefix))


def _request_id(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == _REQUEST_ID), b"")


def forwarded_headers(headers: Headers, prefix: str) -> Headers:
    """The headers a worker gets: those about the connection are dropped, and the prefix that was taken off the path
    is told (after what a proxy before us took off), so that pages can write links that work."""
    dropped = (
        _HOP_BY_HOP
        | {token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")}
        - _END_TO_END
    )
    kept = [pair for pair in headers if pair[0] not in dropped and not pair[0].startswith(b"proxy-")]
    if prefix:
        outer = b"".join(value for name, value in kept if name == _FORWARDED_PREFIX).rstrip(b"/")
        kept = [pair for pair in kept if pair[0] != _FORWARDED_PREFIX]
        kept.append((_FORWARDED_PREFIX, outer + prefix.encode("latin-1")))
    return kept
