"""What every scaling rule takes and gives, so that the loop need not know which one it runs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """A decision as numbers, for the metrics."""

    is_panicking: bool = False
    stable: float = 0.0
    panic: float = 0.0
    target: float = 0.0
    excess_burst: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How many replicas there should be and why, in a sentence for people. `condition` and `message` say why there is
    none or none yet; `wake_at` is when to look again even if nothing happens."""

    replicas: int
    why: str
    condition: str = ""
    message: str = ""
    wake_at: float | None = None
    gauges: Gauges = field(default_factory=Gauges)
