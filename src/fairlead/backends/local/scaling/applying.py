"""From what the load asks for to what there should be: the owner's bounds, and the care taken on the way to zero.

Pure, like the decision before it. A component is activating until it has the replicas it needs, then active, and
inactive once nothing is asked of it; only what was active for a whole window may become inactive, and only what was
inactive for a while loses its last replica.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from fairlead.backends.local.scaling.kpa import Terms

_DEADLINE_SLACK_S = 30.0
"""Beyond the progress deadline, so that what failed has time to be told before it goes."""


class Activity(StrEnum):
    """Whether a component takes requests."""

    ACTIVATING = "Activating"
    ACTIVE = "Active"
    INACTIVE = "Inactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a component stands since when. `is_initialized`: it once had its initial replicas. `has_timed_out`: it was
    given up before it was ready. `held_since`: since when its requests go through the gateway's queue because of too
    little room for a burst, or because it has nothing to serve them."""

    activity: Activity
    since: float
    is_initialized: bool = False
    has_timed_out: bool = False
    held_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How many replicas there should be. `reason` and `message` are the condition's, empty while active; `wake_at` is
    when it changes if nothing else does."""

    replicas: int
    reason: str = ""
    message: str = ""
    wake_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`current` is how many replicas were wanted last, `ready` how many are."""

    current: int
    ready: int


_QUEUED = ("Queued", "Requests to the target are being buffered as resources are provisioned.")
_TIMED_OUT = ("TimedOut", "The target could not be activated.")
_NO_TRAFFIC = ("NoTraffic", "The target is not receiving traffic.")


@dataclass(frozen=True, slots=True)
class _Want:
    """`wish` is what was decided, `None` for nothing; `replicas` is what that means for now."""

    wish: int | None
    replicas: int
    wake_at: float | None = None


def begin(terms: Terms, counts: Counts, *, now: float) -> Standing:
    """A component that is looked at for the first time, by this process at least. One that was ready before has its
    minimum for an initial scale; so having nothing, where nothing is the least, means that it is at zero."""
    standing = Standing(activity=Activity.ACTIVATING, since=now)
    if counts.current == 0 and bounds(standing, terms)[0] == 0:
        return replace(standing, activity=Activity.INACTIVE, is_initialized=True)
    is_active = counts.ready >= max(1, _needed(standing, terms))
    return replace(standing, activity=Activity.ACTIVE) if is_active else standing


def apply(
    standing: Standing, terms: Terms, counts: Counts, *, desired: int | None, excess_burst: int | None, now: float
) -> tuple[Applied, Standing]:
    """What to do about a decision, `None` for none. `excess_burst` is `None` while it is not known."""
    want = _want(standing, terms, counts, desired, now)
    is_held = want.wish == 0 or (
        excess_burst < 0 if excess_burst is not None else standing.activity is not Activity.ACTIVE
    )
    held_since = (standing.held_since if standing.held_since is not None else now) if is_held else None
    standing = replace(_moved(standing, terms, counts, want, now), held_since=held_since)
    reason, message = _condition(standing)
    return Applied(replicas=want.replicas, reason=reason, message=message, wake_at=want.wake_at), standing


def bounds(standing: Standing, terms: Terms) -> tuple[int, int]:
    """The least and the most replicas; a most of 0 is none."""
    least = terms.min_replicas if terms.is_reachable else 0
    if not standing.is_initialized:
        least = max(least, terms.initial_replicas)
    return (min(least, terms.max_replicas) if terms.max_replicas else least), terms.max_replicas


def _needed(standing: Standing, terms: Terms) -> int:
    """How many must be ready before it counts as active."""
    least, _ = bounds(standing, terms)
    return max(1, least) if standing.is_initialized else least


def _want(standing: Standing, terms: Terms, counts: Counts, desired: int | None, now: float) -> _Want:
    if desired is None and standing.activity is not Activity.ACTIVATING:
        return _Want(None, counts.current)
    least, most = bounds(standing, terms)
    # Activating without a measurement: the least there may be, so that what never gets ready is given up in the end.
    wish = max(least, desired or 0)
    wish = min(wish, most) if most else wish
    return _Want(wish, wish) if wish else _to_zero(standing, terms, counts, now)


def _to_zero(standing: Standing, terms: Terms, counts: Counts, now: float) -> _Want:
    if not terms.scaling.may_reach_zero:
        return _Want(1, 1)
    since_s = now - standing.since
    match standing.activity:
        case Activity.ACTIVATING:
            patience_s = terms.progress_deadline_s + _DEADLINE_SLACK_S
            if since_s >= patience_s:
                return _Want(0, 0)
            return _Want(None, counts.current, standing.since + patience_s)
        case Activity.ACTIVE:
            if since_s < terms.stable_window_s:
                return _Want(1, 1, standing.since + terms.stable_window_s)
            return _Want(0, min(counts.current, 1), now)
        case Activity.INACTIVE:
            return _last_one(standing, terms, counts, now)


def _last_one(standing: Standing, terms: Terms, counts: Counts, now: float) -> _Want:
    grace_s = terms.scaling.zero_grace_s
    retention_s = terms.scaling.zero_retention_s if terms.is_reachable else 0.0
    held_since = standing.held_since if standing.held_since is not None else standing.since
    gone_at = max(standing.since + retention_s, min(standing.since, held_since) + grace_s)
    if now >= gone_at:
        return _Want(0, 0)
    return _Want(0, min(counts.current, 1), gone_at)


def _moved(standing: Standing, terms: Terms, counts: Counts, want: _Want, now: float) -> Standing:
    if not standing.is_initialized and counts.ready >= bounds(standing, terms)[0]:
        standing = replace(standing, is_initialized=True)
    activity = standing.activity
    if want.wish == 0:
        activity = Activity.INACTIVE
    elif want.wish is not None or activity is not Activity.INACTIVE:
        activity = Activity.ACTIVE if counts.ready >= _needed(standing, terms) else Activity.ACTIVATING
    if activity is standing.activity:
        return standing
    has_timed_out = standing.activity is Activity.ACTIVATING and activity is Activity.INACTIVE
    return replace(standing, activity=activity, since=now, has_timed_out=has_timed_out)


def _condition(standing: Standing) -> tuple[str, str]:
    match standing.activity:
        case Activity.ACTIVATING:
            return _QUEUED
        case Activity.ACTIVE:
            return "", ""
        case Activity.INACTIVE:
            return _TIMED_OUT if standing.has_timed_out else _NO_TRAFFIC
