"""Whether a running component answers, and why not, in a sentence that a person can act on."""

from collections.abc import Iterator
from dataclasses import dataclass

from fairlead.plan.status import ComponentStatus, Phase, Progress, ReplicaState

# Progress is told in tenths, so that a long download does not write a new status for every megabyte.
_STEP = 10
_DOING = {
    Phase.PENDING: "waiting to start",
    Phase.DOWNLOADING: "downloading its model",
    Phase.STARTING: "loading its model",
    Phase.FAILED: "failed",
    Phase.READY: "starting more replicas",
}
_REASONS = {
    Phase.PENDING: "Pending",
    Phase.DOWNLOADING: "Downloading",
    Phase.STARTING: "Loading",
    Phase.FAILED: "Failed",
    Phase.READY: "Ready",
}
TOO_LATE = "ProgressDeadlineExceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`answers` of `None`: not yet. `is_new`: the wanted version itself is up, not only one before it. `has_failed`:
    it will not come up as it is."""

    answers: bool | None
    is_new: bool = False
    has_failed: bool = False
    reason: str = ""
    message: str = ""


def health_of(name: str, state: ComponentStatus | None, *, was_ready: bool = False, may_sleep: bool = True) -> Health:
    """The health of a component that is called `name`. One that was ready and has no replica now, because nobody asked
    it for a while, is well; so is one that is on its way back from there, if it `may_sleep` at all."""
    if state is None:
        return Health(answers=None, reason="Pending", message=f"{name}: not started yet")
    if state.phase is Phase.READY:
        return Health(answers=True, is_new=True)
    has_failed = state.phase is Phase.FAILED
    reason = state.cause.reason if state.cause else _REASONS[state.phase]
    told = Health(answers=None, has_failed=has_failed, reason=reason, message=why(name, state))
    if any(replica.state is ReplicaState.READY for replica in state.replicas) or state.ready:
        return Health(answers=True, has_failed=has_failed, reason=told.reason, message=told.message)
    if has_failed or (state.cause is not None and was_ready):
        return Health(answers=False, has_failed=has_failed, reason=told.reason, message=told.message)
    return Health(answers=True, is_new=True) if was_ready and may_sleep else told


def why(name: str, state: ComponentStatus) -> str:
    """What keeps a component from being ready."""
    if state.cause is not None:
        unit = state.cause.unit
        # Messages of runtimes start with the unit, for logs that say nothing before them.
        return f"{name}: {state.cause.message.removeprefix(f'unit {unit}: ')}"
    if state.progress is not None:
        return f"{name}: {state.progress.verb} {_progress(state.progress)}"
    return f"{name}: {_DOING[state.phase]} ({state.ready} of {state.desired} replicas ready)"


def failures(state: ComponentStatus) -> Iterator[str]:
    """The replicas that went wrong and are not up again."""
    for replica in state.replicas:
        if replica.cause is not None and replica.state is not ReplicaState.READY:
            yield replica.name


def _progress(progress: Progress) -> str:
    if progress.total_bytes <= 0:
        return progress.what
    percent = 100 * progress.done_bytes // progress.total_bytes
    return f"{progress.what} ({percent - percent % _STEP} %)"
