"""The table that is in force: matcher, pools and meters, and how one table follows another.

What two tables share lives on: pools with their connections and waiting requests, the turns of a split, counters.
"""

from collections.abc import Callable, Iterable, Iterator, KeysView
from dataclasses import dataclass, field

from fairlead.backends.local.gateway.link import Dial, Replica, dial_worker
from fairlead.backends.local.gateway.matching import Matcher
from fairlead.backends.local.gateway.metering import Key, Load, Meter, Meters
from fairlead.backends.local.gateway.pool import Pool
from fairlead.backends.local.gateway.splitting import Sampler, Splitter
from fairlead.plan import routing
from fairlead.plan.access import AccessMode
from fairlead.plan.model import Mirror, Route, Target
from fairlead.plan.routing import RouteTable, Service, difference
from fairlead.protocols.exchange import Headers


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
    is_guarded: bool = field(init=False)
    """Whether the service asks who comes."""

    def __post_init__(self) -> None:
        self.is_guarded = self.service.access.mode is not AccessMode.NONE

    @property
    def protocol(self) -> str:
        """How the service words its errors."""
        return self.targets[0].pool.wanted.protocol if self.targets else "seldon"


class Epoch:
    """The time between two changes of the table. What was worked out in one is worth nothing in the next."""


@dataclass(slots=True, eq=False)
class Entry:
    """One service as it is compiled."""

    service: Service
    routes: list[CompiledRoute]
    keys: KeysView[Key]


class Switchboard:
    """The table in force. `publish` puts the next one in force at once, at the cost of what differs."""

    def __init__(self, meters: Meters, dial: Dial = dial_worker) -> None:
        self._dial = dial
        self.table = RouteTable()
        self.epoch = Epoch()
        self.servings: dict[Key, Serving] = {}
        self._meters = meters
        self.on_counts: Callable[[str, bytes | None], None] = lambda path, body: None  # noqa: ARG005
        """Gets what a replica counted, when it leaves."""
        self.on_poke: Callable[[Serving], None] = lambda serving: None  # noqa: ARG005
        """Told of a component where a request begins to wait and no replica can be reached."""
        self._entries: dict[tuple[str, str, str], Entry] = {}
        self._matcher: Matcher[CompiledRoute] = Matcher()
        self.on_table: Callable[[RouteTable], None] = lambda _: None
        """Told of every table that is put in force."""

    def publish(self, table: RouteTable) -> None:
        """Serve what this table says. Requests that are under way stay where they are."""
        changed, gone = difference(self.table, table)
        unused: dict[Key, None] = {}
        for service in gone:
            entry = self._entries.pop(service.identity)
            unused |= dict.fromkeys(entry.keys)
            self._replace(entry.routes, [])
        for service in changed:
            known = self._entries.get(service.identity)
            unused |= dict.fromkeys(known.keys) if known is not None else {}
            self._publish_service(service.identity, service)
            for key in self._entries[service.identity].keys:
                unused.pop(key, None)
        for key in unused:
            self.servings.pop(key).pool.retire()
        self._meters.forget(unused)
        self.table = table
        self.epoch = Epoch()
        self.on_table(table)

    @property
    def entries(self) -> Iterable[Entry]:
        """Every service."""
        return self._entries.values()

    def match(self, path: str, headers: Headers, *, is_inside: bool) -> CompiledRoute | None:
        """The route that takes a request."""
        return self._matcher.find(path, headers, is_inside=is_inside)

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
        pools = _pools(service)
        for key in pools:
            if key not in self.servings:
                self.servings[key] = self._new_serving(key)
        if entry is not None and _is_led_alike(entry.service, service) and entry.keys == pools.keys():
            self._update_pools(pools)
            entry.service = service
            return
        routes = _compile(service, self.servings)
        if entry is not None:
            _keep_turns(entry.routes, routes)
        before = entry.routes if entry is not None else []
        self._replace(before, routes)
        self._entries[identity] = Entry(service, routes, pools.keys())
        self._update_pools({key: pools[key] for key in _keys_reached(routes)})
        # Before the others learn that they are to refuse what waits for them.
        for key, heir in _heirs(before, routes).items():
            self.servings[key].pool.hand_over(heir.pool)
        self._update_pools(pools)

    def _update_pools(self, pools: dict[Key, routing.Pool]) -> None:
        for key, wanted in pools.items():
            pool = self.servings[key].pool
            if pool.wanted != wanted:
                pool.update(wanted)

    def _new_serving(self, key: Key) -> Serving:
        def poke() -> None:
            self.on_poke(serving)

        pool = Pool(key.path, on_counts=self._heard, on_poke=poke, dial=self._dial)
        serving = Serving(key, pool, self._meters.meter(key))
        return serving

    def _replace(self, old: list[CompiledRoute], new: list[CompiledRoute]) -> None:
        for route in old:
            self._matcher.remove(route)
        for route in new:
            self._matcher.add(route)


def _is_led_alike(one: Service, other: Service) -> bool:
    """Whether requests find their way to both alike."""
    return one.routes == other.routes and one.access == other.access


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


def _compile(service: Service, servings: dict[Key, Serving]) -> list[CompiledRoute]:
    """Its routes with what they lead to. Routes that split in the same way take their turns together: a service has
    many names, and its shares are those of all of them."""

    def live(component: str) -> Serving:
        return servings[Key(service.kind, service.namespace, service.name, component)]

    alike: dict[tuple[tuple[Target, ...], tuple[Mirror, ...]], CompiledRoute] = {}
    routes = []
    for route in service.routes:
        like = alike.get((route.targets, route.mirrors))
        if like is None:
            targets = tuple(live(target.component) for target in route.targets)
            mirrors = tuple((live(mirror.component), Sampler(mirror.percent)) for mirror in route.mirrors)
            splitter = Splitter([target.weight for target in route.targets])
            like = CompiledRoute(service, route, targets, mirrors, splitter)
            alike[(route.targets, route.mirrors)] = like
        routes.append(CompiledRoute(service, route, like.targets, like.mirrors, like.splitter))
    return routes


def _heirs(old: list[CompiledRoute], new: list[CompiledRoute]) -> dict[Key, Serving]:
    """Who takes the requests that wait for components which no route leads to any more, by the routes that did."""
    now = {_match_of(route.route): route for route in new}
    reached = _keys_reached(new)
    heirs: dict[Key, Serving] = {}
    for route in old:
        successor = now.get(_match_of(route.route))
        heir = next(_reached(successor), None) if successor is not None else None
        if heir is not None:
            heirs |= {serving.key: heir for serving in route.targets if serving.key not in reached}
    return heirs


def _keys_reached(routes: Iterable[CompiledRoute]) -> set[Key]:
    return {serving.key for route in routes for serving in _reached(route)}


def _reached(route: CompiledRoute) -> Iterator[Serving]:
    """The components that get requests from it."""
    shares = zip(route.targets, route.route.targets, strict=True)
    return (serving for serving, target in shares if target.weight > 0)


def _match_of(route: Route) -> tuple[object, ...]:
    """What a request must be like, whatever becomes of it."""
    return route.host, route.path_prefix, route.path_pattern, route.headers, route.metadata, route.is_internal


def _keep_turns(old: list[CompiledRoute], new: list[CompiledRoute]) -> None:
    """A route that did not change goes on with its turns, or shares would drift with every change beside it."""
    before = {route.route: route for route in old}
    for route in new:
        known = before.get(route.route)
        if known is not None and known.targets == route.targets:
            route.splitter, route.mirrors = known.splitter, known.mirrors
