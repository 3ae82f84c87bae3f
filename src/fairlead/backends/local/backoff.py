"""How long to wait before trying again, as plain arithmetic: no clock and no randomness in here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Doubles from `first_s` to `longest_s`. A process that lived `forgiven_after_s` starts with a clean sheet."""

    first_s: float
    longest_s: float
    forgiven_after_s: float

    def failures(self, earlier: int, *, lived_s: float) -> int:
        """The count after one more end, of a process that was healthy for `lived_s`."""
        return 1 if lived_s >= self.forgiven_after_s else earlier + 1

    def delay_s(self, failures: int) -> float:
        """The wait after so many failures in a row."""
        if failures < 1:
            return 0.0
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 60))


SERVICES = Backoff(first_s=0.05, longest_s=10.0, forgiven_after_s=10.0)
"""For our own processes: control, gateway, nurseries."""

REPLICAS = Backoff(first_s=1.0, longest_s=300.0, forgiven_after_s=30.0)
"""For replicas that crash, as Kubernetes does it but from one second instead of ten. It also remembers a crash for ten
minutes; then a model that is killed for its memory once a minute is soon away for five, and its clients are refused."""

TRANSFERS = Backoff(first_s=1.0, longest_s=300.0, forgiven_after_s=0.0)
"""For artifacts that cannot be fetched."""

REFERENCES = Backoff(first_s=1.0, longest_s=10.0, forgiven_after_s=0.0)
"""For Secrets, ConfigMaps and claims that are not there yet: cheap to look for, and often created a moment later."""
