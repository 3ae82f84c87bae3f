"""The way from a wish to replicas a second time: the table of states as it is written, with nothing shared with the one
it checks."""

from dataclasses import dataclass
from math import inf


@dataclass
class NaiveScale:
    """Settings first, then what it remembers. A wish of -1 is none."""

    min_scale: int
    max_scale: int
    initial_scale: int
    stable_window: float
    grace: float
    retention: float
    enabled: bool
    reachable: bool
    progress_deadline: float
    state: str = "activating"
    since: float = 0.0
    initialized: bool = False
    proxy_since: float | None = None

    def least(self) -> int:
        least = self.min_scale if self.reachable else 0
        if not self.initialized:
            least = max(least, self.initial_scale)
        return least if self.max_scale == 0 else min(least, self.max_scale)

    def step(self, desired: int, ebc: int | None, *, ready: int, current: int, now: float) -> tuple[int, str]:
        want, replicas = self._want(desired, current, now)
        in_path = want == 0 or (ebc is not None and ebc < 0) or (ebc is None and self.state != "active")
        if not in_path:
            self.proxy_since = None
        elif self.proxy_since is None:
            self.proxy_since = now
        self._become(want, ready, now)
        return replicas, {"activating": "Queued", "active": "", "inactive": "NoTraffic"}[self.state]

    def _want(self, desired: int, current: int, now: float) -> tuple[int, int]:
        if desired == -1 and self.state != "activating":
            return -1, current
        bounded = min(max(desired, self.least()), self.max_scale or inf)
        if bounded > 0:
            return int(bounded), int(bounded)
        if not self.enabled:
            return 1, 1
        passed = now - self.since
        if self.state == "activating":
            return (0, 0) if passed >= self.progress_deadline + 30 else (-1, current)
        if self.state == "active":
            return (1, 1) if passed < self.stable_window else (0, min(current, 1))
        retention = self.retention if self.reachable else 0.0
        proxied = now - self.proxy_since if self.proxy_since is not None else 0.0
        may_go = passed >= max(self.grace, retention) or (proxied >= self.grace and passed >= retention)
        return (0, 0) if may_go else (0, min(current, 1))

    def _become(self, want: int, ready: int, now: float) -> None:
        if not self.initialized and ready >= self.least():
            self.initialized = True
        needed = max(1, self.least()) if self.initialized else self.least()
        state = self.state
        if want == 0:
            state = "inactive"
        elif want > 0 or state != "inactive":
            state = "active" if ready >= needed else "activating"
        if state != self.state:
            self.state, self.since = state, now
