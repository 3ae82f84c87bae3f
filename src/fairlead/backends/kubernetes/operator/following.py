"""Keeping up with the cluster: what it serves, what is in it, and every change of that.

First everything is listed, then it is watched; what the watches cannot tell is listed again. It runs alike in the
leader and in those that stand by, so that taking over costs nothing.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from lightkube.config.kubeconfig import SingleConfig

from fairlead.backends.kubernetes.operator.cache import Cache
from fairlead.backends.kubernetes.operator.discovery import Served
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.queueing import Patience
from fairlead.backends.kubernetes.operator.resources import DEFINITION, NAMESPACE, ObjectKey, ResourceType, TypeKey
from fairlead.backends.kubernetes.operator.sweeping import Agenda, Sweeper
from fairlead.backends.kubernetes.operator.triggering import Triggers
from fairlead.backends.kubernetes.operator.watching import Watches
from fairlead.errors import FairleadError

_log = logging.getLogger(__name__)

Json = dict[str, Any]
_SHARED_S = 60.0


@dataclass(slots=True, kw_only=True)
class Following:
    """`discover` puts what the cluster serves into `served`. No `namespaces` means all. Kinds are listed every
    `every_s`; `settle_s` is how long to wait for more of what makes everything of a sort be asked for, `pause_s` before
    a watch that broke is tried again."""

    config: SingleConfig
    cache: Cache
    served: Served
    sweeper: Sweeper
    triggers: Triggers
    meter: Meter
    discover: Callable[[], Awaitable[None]]
    namespaces: Sequence[str]
    patience: Patience
    every_s: float
    settle_s: float
    pause_s: float
    watches: Watches = field(init=False)
    _agenda: Agenda = field(init=False)
    _wants_sweep: asyncio.Event = field(default_factory=asyncio.Event)
    _wants_discovery: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._agenda = Agenda(self.every_s, self.settle_s)
        self.watches = Watches(self.config, self.namespaces, self._heard, self._relisted, self._rewatched, self.pause_s)

    async def begin(self) -> None:
        """Learn all there is, however long that takes, and watch from then on."""
        await self.insist("learning what the cluster serves", self.discover)
        for kind in self.kinds():
            await self.insist(f"listing {kind.plural}", partial(self.sweeper.sweep, kind))
        await self.insist("listing ConfigMaps", self.sweeper.sweep_shared)
        self._watch()
        _log.info("%d objects of %d kinds are known", self.cache.count(), len(self.kinds()))

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run for it to keep up."""
        return [self._sweep_on(), self._sweep_shared_on(), self._discover_on()]

    async def end(self) -> None:
        """Follow nothing any more."""
        await self.watches.stop()

    async def insist(self, what: str, do: Callable[[], Awaitable[None]]) -> None:
        """Do this, however long the API server is away."""
        failures = 0
        while True:
            try:
                return await do()
            except FairleadError as error:
                failures += 1
                patience = replace(self.patience, longest_s=15.0)
                delay_s = patience.delay_s(failures, random.random())  # noqa: S311 - spreads load
                _log.warning("%s: %s; trying again", what, error)
                await asyncio.sleep(delay_s)

    def kinds(self) -> list[ResourceType]:
        """What is followed: definitions and namespaces by an operator for the whole cluster alone."""
        is_for_all = not self.namespaces
        return [
            kind for key, kind in self.served.types.items() if is_for_all or key not in (NAMESPACE.key, DEFINITION.key)
        ]

    def _watch(self) -> None:
        kinds = [kind for kind in self.kinds() if kind.key not in self.sweeper.forbidden]
        self._agenda.begun((kind.key for kind in kinds), time.monotonic())
        self.watches.start(kinds)

    def _rewatched(self) -> None:
        self.meter.restarts.inc()
        self._agenda.begun((kind.key for kind in self.kinds()), time.monotonic())

    def _relisted(self, kind: TypeKey) -> None:
        if kind != DEFINITION.key:
            # Whatever went since the last list is not in it.
            self._agenda.listed(kind, time.monotonic())
            self._wants_sweep.set()

    def _heard(self, kind: TypeKey, type_: str, doc: Json) -> None:
        if kind == DEFINITION.key:
            if type_:
                self._wants_discovery.set()
            return
        metadata = doc["metadata"]
        if type_ == "DELETED":
            key = ObjectKey(kind.group, kind.kind, metadata.get("namespace") or "", metadata["name"])
            change = self.cache.drop(key, str(metadata.get("uid", "")))
        else:
            change = self.cache.take(kind, doc)
        if change is not None:
            self.triggers.hear(change)

    async def _sweep_on(self) -> None:
        while True:
            self._wants_sweep.clear()
            now, forbidden = time.monotonic(), set(self.sweeper.forbidden)
            for key in self._agenda.due([kind.key for kind in self.kinds()], now):
                kind = self.served.get(key)
                self._agenda.swept(key, now)
                if kind is not None:
                    with self._calmly(f"listing {kind.plural}"):
                        await self.sweeper.sweep(kind)
            if forbidden - self.sweeper.forbidden:
                # What may be listed now may be watched too.
                await self.watches.stop()
                self._watch()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, self._agenda.wait_s(time.monotonic()))):
                    await self._wants_sweep.wait()

    async def _sweep_shared_on(self) -> None:
        while self.namespaces:
            await asyncio.sleep(_SHARED_S)
            with self._calmly("listing ConfigMaps"):
                await self.sweeper.sweep_shared()

    async def _discover_on(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.every_s):
                    await self._wants_discovery.wait()
            await asyncio.sleep(self.settle_s)
            self._wants_discovery.clear()
            before = dict(self.served.types)
            with self._calmly("learning what the cluster serves"):
                await self.discover()
                if self.served.types != before:
                    await self._follow_anew(before)

    async def _follow_anew(self, before: Mapping[TypeKey, ResourceType]) -> None:
        now = self.served.types
        _log.info(
            "the cluster serves other kinds now: %s",
            ", ".join(
                [
                    *(f"+{key.kind}" for key in now if key not in before),
                    *(f"-{key.kind}" for key in before if key not in now),
                ]
            ),
        )
        for key in before:
            if key not in now:
                self.cache.clear(key)
        await self.watches.stop()
        for kind in self.kinds():
            if kind.key not in before:
                await self.insist(f"listing {kind.plural}", partial(self.sweeper.sweep, kind))
        self._watch()
        self.triggers.everything()

    @contextlib.contextmanager
    def _calmly(self, what: str) -> Iterator[None]:
        try:
            yield
        except FairleadError as error:
            _log.warning("%s: %s", what, error)
        except Exception:
            # An object that nobody foresaw; the others are to be followed on.
            _log.exception("%s: internal error", what)
