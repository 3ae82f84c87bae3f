from dataclasses import replace

import pytest

from fairlead.backends.local.tables import Serving, service_of
from fairlead.plan.model import Limits, Parameter, Plan
from fairlead.plan.routing import Endpoint, Pool
from fairlead.plan.scaling import HorizontalScaling, KnativeScaling, ScalePolicy
from fairlead.plan.status import Cause, ComponentStatus, Phase, PlanStatus
from support.local_world import plan

ENDPOINT = Endpoint(replica="r", frames="/run/r.sock")


def _status(made: Plan, phase: Phase, *, desired: int = 1, cause: Cause | None = None) -> PlanStatus:
    (one,) = made.components
    status = ComponentStatus(
        component=one.name,
        full_name=one.full_name,
        revision=one.revision.hash,
        phase=phase,
        desired=desired,
        ready=0,
        cause=cause,
    )
    return PlanStatus(owner=made.owner, components=(status,), routed=False)


@pytest.mark.parametrize(
    ("phase", "desired", "cause", "refusal"),
    [
        pytest.param(Phase.STARTING, 1, None, "", id="a replica on its way is waited for"),
        pytest.param(Phase.READY, 0, None, "default is scaled to zero replicas", id="zero refuses"),
        pytest.param(
            Phase.FAILED,
            1,
            Cause(unit="m", reason="LoadError", message="corrupt"),
            "default has no replica: m: corrupt",
            id="a failure refuses with its cause",
        ),
    ],
)
def test_requests_wait_only_for_what_will_come(phase: Phase, desired: int, cause: Cause | None, refusal: str) -> None:
    made = plan()
    service = service_of(made, _status(made, phase, desired=desired, cause=cause), {})

    assert dict(service.pools)["default"].refusal == refusal


def test_a_component_that_is_served_is_not_refused_whatever_its_new_revision_does() -> None:
    made = plan()
    status = _status(made, Phase.FAILED, cause=Cause(unit="m", reason="LoadError", message="corrupt"))
    service = service_of(made, status, {"default": Serving(endpoints=(ENDPOINT,))})

    assert dict(service.pools)["default"] == Pool(endpoints=(ENDPOINT,), protocol="seldon")
    assert service.state == "Failed"


def test_a_services_models_answer_to_the_names_of_units_and_of_the_resource() -> None:
    made = plan()
    named = replace(
        unit := made.components[0].revision.units[0], parameters=(Parameter(name="model_name", value="m1"),)
    )
    revision = replace(made.components[0].revision, units=(named,))
    made = replace(made, components=(replace(made.components[0], revision=revision),))
    service = service_of(made, _status(made, Phase.READY), {})

    assert set(service.models) == {made.owner.name, unit.name, "m1"}


def test_a_services_models_answer_to_the_names_that_replicas_found_in_their_folders() -> None:
    made = plan()
    serving = {"default": Serving(models=frozenset(("a", "b")))}

    assert {"a", "b", made.owner.name} < set(service_of(made, _status(made, Phase.READY), serving).models)


@pytest.mark.parametrize(
    ("scaling", "concurrency", "ready", "queues"),
    [
        pytest.param(None, 2, 1, (20, 0), id="a fixed number shares one queue"),
        pytest.param(KnativeScaling(), 2, 1, (10_000, 0), id="the gateway holds a burst"),
        pytest.param(KnativeScaling(), 2, 0, (10_000, 0), id="and what comes before there is a replica"),
        pytest.param(KnativeScaling(burst_capacity=4), 2, 2, (10_000, 20), id="until there is room for a burst"),
        pytest.param(KnativeScaling(burst_capacity=0), 2, 1, (10_000, 20), id="or no burst is expected"),
        pytest.param(KnativeScaling(burst_capacity=-1), 2, 9, (10_000, 0), id="or for ever"),
        pytest.param(KnativeScaling(burst_capacity=0), 0, 1, (10_000, 0), id="without a limit there is one queue"),
        pytest.param(HorizontalScaling(metrics=()), 2, 1, (10_000, 20), id="there is no burst without Knative"),
    ],
)
def test_who_may_wait_follows_from_what_decides_the_number_of_replicas(
    scaling: KnativeScaling | HorizontalScaling | None, concurrency: int, ready: int, queues: tuple[int, int]
) -> None:
    made = plan()
    one = made.components[0]
    revision = replace(one.revision, limits=Limits(concurrency=concurrency, waiting=20))
    one = replace(one, revision=revision, scale=ScalePolicy(auto=scaling), patience_s=77.0)
    made = replace(made, components=(one,))

    service = service_of(made, _status(made, Phase.READY), {"default": Serving(endpoints=(ENDPOINT,) * ready)})

    pool = dict(service.pools)["default"]
    assert (pool.queue_limit, pool.replica_queue_limit) == queues
    assert (pool.replica_limit, pool.wait_s) == (concurrency or 1024, 77.0)
