"""What an InferenceGraph's status tells."""

from collections.abc import Sequence
from typing import Any

import pytest

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import KServeDialect
from fairlead.errors import FairleadError
from fairlead.plan.model import ComponentName, Owner
from fairlead.plan.status import Cause, ComponentStatus, Phase, PlanStatus, Progress
from support.stored_docs import DocumentWorld

NOW, EARLIER = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"
DIALECT = KServeDialect("http://localhost:8080")


def graph(*services: str, annotations: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    steps = [{"serviceName": name} for name in services] or [{"serviceUrl": "http://elsewhere/"}]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {
            "name": "ig", "namespace": "ns", "uid": "u", "generation": 3, "annotations": annotations or {}
        },
        "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}},
        "status": status,
    }  # fmt: skip


def service(name: str, ready: str) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://x"}}},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def observed(
    phase: Phase = Phase.READY, *, desired: int = 1, ready: int = 1, routed: bool = True, **fields: Any
) -> PlanStatus:
    owner = Owner(api_version="v", kind="InferenceGraph", namespace="ns", name="ig", uid="u", generation=3)
    component = ComponentStatus(
        component=ComponentName("ig"), full_name="ig", revision="r", phase=phase, desired=desired, ready=ready, **fields
    )
    return PlanStatus(owner=owner, components=(component,), routed=routed)


def status(doc: dict[str, Any], seen: PlanStatus, documents: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    world = DocumentWorld(documents)
    plan = DIALECT.lower(doc, catalog=Catalog(), world=world)
    return DIALECT.status(doc, plan, seen, now=NOW, world=world)


def conditions(told: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {one["type"]: (one["status"], one.get("reason", ""), one.get("message", "")) for one in told["conditions"]}


def test_a_graph_that_answers_is_ready_and_has_a_url() -> None:
    told = status(graph("a"), observed(), [service("a", "True")])

    assert told["url"] == "http://ig.ns.localhost:8080"
    assert (told["deploymentMode"], told["observedGeneration"]) == ("Knative", 3)
    assert conditions(told) == {
        "ConfigurationsReady": ("True", "", ""),
        "Ready": ("True", "", ""),
        "RoutesReady": ("True", "", ""),
        "Stopped": ("False", "", ""),
    }


def test_standard_mode_has_a_name_of_its_template_and_no_conditions_of_knatives() -> None:
    told = status(graph(annotations={"serving.kserve.io/deploymentMode": "Standard"}), observed())

    assert (told["url"], told["deploymentMode"]) == ("http://ig-ns.localhost:8080", "Standard")
    assert set(conditions(told)) == {"Ready", "Stopped"}


@pytest.mark.parametrize(
    ("documents", "reason", "message"),
    [([service("a", "False")], "ServiceNotReady", "service a is not ready")],
)
def test_a_graph_waits_for_its_services(documents: list[dict[str, Any]], reason: str, message: str) -> None:
    told = status(graph("a"), observed(), documents)

    assert conditions(told)["Ready"] == ("False", reason, message)
    assert conditions(told)["ConfigurationsReady"][0] == "True"


def test_a_service_that_went_away_is_named() -> None:
    doc, plan_world = graph("a"), DocumentWorld([service("a", "True")])
    plan = DIALECT.lower(doc, catalog=Catalog(), world=plan_world)

    told = DIALECT.status(doc, plan, observed(), now=NOW, world=DocumentWorld())

    assert conditions(told)["Ready"] == ("False", "ServiceNotFound", "Failed to find graph service a")


@pytest.mark.parametrize(
    ("seen", "ready"),
    [
        (observed(Phase.STARTING, ready=0), ("Unknown", "Deploying", "starting (0 of 1 replicas ready)")),
        (
            observed(Phase.DOWNLOADING, ready=0, progress=Progress(what="x", done_bytes=57, total_bytes=100)),
            ("Unknown", "Deploying", "downloading x (50 %)"),
        ),
        (
            observed(Phase.FAILED, ready=0, cause=Cause(unit="", reason="Exited", message="exit code 1")),
            ("False", "Exited", "exit code 1"),
        ),
        (
            observed(routed=False),
            ("Unknown", "IngressNotConfigured", "waiting for the gateway to route to it"),
        ),
        (observed(desired=0, ready=0), ("True", "", "")),
    ],
)
def test_a_graph_says_what_it_waits_for(seen: PlanStatus, ready: tuple[str, str, str]) -> None:
    assert conditions(status(graph(), seen))["Ready"] == ready


def test_a_stopped_graph_is_not_ready_and_has_no_url() -> None:
    doc = graph("nobody", annotations={"serving.kserve.io/stop": "true"}, url="http://was")
    seen = PlanStatus(owner=observed().owner, components=(), routed=True)

    told = status(doc, seen)

    assert conditions(told) == {"Ready": ("False", "Stopped", ""), "Stopped": ("True", "", "")}
    assert "url" not in told


def test_an_unchanged_condition_keeps_its_time_and_a_changed_one_does_not() -> None:
    before = [{"type": "Ready", "status": "True", "lastTransitionTime": EARLIER}]
    kept = status(graph(conditions=before), observed())
    changed = status(graph(conditions=before), observed(routed=False))

    assert times(kept)["Ready"] == EARLIER
    assert times(changed)["Ready"] == NOW


def times(told: dict[str, Any]) -> dict[str, str]:
    return {one["type"]: one["lastTransitionTime"] for one in told["conditions"]}


def test_a_graph_that_cannot_be_lowered_keeps_what_was_told() -> None:
    doc = graph("a", url="http://was", conditions=[{"type": "Stopped", "status": "False"}])

    with pytest.raises(FairleadError) as failed:
        DIALECT.lower(doc, catalog=Catalog(), world=DocumentWorld())
    told = DIALECT.failed_status(doc, failed.value, now=NOW, world=DocumentWorld())

    assert told["url"] == "http://was"
    assert conditions(told)["Ready"] == ("False", "ServiceNotFound", "Failed to find graph service a")
    assert conditions(told)["Stopped"][0] == "False"


def test_becoming_ready_and_being_so_no_more_are_events() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    broken = [{"type": "Ready", "status": "False", "message": "service a is not ready"}]

    up = DIALECT.events(graph(), {"conditions": ready})
    down = DIALECT.events(graph(conditions=ready), {"conditions": broken})

    assert [(one.reason, one.message) for one in up] == [("InferenceGraphReady", "InferenceGraph [ig] is Ready")]
    assert [(one.reason, one.is_warning) for one in down] == [("InferenceGraphNotReady", True)]
    assert down[0].message == "InferenceGraph [ig] is no longer Ready because of: service a is not ready"
    assert DIALECT.events(graph(conditions=ready), {"conditions": ready}) == ()


def test_a_graph_that_was_up_starts_with_as_few_as_it_may_have() -> None:
    new, known = graph(), graph(url="http://was")
    for doc in (new, known):
        doc["spec"]["minReplicas"] = 0

    first, later = (DIALECT.lower(doc, catalog=Catalog(), world=DocumentWorld()) for doc in (new, known))

    assert first.components[0].scale.initial_replicas == 1
    assert later.components[0].scale.initial_replicas == 0
    assert first.components[0].revision.hash == later.components[0].revision.hash
