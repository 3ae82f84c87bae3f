"""When a resource is looked at again while some of its pods are missing: pods come up and crash without anybody telling
its owner, and a list of pods for each resource in turn is less than a watch of all pods of a cluster.

Less and less often, since what has stood still for long will stand still for longer; and often again once its status
is another one, since what has moved moves on: a pod that got its place fetches its model next, and may fail.
"""

from dataclasses import dataclass, field

from fairlead.backends.kubernetes.operator.resources import ObjectKey

FIRST_S, LONGEST_S = 2.0, 60.0
_GROWTH = 1.5


@dataclass(slots=True)
class Looks:
    """How often each resource was looked at since its status changed."""

    _counts: dict[ObjectKey, int] = field(default_factory=dict)

    def next_s(self, key: ObjectKey, *, has_moved: bool) -> float:
        """How long to wait now. `has_moved`: its status is not what it was at the last look."""
        count = self._counts[key] = 1 if has_moved else self._counts.get(key, 0) + 1
        # No float holds 1.5 to the power of a service that is down for a week.
        return min(LONGEST_S, FIRST_S * _GROWTH ** min(count - 1, 20))

    def forget(self, key: ObjectKey) -> None:
        """Nothing is missing, or nobody is there to miss it."""
        self._counts.pop(key, None)
