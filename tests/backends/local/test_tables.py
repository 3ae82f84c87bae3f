from dataclasses import replace

import pytest

from fairlead.backends.local.tables import Serving, replicas_in, service_of, table_of
from fairlead.plan.model import Parameter, Plan
from fairlead.plan.routing import Endpoint, Pool
from fairlead.plan.status import Cause, ComponentStatus, Phase, PlanStatus
from support.local_world import component, plan

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


def test_a_table_does_not_depend_on_the_order_of_applying() -> None:
    one, two = plan(), plan(component(), owner=replace(plan().owner, name="other"))
    services = [
        service_of(made, _status(made, Phase.READY), {"default": Serving(endpoints=(ENDPOINT,))}) for made in (one, two)
    ]

    assert table_of(services) == table_of(reversed(services))
    assert replicas_in(table_of(services)) == {"r"}
