"""The loop around the rules: hears the gateway, sees the replicas, looks every two seconds, and says how many.

The gateway speaks every second, and its messages are the clock of what scales by requests: each counts for one second,
and after every other one all components are looked at that have something going on. Those that have what they may have
at least, and no load, are not looked at until the gateway tells of them; so a thousand at zero cost nothing. While the
gateway is silent nothing is decided by requests: no news is not the same as no load.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fairlead.backends.local.scaling.hpa import SYNC_S
from fairlead.backends.local.scaling.reading import Reader
from fairlead.backends.local.scaling.rule import Verdict
from fairlead.backends.local.scaling.telling import Told, changes
from fairlead.backends.local.scaling.watching import (
    HorizontalWatch,
    Key,
    KnativeWatch,
    Load,
    Seen,
    bounds_of,
    requested_by,
    terms_of,
)
from fairlead.plan.model import Component
from fairlead.plan.scaling import HorizontalScaling, KnativeScaling

_TICK_S = 2
_SILENCE_S = 3.0
"""The gateway speaks every second; after this long it is silent."""
_NEXT_S = 0.9
"""A message that comes earlier than this after the last regular one, and tells of nothing but pokes, is none."""
_log = logging.getLogger(__name__)

__all__ = ["Key", "Line", "Load", "Scaler", "Seen"]


@dataclass(frozen=True, slots=True)
class Line:
    """What is shown of a component: the last verdict, and the replicas it had then."""

    key: Key
    ready: int
    verdict: Verdict


class Scaler:
    """`scale` gets every number with the reason for it, `tell` what people should hear of. `clock` is in seconds and
    never goes back. Everything but `run` returns at once."""

    def __init__(
        self,
        *,
        scale: Callable[[Key, int, str], None],
        tell: Callable[[Key, Told], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scale, self._tell, self._clock = scale, tell, clock
        self._knative: dict[Key, KnativeWatch] = {}
        self._horizontal: dict[Key, HorizontalWatch] = {}
        self._active: set[Key] = set()
        self._second = self._looked_at = 0
        self._heard_at = self._regular_at = -math.inf
        self._to_measure = asyncio.Event()
        self._reader = Reader()
        self._changed: set[Key] = set()

    # -- what there is

    def follow(self, key: Key, component: Component) -> None:
        """Scale this component from now on, as it says."""
        scaling = component.scale.auto
        match scaling:
            case KnativeScaling():
                self._horizontal.pop(key, None)
                known = self._knative.get(key)
                if known is None:
                    self._knative[key] = KnativeWatch(key, scaling, terms_of(component, scaling))
                else:
                    known.reword(component, scaling)
                self._active.add(key)
            case HorizontalScaling():
                self._knative.pop(key, None)
                self._active.discard(key)
                watch = self._horizontal.get(key)
                if watch is None:
                    bounds, requested = bounds_of(component), requested_by(component)
                    self._horizontal[key] = HorizontalWatch(key, scaling, bounds, requested)
                else:
                    watch.reword(component, scaling)
                self._to_measure.set()
            case None:
                self.forget(key)

    def forget(self, key: Key) -> None:
        """It is gone, or has a fixed number of replicas."""
        if self._knative.pop(key, None) or self._horizontal.pop(key, None):
            self._changed.add(key)
        self._active.discard(key)

    def saw(self, key: Key, seen: Seen) -> None:
        """A component's replicas now."""
        watch = self._watch(key)
        if watch is None or watch.seen == seen:
            return
        if watch.verdict is not None:
            self._changed.add(key)
        if isinstance(watch, KnativeWatch):
            watch.see(seen, now=self._second or math.floor(self._clock()))
            self._active.add(key)
        else:
            watch.see(seen, now=self._clock())

    # -- what the gateway says

    def heard(self, loads: Iterable[Load]) -> None:
        """What the gateway says every second, or cannot wait to say. Components it does not name have no load."""
        now, loads = self._clock(), tuple(loads)
        is_regular = now - self._regular_at >= _NEXT_S or not all(load.is_poke for load in loads) or not loads
        if is_regular:
            self._advance(now)
        self._heard_at = now
        for load in loads:
            self._take(load, now)
        is_due = is_regular and self._second - self._looked_at >= _TICK_S
        poked = {load.key for load in loads if load.is_poke}
        for key in sorted(poked | (self._active if is_due else set())):
            try:
                self._look(key, is_poked=key in poked)
            except Exception:
                # One component with terms that nothing can be made of must not stop the others.
                _log.exception("%s of %s could not be scaled", key[1], key[0])
        if is_due:
            self._looked_at = self._second

    def _advance(self, now: float) -> None:
        """Messages come a second apart, but not exactly; each counts for a second of its own."""
        was_silent = now - self._heard_at > _SILENCE_S
        self._regular_at = now
        following = self._second + 1
        self._second = following if abs(following - now) <= 1 else math.floor(now)
        if was_silent:
            for key in self._active:
                self._knative[key].carry(self._second - 1)

    def _take(self, load: Load, now: float) -> None:
        watch = self._watch(load.key)
        if isinstance(watch, KnativeWatch):
            watch.take(load, self._second)
            self._active.add(load.key)
        elif watch is not None:
            watch.take(load, now=now)

    def _look(self, key: Key, *, is_poked: bool) -> None:
        watch = self._watch(key)
        if isinstance(watch, KnativeWatch):
            self._say(watch, watch.verdict, watch.look(self._second), is_poked=is_poked)
            if watch.is_at_rest(self._second):
                self._active.discard(key)
        elif watch is not None and watch.seen is not None and not watch.seen.desired:
            self._say(watch, watch.verdict, watch.look(now=self._clock()), is_poked=is_poked)

    # -- what is shown

    def news(self) -> tuple[list[Line], list[Key]]:
        """Components that were decided about otherwise than the last time this was asked, and those that are gone."""
        changed, self._changed = self._changed, set()
        return [line for key in sorted(changed) if (line := self._line(key))], [
            key for key in sorted(changed) if self._watch(key) is None
        ]

    def everything(self) -> list[Line]:
        """Every component that was decided about."""
        keys = sorted((*self._knative, *self._horizontal))
        return [line for key in keys if (line := self._line(key))]

    def _watch(self, key: Key) -> KnativeWatch | HorizontalWatch | None:
        return self._knative.get(key) or self._horizontal.get(key)

    def _line(self, key: Key) -> Line | None:
        watch = self._watch(key)
        if watch is None or watch.verdict is None or watch.seen is None:
            return None
        return Line(key, watch.seen.ready, watch.verdict)

    # -- the work

    async def run(self) -> None:
        """Measure what processes use until cancelled. What scales by requests is looked at when the gateway speaks."""
        try:
            while True:
                await self._to_measure.wait()
                await self.measure()
                if not self._horizontal:
                    self._to_measure.clear()
                # Not sooner for anybody's sake: in a short time a start looks like a load.
                await asyncio.sleep(SYNC_S)
        finally:
            await self._reader.close()

    async def measure(self) -> None:
        """Read the metrics of those that scale by them, and decide."""
        watched: Sequence[HorizontalWatch] = list(self._horizontal.values())
        await self._reader.read(watched, now=self._clock())
        for one in watched:
            if self._horizontal.get(one.key) is one:
                self._say(one, one.verdict, one.look(now=self._clock()))

    def _say(
        self,
        watch: KnativeWatch | HorizontalWatch,
        before: Verdict | None,
        verdict: Verdict | None,
        *,
        is_poked: bool = False,
    ) -> None:
        if verdict is None or watch.seen is None:
            return
        if before is None or (before.gauges, before.replicas) != (verdict.gauges, verdict.replicas):
            self._changed.add(watch.key)
        current = before.replicas if before is not None else watch.seen.desired
        for told in changes(watch.key[1], before, verdict, current=current, is_poked=is_poked):
            self._tell(watch.key, told)
        if before is None or verdict.replicas != before.replicas or verdict.condition != before.condition:
            self._scale(watch.key, verdict.replicas, verdict.why)
