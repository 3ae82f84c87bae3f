"""From a request's head to the route that takes it: pure, and as fast for thousands of services as for one.

The longest path prefix wins, on whole segments. Among routes of one prefix, those that ask for a host come first,
then those that have a pattern for the rest of the path, then those that ask for more headers, then the order of the
table. A route's gRPC metadata are headers here, since gRPC sends them as such; a route that asks for some takes gRPC
calls alone. Routes that are internal are there for those who come from inside, and for nobody else.
"""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from fairlead.plan.model import HeaderMatch, Route
from fairlead.protocols.exchange import Headers
from fairlead.protocols.grpc import is_grpc

log = logging.getLogger(__name__)


class Routed(Protocol):
    """What a table finds: anything made from a route."""

    @property
    def route(self) -> Route: ...


R = TypeVar("R", bound=Routed)
_Test = Callable[[bytes], bool]
_NOTHING: dict[bytes, bytes] = {}
_PATTERN_RANK = 1 << 16
"""More than any number of headers."""
_HERE = ".localhost"
"""Names below it are this machine to clients that have no other way to give a host (gRPC)."""


class _Asked(NamedTuple):
    """What a request says of itself. `rest` is its path after the prefix that is being looked at."""

    rest: str
    headers: dict[bytes, bytes]
    is_inside: bool


def strip(prefix: str) -> str:
    """A prefix as it is compared: without the slash at its end, so that the root is empty."""
    return prefix.rstrip("/")


def rewritten(path: str, prefix: str, rewrite: str) -> str:
    """The path with `rewrite` in place of the prefix."""
    return (strip(rewrite) + path[len(strip(prefix)) :]) or "/"


class _Rule(Generic[R]):
    """One route with its conditions: on headers, exact ones and tests, and on the path. Of two that match, the one with
    the higher rank asks for more."""

    __slots__ = ("exact", "is_internal", "item", "pattern", "rank", "tests")

    def __init__(self, item: R) -> None:
        route = item.route
        self.item = item
        wanted = [*route.metadata, *((match.name, match.value) for match in route.headers if not match.is_regex)]
        self.exact: dict[bytes, bytes] = {
            name.lower().encode(): value.encode("utf-8", "surrogateescape") for name, value in wanted
        } or _NOTHING
        tests = [(match.name.lower().encode(), _regex(match)) for match in route.headers if match.is_regex]
        self.tests = (*tests, (b"content-type", is_grpc)) if route.metadata else tuple(tests)
        self.pattern = _compiled("path", route.path_pattern) if route.path_pattern else None
        self.is_internal = route.is_internal
        self.rank = len(self.exact) + len(self.tests) + (_PATTERN_RANK if self.pattern else 0)

    def matches(self, asked: _Asked) -> bool:
        if self.is_internal and not asked.is_inside:
            return False
        headers = asked.headers
        if any(headers.get(name) != value for name, value in self.exact.items()):
            return False
        if self.pattern is not None and self.pattern.fullmatch(asked.rest) is None:
            return False
        return all(name in headers and test(headers[name]) for name, test in self.tests)


def _compiled(what: str, expression: str) -> re.Pattern[str]:
    """An expression, or one that matches nothing in place of what is none."""
    try:
        return re.compile(expression, re.ASCII)
    except re.error as error:
        log.warning("%s: %r is no regular expression (%s); the route matches nothing", what, expression, error)
        return re.compile(r"(?!)")


def _regex(match: HeaderMatch) -> _Test:
    pattern = _compiled(f"header {match.name}", match.value)
    return lambda value: pattern.fullmatch(value.decode("utf-8", "surrogateescape")) is not None


class _Choices(Generic[R]):
    """The rules of one prefix and host. Those that ask for an exact header are found by its value, not by trying."""

    __slots__ = ("_keyed", "_others")

    def __init__(self) -> None:
        # Most hosts are asked for by one route alone, and there are thousands: 0.5 KiB less for each InferenceService.
        self._keyed: dict[bytes, dict[bytes, list[_Rule[R]]]] | None = None
        self._others: list[_Rule[R]] = []

    def add(self, rule: _Rule[R]) -> None:
        if rule.exact:
            name, value = next(iter(rule.exact.items()))
            if self._keyed is None:
                self._keyed = {}
            self._keyed.setdefault(name, {}).setdefault(value, []).append(rule)
        else:
            self._others.append(rule)

    def remove(self, rule: _Rule[R]) -> None:
        if not rule.exact or self._keyed is None:
            self._others.remove(rule)
            return
        name, value = next(iter(rule.exact.items()))
        rules = self._keyed[name][value]
        rules.remove(rule)
        if not rules:
            del self._keyed[name][value]

    @property
    def is_empty(self) -> bool:
        return not self._others and not (self._keyed and any(self._keyed.values()))

    def find(self, asked: _Asked) -> R | None:
        found: _Rule[R] | None = None
        for name, by_value in self._keyed.items() if self._keyed else ():
            for rule in by_value.get(asked.headers.get(name, b""), ()):
                if (found is None or rule.rank > found.rank) and rule.matches(asked):
                    found = rule
        for rule in self._others:
            if (found is None or rule.rank > found.rank) and rule.matches(asked):
                found = rule
        return found.item if found is not None else None


