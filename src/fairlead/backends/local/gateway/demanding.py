"""Tells those who scale what is asked of each component: every second, and at once when somebody waits in vain.

Averages are over the time since the last report and exact: they come from the sums that requests keep as they come and
go. While nobody listens, nothing is worked out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from fairlead.backends.local.gateway.messages import ComponentDemand, Demand
from fairlead.backends.local.gateway.metering import Key, Meter
from fairlead.backends.local.gateway.switchboard import Serving

PERIOD_S = 1.0
_LEAST_S = 0.001

Listener = Callable[[Demand], None]


class Timer(Protocol):
    """Something that will be called."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What is needed of an event loop."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...
    def call_soon(self, callback: Callable[[], object], /) -> object: ...


@dataclass(slots=True)
class _Told:
    """What is known of a component since its last report. `poked` requests were told of ahead of the next one;
    `is_busy`: it was not idle then."""

    meter: Meter
    arrived: int = 0
    presence_s: float = 0.0
    poked: int = 0
    is_busy: bool = False


class Demands:
    """Reports what `servings` carry to whoever listens, by the loop's clock."""

    def __init__(self, servings: Mapping[Key, Serving], loop: Clock, *, period_s: float = PERIOD_S) -> None:
        self._servings = servings
        self._loop = loop
        self._period_s = period_s
        self._listeners: set[Listener] = set()
        self._told: dict[Key, _Told] = {}
        self._reported_at = self._due_at = 0.0
        self._timer: Timer | None = None
        self._poking: dict[Key, Serving] = {}

    def listen(self, listener: Listener) -> None:
        """Tell this one from now on, and first who waits in vain."""
        if self._timer is None:
            self._begin()
        self._listeners.add(listener)
        listener(self._pokes([one for one in self._servings.values() if one.pool.waits_in_vain], is_repeated=True))

    def leave(self, listener: Listener) -> None:
        """Tell this one no more."""
        self._listeners.discard(listener)
        if not self._listeners:
            self.close()

    def poke(self, serving: Serving) -> None:
        """Somebody begins to wait where no replica can be reached. Those who do so in one turn of the loop are told of
        together."""
        if not self._listeners:
            return
        if not self._poking:
            self._loop.call_soon(self._tell_pokes)
        self._poking[serving.key] = serving

    def close(self) -> None:
        """Tell nobody anything."""
        self._listeners.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        """What came before is nobody's; those who are still here count from now on."""
        now = self._loop.time()
        self._told = {key: _noted(serving.meter, now) for key, serving in self._servings.items()}
        self._reported_at, self._due_at = now, now + self._period_s
        self._timer = self._loop.call_at(self._due_at, self._report)

    def _tell_pokes(self) -> None:
        waiting = [serving for serving in self._poking.values() if serving.pool.waits_in_vain]
        self._poking.clear()
        if waiting:
            self._tell(self._pokes(waiting))

    def _pokes(self, servings: list[Serving], *, is_repeated: bool = False) -> Demand:
        """`is_repeated`: for one who was not told of those that were told of already."""
        pokes = []
        for serving in servings:
            told, waiting = self._known(serving), serving.pool.load.waiting
            news = waiting if is_repeated else max(0, waiting - told.poked)
            told.poked = max(told.poked, waiting)
            pokes.append(_demand(serving, float(news), news))
        return Demand(tuple(pokes))

    def _report(self) -> None:
        now = self._loop.time()
        passed_s = max(now - self._reported_at, _LEAST_S)
        self._reported_at = now
        # A report that is late does not make the next ones late, unless they would come too soon after it.
        self._due_at = max(self._due_at, now - self._period_s / 2) + self._period_s
        self._timer = self._loop.call_at(self._due_at, self._report)
        reports = [report for serving in self._servings.values() if (report := self._news(serving, now, passed_s))]
        if len(self._told) > len(self._servings):
            self._told = {key: told for key, told in self._told.items() if key in self._servings}
        self._tell(Demand(tuple(reports)))

    def _news(self, serving: Serving, now: float, passed_s: float) -> ComponentDemand | None:
        """What happened at one component; `None` when that is nothing, and it was told."""
        meter, told = serving.meter, self._known(serving)
        if meter.arrived == told.arrived and not told.is_busy:
            return None
        fresh = _noted(meter, now)
        average = max(0.0, (fresh.presence_s - told.presence_s) / passed_s)
        arrived = fresh.arrived - told.arrived
        fresh.is_busy = fresh.is_busy or average > 0 or arrived > 0
        self._told[serving.key] = fresh
        return _demand(serving, max(0.0, average - told.poked), max(0, arrived - told.poked))

    def _known(self, serving: Serving) -> _Told:
        told = self._told.get(serving.key)
        if told is None or told.meter is not serving.meter:
            told = self._told[serving.key] = _Told(serving.meter)
        return told

    def _tell(self, demand: Demand) -> None:
        for listener in list(self._listeners):
            listener(demand)


def _noted(meter: Meter, now: float) -> _Told:
    return _Told(meter, meter.arrived, meter.presence_s(now), is_busy=meter.open > 0)


def _demand(serving: Serving, concurrency: float, requests: int) -> ComponentDemand:
    key, load = serving.key, serving.pool.load
    return ComponentDemand(
        kind=key.kind,
        namespace=key.namespace,
        service=key.service,
        component=key.component,
        concurrency=concurrency,
        requests=requests,
        waiting=load.waiting,
        is_poke=serving.pool.waits_in_vain,
    )
