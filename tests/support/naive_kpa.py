"""Knative's autoscaler a second time, written from the formulas alone and as plainly as they are: lists of samples, no
windows kept between calls, nothing shared with the one it checks."""

from dataclasses import dataclass, field
from math import ceil, floor


@dataclass
class Settings:
    """Names as in the formulas."""

    metric: str = "concurrency"
    annotation_target: float | None = None
    cc: int = 0
    utilisation: float = 0.7
    stable_window: int = 60
    panic_percentage: float = 10.0
    panic_threshold: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    activation_scale: int = 1
    tbc: float = 211.0
    scale_down_delay: float = 0.0
    weighted: bool = False
    reachable: bool = True


@dataclass
class NaiveKpa:
    """Feed it samples, then ask at times that never go back."""

    settings: Settings
    ready_at_start: int
    started: float
    samples: list[tuple[int, float]] = field(default_factory=list)
    panic_time: float | None = None
    max_panic_pods: int = 0
    history: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.ready_at_start > 1:
            self.panic_time, self.max_panic_pods = self.started, self.ready_at_start

    def total(self) -> float:
        s = self.settings
        if s.metric == "rps":
            return 200.0 if s.annotation_target is None else s.annotation_target
        if s.annotation_target is None:
            return float(s.cc) if s.cc > 0 else 100.0
        return min(s.annotation_target, s.cc) if s.cc > 0 else s.annotation_target

    def target(self) -> float:
        return max(0.01, self.total() * self.settings.utilisation)

    def panic_window(self) -> int:
        return max(1, floor(self.settings.stable_window * self.settings.panic_percentage / 100 + 0.5))

    def window_average(self, window: int, now: float) -> float | None:
        """Every second from the first write on counts, written or not; a silence of a window starts afresh."""
        seconds: dict[int, float] = {}
        for second, value in self.samples:
            if seconds and second - max(seconds) >= window:
                seconds = {}
            seconds[second] = seconds.get(second, 0.0) + value
        if not seconds or floor(now) - max(seconds) >= window:
            return None
        # No second after the newest one is known yet.
        newest, oldest = max(seconds), max(min(seconds), floor(now) - window + 1)
        inside = [seconds.get(second, 0.0) for second in range(oldest, newest + 1)]
        if self.settings.weighted:
            weight = max(0.2, 1 - 0.0001 ** (1 / window))
            weights = [weight * (1.0 - weight) ** float(floor(now) - second) for second in range(oldest, newest + 1)]
            return float(sum(value * one for value, one in zip(inside, weights, strict=True)))
        return floor(sum(inside) / len(inside) * 10**6) / 10**6

    def tick(self, ready_pods: int, now: float) -> tuple[int, int, bool] | None:
        """Desired, excess burst capacity, panicking; nothing without data."""
        s = self.settings
        stable_avg = self.window_average(s.stable_window, now)
        if stable_avg is None:
            return None
        panic_avg = self.window_average(self.panic_window(), now)
        if panic_avg is None:
            panic_avg = 0.0
        target = self.target()
        ready = max(1, ready_pods)
        max_up = ceil(s.max_scale_up_rate * ready)
        max_down = floor(ready / s.max_scale_down_rate) if s.reachable else 0
        dspc = ceil(stable_avg / target)
        dppc = ceil(panic_avg / target)
        desired_stable = min(max(dspc, max_down), max_up)
        desired_panic = min(max(dppc, max_down), max_up)
        if s.activation_scale > 1:
            if dspc > 0 and desired_stable < s.activation_scale:
                desired_stable = s.activation_scale
            if dppc > 0 and desired_panic < s.activation_scale:
                desired_panic = s.activation_scale
        over_threshold = dppc / ready >= s.panic_threshold / 100
        if over_threshold:
            self.panic_time = now
        elif self.panic_time is not None and self.panic_time + s.stable_window < now:
            self.panic_time = None
            self.max_panic_pods = 0
        desired = desired_stable
        if self.panic_time is not None:
            desired = max(desired_stable, desired_panic)
            if desired > self.max_panic_pods:
                self.max_panic_pods = desired
            desired = self.max_panic_pods
        if s.scale_down_delay > 0 and s.reachable:
            self.history.append((now, desired))
            desired = max(wish for at, wish in self.history if at > now - s.scale_down_delay)
        if s.tbc == 0:
            ebc = 0
        elif s.tbc < 0:
            ebc = -1
        else:
            ebc = floor(ready_pods * self.total() - s.tbc - panic_avg)
        return desired, ebc, self.panic_time is not None