class _Hosts(Generic[R]):
    """The rules of one prefix by the host they ask for."""

    __slots__ = ("_any", "_exact", "_suffixes")

    def __init__(self) -> None:
        self._exact: dict[str, _Choices[R]] = {}
        self._suffixes: dict[str, _Choices[R]] = {}
        self._any: _Choices[R] = _Choices()

    def add(self, rule: _Rule[R]) -> None:
        host = _host_of(rule.item.route)
        if host in ("", "*"):
            self._any.add(rule)
        elif host.startswith("*."):
            self._suffixes.setdefault(host[1:], _Choices()).add(rule)
        else:
            self._exact.setdefault(host, _Choices()).add(rule)

    def remove(self, rule: _Rule[R]) -> None:
        host = _host_of(rule.item.route)
        if host in ("", "*"):
            self._any.remove(rule)
        elif host.startswith("*."):
            _remove(self._suffixes, host[1:], rule)
        else:
            _remove(self._exact, host, rule)

    @property
    def is_empty(self) -> bool:
        return self._any.is_empty and not self._exact and not self._suffixes

    def find(self, host: str, asked: _Asked) -> R | None:
        if (exact := self._exact.get(host)) is not None and (item := exact.find(asked)) is not None:
            return item
        for suffix in sorted((s for s in self._suffixes if host.endswith(s)), key=len, reverse=True):
            if (item := self._suffixes[suffix].find(asked)) is not None:
                return item
        if host.endswith(_HERE) and (here := self._exact.get(host.removesuffix(_HERE))) is not None:
            item = here.find(asked)
            if item is not None:
                return item
        return self._any.find(asked)


def _host_of(route: Route) -> str:
    return route.host.lower().removesuffix(".")


def _remove(by_host: dict[str, _Choices[R]], host: str, rule: _Rule[R]) -> None:
    by_host[host].remove(rule)
    if by_host[host].is_empty:
        del by_host[host]


class Matcher(Generic[R]):
    """Routes, compiled. They come and go one by one, so that a change costs what changed."""

    def __init__(self) -> None:
        self._prefixes: dict[str, _Hosts[R]] = {}
        self._rules: dict[int, _Rule[R]] = {}
        self._depth = 0

    def add(self, item: R) -> None:
        """Match this one from now on."""
        prefix = strip(item.route.path_prefix)
        self._depth = max(self._depth, prefix.count("/"))
        rule = self._rules[id(item)] = _Rule(item)
        self._prefixes.setdefault(prefix, _Hosts()).add(rule)

    def remove(self, item: R) -> None:
        """Match this one, which was added, no more."""
        prefix = strip(item.route.path_prefix)
        self._prefixes[prefix].remove(self._rules.pop(id(item)))
        if self._prefixes[prefix].is_empty:
            del self._prefixes[prefix]

    def find(self, path: str, headers: Headers, *, is_inside: bool = False) -> R | None:
        """The route for a request with this path and these headers."""
        by_name = dict(reversed(headers))  # The first of a repeated header counts.
        host = host_name(by_name.get(b"host", b""))
        for prefix in _prefixes(path, self._depth):
            hosts = self._prefixes.get(prefix)
            if hosts is None:
                continue
            item = hosts.find(host, _Asked(path[len(prefix) :], by_name, is_inside))
            if item is not None:
                return item
        return None


def host_name(host: bytes) -> str:
    """A Host header without its port and the dot that a full name may end with, in lower case."""
    text = host.decode("latin-1").lower()
    name, colon, port = text.rpartition(":")
    return (name if colon and port.isdigit() else text).removesuffix(".")


def _prefixes(path: str, depth: int) -> Sequence[str]:
    """The prefixes of a path on segment boundaries, longest first, down to the root (empty)."""
    cuts: list[str] = []
    end = 0
    for _ in range(depth):
        end = path.find("/", end + 1)
        if end < 0:
            cuts.append(path)
            break
        cuts.append(path[:end])
    return [*reversed(cuts), ""]
