"""Knative's pod autoscaler: how many replicas the measured load asks for.

Pure: a state, what is ready and the time go in; a decision and the next state come out. The load over a long window
decides; when that of a short one asks for a multiple of what is ready it panics, which means that it takes the larger
of the two and does not go down until the long window knows what happened. The names of settings are Knative's,
https://knative.dev/docs/serving/autoscaling/.
"""

import math
from dataclasses import dataclass, replace

from fairlead.backends.local.scaling.windows import Buckets
from fairlead.plan.scaling import KnativeScaling, ScaleMetric

_LEAST_TARGET = 0.01
_DEFAULT_CONCURRENCY = 100.0
_DEFAULT_RPS = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a component's owner asks for. `concurrency_limit` is how many requests a replica takes at once, 0 for any
    number; `max_replicas` 0 is no bound."""

    scaling: KnativeScaling
    concurrency_limit: int = 0
    min_replicas: int = 0
    max_replicas: int = 0
    initial_replicas: int = 1
    is_reachable: bool = True
    progress_deadline_s: float = 600.0

    @property
    def total(self) -> float:
        """How much one replica can carry."""
        asked, limit = self.scaling.target, float(self.concurrency_limit)
        if self.scaling.metric is ScaleMetric.RPS:
            return asked or _DEFAULT_RPS
        if asked and limit:
            return min(asked, limit)
        return asked or limit or _DEFAULT_CONCURRENCY

    @property
    def target(self) -> float:
        """How much one replica should carry."""
        return max(_LEAST_TARGET, self.total * self.scaling.utilization)

    @property
    def stable_window_s(self) -> int:
        """The long window."""
        return max(1, round(self.scaling.stable_window_s))

    @property
    def panic_window_s(self) -> int:
        """The short one."""
        return max(1, math.floor(self.stable_window_s * self.scaling.panic_window_percent / 100 + 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is remembered from one decision to the next. `panic_at` is when the short window asked for too much last,
    `most_in_panic` the most replicas wanted since; `recent` are the last wishes with their times, when going down is to
    be delayed."""

    stable: Buckets
    panic: Buckets
    panic_at: float | None = None
    most_in_panic: int = 0
    recent: tuple[tuple[float, int], ...] = ()

    def measured(self, second: int, value: float) -> "State":
        """With what was measured in a second."""
        return replace(self, stable=self.stable.record(second, value), panic=self.panic.record(second, value))

    def quiet(self, second: int) -> "State":
        """With no load in any second from the last measured one until this."""
        return replace(self, stable=self.stable.filled(second, 0.0), panic=self.panic.filled(second, 0.0))

    def carried(self, second: int) -> "State":
        """With the load of the last second that was measured in all until this one."""
        return replace(self, stable=self.stable.carried(second), panic=self.panic.carried(second))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many replicas the load asks for, before the owner's bounds. `excess_burst` is how many more requests there is
    room for than a burst may bring; below zero, requests are better held by the gateway. `reason` is for people."""

    desired: int
    excess_burst: int
    is_panicking: bool
    stable: float
    panic: float
    target: float
    reason: str


def begin(terms: Terms, *, ready: int, now: float) -> State:
    """Without a past. When several replicas are ready there was one, which is lost: they are kept until a window is
    full again, which is what panic does."""
    state = State(stable=Buckets(window_s=terms.stable_window_s), panic=Buckets(window_s=terms.panic_window_s))
    return replace(state, panic_at=now, most_in_panic=ready) if ready > 1 else state


def excess_at_start(terms: Terms) -> int:
    """Room for a burst before anything was measured."""
    burst = terms.scaling.burst_capacity
    return math.floor(terms.initial_replicas * terms.total - burst) if burst > 0 else int(burst)


def decide(state: State, terms: Terms, *, ready: int, now: float) -> tuple[Decision | None, State]:
    """What the load asks for now; nothing when nothing was measured in the long window."""
    scaling = terms.scaling
    stable = state.stable.average(now, is_weighted=scaling.is_weighted)
    if stable is None:
        return None, state
    panic = state.panic.average(now, is_weighted=scaling.is_weighted) or 0.0
    wanted_stable, wanted_panic = math.ceil(stable / terms.target), math.ceil(panic / terms.target)
    is_over = wanted_panic / max(1, ready) >= scaling.panic_threshold_percent / 100
    state = _panicked(state, terms, is_over=is_over, now=now)
    desired = _bounded(wanted_stable, terms, ready)
    if state.panic_at is not None:
        desired = max(desired, _bounded(wanted_panic, terms, ready), state.most_in_panic)
        state = replace(state, most_in_panic=desired)
    asked, (desired, state) = desired, _delayed(state, terms, desired, now)
    decision = Decision(
        desired=desired,
        excess_burst=_excess(terms, ready, panic),
        is_panicking=state.panic_at is not None,
        stable=stable,
        panic=panic,
        target=terms.target,
        reason="",
    )
    return replace(decision, reason=_reason(decision, terms, wanted_stable, wanted_panic, asked)), state


def _bounded(wanted: int, terms: Terms, ready: int) -> int:
    """Not too much at once, in either direction. What nobody can reach may go at once."""
    ready = max(1, ready)
    most = math.ceil(terms.scaling.max_up_rate * ready)
    least = math.floor(ready / terms.scaling.max_down_rate) if terms.is_reachable else 0
    bounded = min(max(wanted, least), most)
    return max(bounded, terms.scaling.activation_scale) if wanted > 0 else bounded


def _panicked(state: State, terms: Terms, *, is_over: bool, now: float) -> State:
    if is_over:
        return replace(state, panic_at=now)
    if state.panic_at is not None and state.panic_at + terms.stable_window_s < now:
        return replace(state, panic_at=None, most_in_panic=0)
    return state


def _delayed(state: State, terms: Terms, desired: int, now: float) -> tuple[int, State]:
    delay_s = terms.scaling.down_delay_s
    if delay_s <= 0 or not terms.is_reachable:
        return desired, state
    recent = (*(wish for wish in state.recent if wish[0] > now - delay_s), (now, desired))
    return max(wish for _, wish in recent), replace(state, recent=recent)


def _excess(terms: Terms, ready: int, panic: float) -> int:
    burst = terms.scaling.burst_capacity
    if burst == 0:
        return 0
    return -1 if burst < 0 else math.floor(ready * terms.total - burst - panic)


def _reason(decision: Decision, terms: Terms, wanted_stable: int, wanted_panic: int, asked: int) -> str:
    what = "requests per second" if terms.scaling.metric is ScaleMetric.RPS else "concurrent requests"
    load, window_s, wanted = decision.stable, terms.stable_window_s, wanted_stable
    if decision.is_panicking and wanted_panic > wanted_stable:
        load, window_s, wanted = decision.panic, terms.panic_window_s, wanted_panic
    text = f"{load:.6g} {what} over {window_s} s at {decision.target:.6g} per replica ask for {wanted}"
    if asked > wanted:
        held = "panic mode keeps" if decision.is_panicking else "the rate of change allows no fewer than"
        if wanted > 0 and asked == terms.scaling.activation_scale:
            held = "the activation scale is"
        text += f"; {held} {asked}"
    elif asked < wanted:
        text += f"; the rate of change allows no more than {asked}"
    if decision.desired > asked:
        text += f"; {decision.desired} are kept for the scale-down delay"
    return text
