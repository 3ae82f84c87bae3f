"""What a request's head means to those who come from one side: clients, or our own services.

Either side sees the routes of the one table that are for it. With a single service to be seen, a client need not say
which it means; but one that says another's host means the other, whether that is here or not. Answers are good for as
long as the table's epoch lasts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from fairlead.backends.local.gateway.matching import host_name, rewritten, strip
from fairlead.backends.local.gateway.switchboard import CompiledRoute, Entry, Epoch, Switchboard
from fairlead.plan.routing import Service
from fairlead.protocols.exchange import Head, Headers
from fairlead.protocols.frames import encode_request_head
from fairlead.protocols.grpc import parse_timeout
from fairlead.protocols.streaming import is_grpc

# Where a client that talks to a service directly sends its requests, by protocol; with one service there is no
# doubt whom it means. KServe's servers answer both of their protocols, and OpenAI's.
_KSERVE_PATHS = ("/v1/", "/v2/", "/openai/")
_DIRECT_PATHS = {"seldon": ("/api/",), "tensorflow": ("/v1/",), "v1": _KSERVE_PATHS, "v2": _KSERVE_PATHS}

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
    passed: object = None
    passes_until: float = 0.0
    """Where the service asks who comes: that this head may pass, and for how long (`doors`)."""


class View:
    """The table in force as one side sees it."""

    def __init__(self, switchboard: Switchboard, *, is_inside: bool = False) -> None:
        self._switchboard = switchboard
        self._is_inside = is_inside
        self._epoch = switchboard.epoch
        self._sole: CompiledRoute | None = None
        self._sole_call: CompiledRoute | None = None
        self._by_model: dict[str, list[CompiledRoute]] | None = None
        self._folders: frozenset[str] | None = None
        self._calls: dict[tuple[object, ...], Forward] = {}
        self._look_again()

    @property
    def epoch(self) -> Epoch:
        """What is found now is good for as long as this is."""
        return self._switchboard.epoch

    @property
    def services(self) -> list[Service]:
        """Those that can be reached from this side, and those that nobody can, so that it can be said why."""
        return [entry.service for entry in self._entries()]

    def find(self, head: Head) -> Forward | None:
        """Where a request goes, or `None` when no route takes it. For a gRPC call there is always something to do."""
        if self._epoch is not self._switchboard.epoch:
            self._look_again()
        if is_grpc(head):
            return self._find_call(head)
        route = self._match(head.path, head.headers)
        if route is not None:
            path = rewritten(head.path, route.route.path_prefix, route.route.rewrite)
            return self._forward(head, route, path, strip(route.route.path_prefix))
        sole = self._sole
        if sole is None or not f"{head.path}/".startswith(_DIRECT_PATHS.get(sole.protocol, ("\0",))):
            return None
        if _names_another(sole.service, head.headers):
            return None
        return self._forward(head, self._route_of(sole, head), head.path, "")

    def is_for_host(self, head: Head) -> bool:
        """Whether a route takes it for the sake of its host."""
        route = self._match(head.path, head.headers)
        return route is not None and route.route.host not in ("", "*")

    def routes_of_model(self, name: str) -> Sequence[CompiledRoute]:
        """The services one of whose models answers to this name, each by the route its calls take."""
        if self._epoch is not self._switchboard.epoch:
            self._look_again()
        if self._by_model is None:
            self._by_model = {}
            for entry in self._entries():
                route = self._call_route(entry)
                if route is not None:
                    for model in {entry.service.name, *entry.service.models}:
                        self._by_model.setdefault(model, []).append(route)
        return self._by_model.get(name, ())

    def is_folder(self, path: str) -> bool:
        """Whether a service has its page at this path and a slash: what the page links to, it says from there."""
        if self._epoch is not self._switchboard.epoch:
            self._look_again()
        if self._folders is None:
            self._folders = frozenset(
                service.docs_path
                for service in self.services
                if any(route.path_prefix == service.docs_path for route in service.routes)
            )
        return f"{path}/" in self._folders

    def path_of(self, service: Service) -> str:
        """The path a client uses: the first prefix of the service that is more than the root."""
        prefixes = (route.path_prefix for route in service.routes if self._is_inside or not route.is_internal)
        return next((prefix for prefix in prefixes if prefix.strip("/")), "")

    def host_of(self, service: Service) -> str:
        """The host a client uses: the first that the service has, empty when any will do."""
        hosts = (route.host for route in service.routes if self._is_inside or not route.is_internal)
        return next((host for host in hosts if host not in ("", "*")), "")

    def _look_again(self) -> None:
        self._epoch = self._switchboard.epoch
        two = list(islice(self._entries(), 2))
        self._sole = self._direct_route(two[0]) if len(two) == 1 else None
        self._sole_call = self._call_route(two[0]) if len(two) == 1 else None
        self._by_model = None
        self._folders = None
        self._calls = {}

    def _entries(self) -> Iterator[Entry]:
        for entry in self._switchboard.entries:
            if self._is_inside or not entry.routes or any(not route.route.is_internal for route in entry.routes):
                yield entry

    def _match(self, path: str, headers: Headers) -> CompiledRoute | None:
        return self._switchboard.match(path, headers, is_inside=self._is_inside)

    def _forward(self, head: Head, route: CompiledRoute, path: str, prefix: str) -> Forward:
        forwarded = encode_request_head(head.method, path, head.query, forwarded_headers(head.headers, prefix))
        return Forward(self.epoch, route, forwarded, request_id=_request_id(head.headers))

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
        route = self._match(head.path, headers)
        is_hinted = route is not None
        sole = self._sole_call
        if route is None and sole is not None and not _names_another(sole.service, headers):
            route = sole
        # The route of the only service may be one of another path.
        path = rewritten(head.path, route.route.path_prefix, route.route.rewrite) if route and is_hinted else head.path
        forwarded = encode_request_head(head.method, path, head.query, forwarded_headers(headers, ""))
        return Forward(self.epoch, route, forwarded, is_grpc=True, is_hinted=is_hinted, request_id=_request_id(headers))

    def _direct_route(self, entry: Entry) -> CompiledRoute | None:
        """The route of a service for clients that name none: by a path of its own, or else by a host."""
        plain = [
            route
            for route in entry.routes
            if (self._is_inside or not route.route.is_internal)
            and not (route.route.path_pattern or route.route.metadata)
        ]
        by_path = next((route for route in plain if strip(route.route.path_prefix)), None)
        return by_path or next((route for route in plain if route.route.host not in ("", "*")), None)

    def _route_of(self, direct: CompiledRoute, head: Head) -> CompiledRoute:
        """The route that a request would take which names the service as `direct` does: another one, perhaps, of those
        that ask for more."""
        host = direct.route.host
        headers = [(b"host", host.encode()), *head.headers] if host not in ("", "*") else head.headers
        found = self._match(strip(direct.route.path_prefix) + head.path, headers)
        return found if found is not None and found.service is direct.service else direct

    def _call_route(self, entry: Entry) -> CompiledRoute | None:
        """The same for gRPC: the one that metadata would choose, with its weights and its timeout."""
        by_metadata = (route for route in entry.routes if route.route.metadata)
        visible = (route for route in by_metadata if self._is_inside or not route.route.is_internal)
        return next(visible, None) or self._direct_route(entry)


def _names_another(service: Service, headers: Headers) -> bool:
    """Whether a request's host is a name like those of this service: with as many labels, and in the same domain but
    for its own name and its namespace."""
    host = host_name(next((value for name, value in headers if name == b"host"), b"")).split(".")
    domain = host[min(2, len(host) - 1) :]
    known = {route.host.lower().removesuffix(".") for route in service.routes} - {"", "*"}
    if len(host) < 2 or ".".join(host) in known:
        return False
    return any(len(own) == len(host) and own[-len(domain) :] == domain for own in (one.split(".") for one in known))


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
