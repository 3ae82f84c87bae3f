"""Lists, to be sure: what the watches cannot say is what went while nobody watched.

At the start everything is listed before anything is done about it. After that a kind is listed again when its watch
had to begin anew, and now and then. That costs a few calls for each kind and nothing for each object.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.cache import Cache, Change
from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, SECRET, ResourceType, TypeKey
from fairlead.errors import Forbidden, NotFound

_log = logging.getLogger(__name__)

_FIELDS: Mapping[TypeKey, str] = {SECRET.key: "type!=helm.sh/release.v1"}
"""Releases of Helm are megabytes that nobody here reads."""


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """`namespaces` are all when empty; `shared` are those whose ConfigMaps are for everybody. `hear` is told what is
    news."""

    api: Api
    cache: Cache
    hear: Callable[[Change], None]
    namespaces: Sequence[str] = ()
    shared: frozenset[str] = frozenset()
    forbidden: set[TypeKey] = field(default_factory=set)

    async def sweep(self, kind: ResourceType) -> None:
        """List a kind and put right what is known of it. One that we may not list is left out, and said once."""
        try:
            for namespace in self._places(kind):
                docs, version = await self.api.list(kind, namespace or "", fields=_FIELDS.get(kind.key, ""))
                self._take(kind, docs, namespace, version)
            self.forbidden.discard(kind.key)
        except NotFound:
            self.cache.clear(kind.key)
        except Forbidden as refusal:
            if kind.key not in self.forbidden:
                _log.warning("%s are not looked at: %s", kind.plural, refusal)
            self.forbidden.add(kind.key)

    async def sweep_shared(self) -> None:
        """List the ConfigMaps that are for everybody, where our namespaces do not hold them."""
        for namespace in sorted(self.shared.difference(self.namespaces)) if self.namespaces else ():
            try:
                docs, version = await self.api.list(CONFIG_MAP, namespace)
            except (Forbidden, NotFound):
                continue
            self._take(CONFIG_MAP, docs, namespace, version)

    def _take(self, kind: ResourceType, docs: Iterable[dict[str, object]], namespace: str | None, version: str) -> None:
        for change in self.cache.replace(kind.key, docs, namespace=namespace, version=version):
            self.hear(change)

    def _places(self, kind: ResourceType) -> Sequence[str | None]:
        return self.namespaces if self.namespaces and kind.is_namespaced else (None,)


@dataclass(slots=True)
class Agenda:
    """When each kind is to be listed again; times are monotonic seconds. A watch that begins anew shows itself by
    a list. `soon_s` after the first one the kind is listed, so that what went before the watch began is found; those
    that follow may be pages of the same list, or other namespaces', and wait `rest_s`."""

    every_s: float
    soon_s: float
    rest_s: float = 60.0
    _due: dict[TypeKey, float] = field(default_factory=dict)
    _swept: dict[TypeKey, float] = field(default_factory=dict)
    _listed: set[TypeKey] = field(default_factory=set)

    def begun(self, kinds: Iterable[TypeKey], now: float) -> None:
        """The watches of these begin: the list that comes is the first of its kind again."""
        self._listed.clear()
        for kind in kinds:
            self._plan(kind, now + self.rest_s)

    def listed(self, kind: TypeKey, now: float) -> None:
        """A list has come, or a page of one."""
        if kind not in self._listed:
            self._listed.add(kind)
            self._plan(kind, now + self.soon_s)
        elif kind not in self._due:
            self._plan(kind, max(now + self.soon_s, self._swept.get(kind, now) + self.rest_s))

    def swept(self, kind: TypeKey, now: float) -> None:
        """It is being listed."""
        self._due.pop(kind, None)
        self._swept[kind] = now

    def due(self, kinds: Iterable[TypeKey], now: float) -> list[TypeKey]:
        """Those whose time has come."""
        return [
            kind
            for kind in kinds
            if min(self._due.get(kind, now + 1), self._swept.setdefault(kind, now) + self.every_s) <= now
        ]

    def wait_s(self, now: float) -> float:
        """Until the next may be due."""
        return max(
            0.0, min([*self._due.values(), *(at + self.every_s for at in self._swept.values())], default=now) - now
        )

    def _plan(self, kind: TypeKey, at: float) -> None:
        self._due[kind] = min(at, self._due.get(kind, at))
