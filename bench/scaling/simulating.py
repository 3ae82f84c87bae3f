"""The real scaling loop between a pretended gateway and pretended replicas, with no clock but its own.

A replica is ready some time after it is wanted and ends when it is not; each request takes the same time; requests that
find no free replica wait, first come first served.
"""

from collections import deque
from dataclasses import dataclass, field

from bench.scaling.traces import Trace
from fairlead.backends.local.scaling.scaler import Key, Load, Scaler, Seen
from fairlead.backends.local.scaling.telling import Told
from fairlead.plan.model import Call, Component, ComponentName, Graph, Limits, Method, Revision, UnitName
from fairlead.plan.scaling import KnativeScaling, ScalePolicy

KEY: Key = ("InferenceService/default/iris", "predictor")
_STEPS = 20
"""In a second."""


@dataclass(frozen=True, slots=True)
class Point:
    """One second: requests that were here on average, those that waited at its end, and the replicas."""

    second: int
    concurrency: float
    waiting: int
    desired: int
    ready: int


@dataclass(slots=True)
class Outcome:
    """`waits_s` is how long each answered request waited for a replica."""

    points: list[Point] = field(default_factory=list)
    told: list[tuple[float, Told]] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)


def component(scaling: KnativeScaling, limit: int, *, least: int = 0, most: int = 0) -> Component:
    """One that was ready before and is at its least now."""
    graph = Graph(root=Call(unit=UnitName("model"), method=Method.PREDICT))
    return Component(
        name=ComponentName("predictor"),
        full_name="iris-predictor",
        revision=Revision(hash="1", units=(), graph=graph, limits=Limits(concurrency=limit)),
        scale=ScalePolicy(min_replicas=least, max_replicas=most, initial_replicas=least, auto=scaling),
    )


def simulate(trace: Trace, made: Component, *, start_s: float) -> Outcome:
    """Every second of a trace."""
    return _World(trace, made, start_s).run()


class _World:
    def __init__(self, trace: Trace, made: Component, start_s: float) -> None:
        self._trace, self._start_s = trace, start_s
        self._now = 1000.0
        self._born: list[float] = []
        self._waiting: deque[float] = deque()
        self._ends: list[float] = []
        self._outcome = Outcome()
        self._scaler = Scaler(scale=self._scale, tell=self._tell, clock=lambda: self._now)
        self._scaler.follow(KEY, made)
        self._born = [-start_s] * made.scale.min_replicas
        self._show()

    def run(self) -> Outcome:
        for arrivals in self._trace.arrivals:
            self._outcome.points.append(self._second(arrivals))
        return self._outcome

    def _second(self, arrivals: int) -> Point:
        presence, poked = 0.0, 0
        for step in range(_STEPS):
            came = arrivals * (step + 1) // _STEPS - arrivals * step // _STEPS
            self._waiting.extend([self._now] * came)
            if came and not self._ready:
                poked += came
                self._scaler.heard([Load(KEY, float(came), came, len(self._waiting), is_poke=True)])
            self._serve()
            presence += (len(self._ends) + len(self._waiting)) / _STEPS
            self._now += 1 / _STEPS
        self._now = round(self._now, 6)
        self._show()
        load = Load(KEY, max(0.0, presence - poked), max(0, arrivals - poked), len(self._waiting))
        self._scaler.heard([load] if presence or arrivals else [])
        second = int(self._now) - 1000
        return Point(second, presence, len(self._waiting), len(self._born), self._ready)

    def _serve(self) -> None:
        self._ends = [end for end in self._ends if end > self._now]
        room = self._ready * self._trace.limit - len(self._ends)
        while self._waiting and room > 0:
            self._outcome.waits_s.append(self._now - self._waiting.popleft())
            self._ends.append(self._now + self._trace.service_s)
            room -= 1

    @property
    def _ready(self) -> int:
        return sum(born + self._start_s <= self._now for born in self._born)

    def _scale(self, key: Key, count: int, why: str) -> None:
        more = count - len(self._born)
        self._born = [*self._born, *[self._now] * more] if more > 0 else self._born[:count]
        self._show()

    def _tell(self, key: Key, told: Told) -> None:
        self._outcome.told.append((self._now - 1000.0, told))

    def _show(self) -> None:
        self._scaler.saw(KEY, Seen(desired=len(self._born), ready=self._ready))
