"""What a plan's status means for each component of an InferenceService: who serves, whether the newest version came up,
and what the roll-out's next step is. The words of conditions come later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service import told
from fairlead.dialects.kserve.inference_service.health import Health, health_of
from fairlead.dialects.kserve.inference_service.rollout import knative_shares, traffic_percent
from fairlead.dialects.kserve.inference_service.traffic import ALL, Rollout, Share, advanced, read_rollout, rolled_back
from fairlead.plan.model import Component, Plan
from fairlead.plan.status import ComponentStatus, Phase, PlanStatus, ReplicaState


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One component. `newest` is the state of the version that was asked for last, `newest_health` what that means;
    `serving` is the health of those that get requests, `ready` how many replicas they have. `rollout` and `shares` are
    empty in Standard mode. `is_up`: something of it can serve, or could."""

    role: str
    name: str
    newest: ComponentStatus | None
    newest_health: Health
    serving: tuple[Health, ...]
    is_up: bool
    ready: int = 0
    rollout: Rollout = Rollout()  # noqa: RUF009 (frozen)
    shares: tuple[Share, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether the newest version is one that has been ready."""
        return self.is_up and self.rollout.latest_created == self.rollout.latest_ready

    @property
    def is_turning(self) -> bool:
        """Whether all requests are on their way from one revision to another: a canary that is asked for now would be
        one beside the old one still."""
        latest = next((share for share in self.shares if share.is_latest), None)
        rolled_out = self.rollout.latest_rolled_out
        return latest is not None and latest.percent == ALL and rolled_out not in ("", self.rollout.latest_ready)


def progress_of(doc: Document, plan: Plan, observed: PlanStatus, role: str, *, is_knative: bool) -> Progress:
    """One component's progress."""
    states: dict[str, ComponentStatus] = {one.component: one for one in observed.components}
    components = [one for one in plan.components if one.role == role]
    if not is_knative:
        return _standard(doc, components[0], states, role)
    return _knative(doc, components, states, role, is_routed=observed.routed)


def _knative(
    doc: Document,
    components: Sequence[Component],
    states: Mapping[str, ComponentStatus],
    role: str,
    *,
    is_routed: bool,
) -> Progress:
    by_revision = {one.full_name: states.get(one.name) for one in components}
    created = max(by_revision, key=lambda name: (len(name), name))
    stored = replace(read_rollout(told.component(doc, role)), latest_created=created)
    before = rolled_back(stored, traffic_percent(doc, role))
    newest = by_revision[created]
    was_ready = before.latest_ready == created
    newest_health = health_of(f"revision {created}", newest, was_ready=was_ready)
    in_force = knative_shares(doc, role, before)
    is_ready = was_ready or newest_health.is_new
    rollout = advanced(before, in_force, is_ready=is_ready, is_routed=is_routed or _is_alone(in_force, states))
    shares = knative_shares(doc, role, rollout) if rollout.latest_ready else ()
    # A revision that this very step turns to is started with the next plan.
    asked = [share.revision for share in shares if share.percent and share.revision in by_revision]
    serving = tuple(health_of(f"revision {name}", by_revision[name], was_ready=True) for name in dict.fromkeys(asked))
    return Progress(
        role=role,
        name=created,
        newest=newest,
        newest_health=newest_health,
        serving=serving,
        is_up=bool(rollout.latest_ready),
        ready=sum(state.ready for name, state in by_revision.items() if state and name in asked),
        rollout=rollout,
        shares=shares,
    )


def _is_alone(shares: Sequence[Share], states: Mapping[str, ComponentStatus]) -> bool:
    """Whether those that get requests are ready and something else is not. That keeps the whole plan from counting as
    routed; it must not keep these back, whose switch the back-end looks after itself."""
    asked = {share.revision for share in shares}
    is_ready = {state.full_name: state.phase is Phase.READY for state in states.values()}
    return all(is_ready.get(name, False) for name in asked) and not all(is_ready.values())


def _standard(doc: Document, component: Component, states: Mapping[str, ComponentStatus], role: str) -> Progress:
    was_up = told.has_url(doc, role)
    state = states.get(component.name)
    may_sleep = component.scale.min_replicas == 0
    health = health_of(component.full_name, state, was_ready=was_up, may_sleep=may_sleep)
    return Progress(
        role=role,
        name=component.full_name,
        newest=state,
        newest_health=health,
        serving=(health,),
        is_up=was_up or health.answers is True,
        ready=_ready(state),
    )


def _ready(state: ComponentStatus | None) -> int:
    """The replicas that answer, those of the version before among them."""
    if state is None:
        return 0
    return sum(replica.state is ReplicaState.READY for replica in state.replicas) or state.ready
