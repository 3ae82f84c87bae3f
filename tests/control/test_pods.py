from dataclasses import replace

from fairlead.control.pods import pods_of, timestamp
from fairlead.plan.model import (
    Call,
    Component,
    ComponentName,
    Graph,
    Method,
    Owner,
    Plan,
    Revision,
    Unit,
    UnitName,
)
from fairlead.plan.status import Cause, ComponentStatus, Phase, PlanStatus, ReplicaState, ReplicaStatus

OWNER = Owner(
    api_version="machinelearning.seldon.io/v1", kind="SeldonDeployment", namespace="seldon", name="iris", uid="u1"
)
UNIT = Unit(name=UnitName("classifier"), runtime="sklearn", image="seldonio/sklearnserver:1.18.2")
REVISION = Revision(
    hash="0123456789",
    units=(UNIT,),
    graph=Graph(root=Call(unit=UNIT.name, method=Method.PREDICT)),
)
PLAN = Plan(
    owner=OWNER,
    components=(
        Component(
            name=ComponentName("default"), full_name="iris-default", revision=REVISION, labels=(("version", "default"),)
        ),
    ),
    routes=(),
    labels=(("seldon-deployment-id", "iris"),),
)


def status(replica: ReplicaStatus) -> PlanStatus:
    component = ComponentStatus(
        component=ComponentName("default"),
        full_name="iris-default",
        revision=REVISION.hash,
        phase=Phase.READY,
        desired=1,
        ready=1,
        replicas=(replica,),
    )
    return PlanStatus(owner=OWNER, components=(component,), routed=True)


def replica(state: ReplicaState, cause: Cause | None = None) -> ReplicaStatus:
    return ReplicaStatus(
        name="iris-default-01234-abcde",
        component=ComponentName("default"),
        revision=REVISION.hash,
        state=state,
        started_at=0.0,
        restarts=2,
        pid=4711,
        cause=cause,
    )


def test_a_ready_replica_is_a_running_pod_with_its_units_as_containers() -> None:
    (pod,) = pods_of(PLAN, status(replica(ReplicaState.READY)), node="here")

    assert pod["metadata"]["labels"]["seldon-deployment-id"] == "iris"
    assert pod["metadata"]["labels"]["version"] == "default"
    assert pod["metadata"]["annotations"] == {"fairlead.dev/pid": "4711"}
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["containerStatuses"][0]["ready"] is True
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 2
    assert pod["spec"]["containers"] == [{"name": "classifier", "image": "seldonio/sklearnserver:1.18.2"}]


def test_a_container_may_have_a_name_of_its_own() -> None:
    cause = Cause(unit="classifier", reason="LoadError", message="model.joblib is truncated")
    component = replace(PLAN.components[0], containers=((UNIT.name, "kserve-container"),))
    plan = replace(PLAN, components=(component,))

    (pod,) = pods_of(plan, status(replica(ReplicaState.GONE, cause)), node="here")

    assert [one["name"] for one in pod["spec"]["containers"]] == ["kserve-container"]
    (container,) = pod["status"]["containerStatuses"]
    assert (container["name"], container["state"]["waiting"]["reason"]) == ("kserve-container", "LoadError")


def test_a_failed_replica_names_the_unit_and_the_cause() -> None:
    cause = Cause(unit="classifier", reason="LoadError", message="model.joblib is truncated")
    (pod,) = pods_of(PLAN, status(replica(ReplicaState.GONE, cause)), node="here")

    assert pod["status"]["phase"] == "Failed"
    assert pod["status"]["message"] == "model.joblib is truncated"
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "LoadError", "message": "model.joblib is truncated"}


def test_times_are_written_as_kubernetes_writes_them() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00Z"
