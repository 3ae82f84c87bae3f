"""Which revision of a component gets how many requests, and how far a roll-out has got.

KServe keeps four names for each component in an InferenceService's status, and everything follows from them and from
`canaryTrafficPercent`: the revision that was created last, the last that was ready, the last that had all requests
and the one before that. Pure; the names of the fields in JSON are KServe's.

A revision that never was ready gets requests only while there is none that was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

ALL = 100
LATEST_TAG, PREVIOUS_TAG = "latest", "prev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How far one component has got, in names of revisions; empty when there is no such revision."""

    latest_created: str = ""
    latest_ready: str = ""
    latest_rolled_out: str = ""
    previous_rolled_out: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether the newest revision is the one that all requests go to."""
        return self.latest_created == self.latest_ready == self.latest_rolled_out

    @property
    def names(self) -> frozenset[str]:
        """Every revision that it knows by name."""
        known = {self.latest_created, self.latest_ready, self.latest_rolled_out, self.previous_rolled_out}
        return frozenset(known - {""})

    def was_ready(self, revision: str) -> bool:
        """Whether this revision has been ready once, as far as the status tells."""
        return bool(revision) and revision in (self.latest_ready, self.latest_rolled_out, self.previous_rolled_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A revision's part of a component's requests, and the tag that it can be asked by alone. `is_latest`: it stands
    for whichever revision is the newest that was ready."""

    revision: str
    percent: int
    tag: str = ""
    is_latest: bool = False


_FIELDS = {
    "latest_created": "latestCreatedRevision",
    "latest_ready": "latestReadyRevision",
    "latest_rolled_out": "latestRolledoutRevision",
    "previous_rolled_out": "previousRolledoutRevision",
}


def read_rollout(component: object) -> Rollout:
    """What `status.components.<role>` says. Anything else there is taken for nothing."""
    if not isinstance(component, Mapping):
        return Rollout()
    found = {name: component.get(field) for name, field in _FIELDS.items()}
    return Rollout(**{name: value for name, value in found.items() if isinstance(value, str)})


def write_rollout(rollout: Rollout) -> dict[str, Any]:
    """The names as the status holds them; those that are missing are left out."""
    return {field: getattr(rollout, name) for name, field in _FIELDS.items() if getattr(rollout, name)}


def rolled_back(rollout: Rollout, percent: int | None) -> Rollout:
    """Asking for a canary where nothing new is on its way means the revision before: it becomes the one that the rest
    of the requests goes to, without a change of the manifest's model."""
    if percent is None or percent >= ALL or not rollout.previous_rolled_out or not rollout.is_settled:
        return rollout
    return replace(rollout, latest_rolled_out=rollout.previous_rolled_out)


def shares_of(rollout: Rollout, percent: int | None, *, has_latest_tag: bool = False) -> tuple[Share, ...]:
    """Who gets what, the latest revision first. The percentages are 100 together. The first revision gets everything
    whatever is asked for, and requests wait for it."""
    latest = rollout.latest_ready or rollout.latest_created
    tag = LATEST_TAG if has_latest_tag else ""
    if percent is None or percent >= ALL or not rollout.latest_rolled_out:
        return (Share(revision=latest, percent=ALL, tag=tag, is_latest=True),)
    percent = max(percent, 0)
    return (
        Share(revision=latest, percent=percent, tag=tag, is_latest=True),
        Share(revision=rollout.latest_rolled_out, percent=ALL - percent, tag=PREVIOUS_TAG),
    )


def advanced(rollout: Rollout, shares: Sequence[Share], *, is_ready: bool, is_routed: bool) -> Rollout:
    """The next step: `is_ready` says whether the revision created last can serve, `is_routed` whether requests go where
    `shares` says. A revision is rolled out once all requests reach it, so that what served before may go."""
    step = replace(rollout, latest_ready=rollout.latest_created) if is_ready else rollout
    latest = next(share for share in shares if share.is_latest)
    has_all = is_routed and latest.percent == ALL and latest.revision == step.latest_ready
    if not has_all or step.latest_rolled_out == step.latest_ready:
        return step
    return replace(step, previous_rolled_out=step.latest_rolled_out, latest_rolled_out=step.latest_ready)
