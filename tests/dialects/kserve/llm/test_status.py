"""What becomes of an LLMInferenceService's status."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import KServeDialect
from fairlead.plan.model import Owner
from fairlead.plan.status import Cause, ComponentStatus, Phase, PlanStatus
from support.stored_docs import DocumentWorld

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
DIALECT = KServeDialect("http://localhost:8080")


def service(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": {"name": "writer", "namespace": "llms", "generation": 2},
        "spec": {"model": {"uri": "hf://org/tiny"}, **spec},
    }


def status(
    doc: dict[str, Any], phase: Phase, *, desired: int = 1, ready: int = 0, cause: Cause | None = None, now: str = NOW
) -> dict[str, Any]:
    plan = DIALECT.lower(doc, catalog=Catalog(), world=DocumentWorld())
    states = tuple(
        ComponentStatus(
            component=one.name,
            full_name=one.full_name,
            revision=one.revision.hash,
            phase=phase,
            desired=desired,
            ready=ready,
            cause=cause,
        )
        for one in plan.components
    )
    owner = Owner(api_version="", kind="", namespace="llms", name="writer", generation=2)
    observed = PlanStatus(owner=owner, components=states, routed=phase is Phase.READY)
    return DIALECT.status(doc, plan, observed, now=now, world=DocumentWorld())


def states(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in found["conditions"]}


def test_one_that_loads_is_not_ready_and_says_what_it_does() -> None:
    found = status(service(), Phase.STARTING)

    assert states(found) == {
        "HTTPRoutesReady": "Unknown",
        "MainWorkloadReady": "Unknown",
        "PresetsCombined": "True",
        "Ready": "Unknown",
        "RouterReady": "Unknown",
        "WorkloadsReady": "Unknown",
    }
    assert "url" not in found
    ready = next(one for one in found["conditions"] if one["type"] == "Ready")
    assert ready["message"] == "writer-kserve: loading its model (0 of 1 replicas ready)"


def test_one_that_is_up_is_ready_and_keeps_its_times() -> None:
    doc = service()
    doc["status"] = status(doc, Phase.READY, ready=1)
    again = status(doc, Phase.READY, ready=1, now=LATER)

    assert set(states(again).values()) == {"True"}
    assert {one["lastTransitionTime"] for one in again["conditions"]} == {NOW}
    assert again["url"] == "http://localhost:8080/llms/writer"
    assert again["workloads"]["primary"]["name"] == "writer-kserve"


def test_one_that_fails_says_why_in_every_condition_above() -> None:
    cause = Cause(unit="writer", reason="DownloadFailed", message="no such repository")
    found = status(service(), Phase.FAILED, cause=cause)

    told = {one["type"]: one.get("reason") for one in found["conditions"] if one["status"] == "False"}
    assert told == dict.fromkeys(("MainWorkloadReady", "WorkloadsReady", "Ready"), "DownloadFailed")


def test_one_at_zero_after_it_was_ready_is_ready() -> None:
    doc = service(scaling={"minReplicas": 0, "maxReplicas": 2})
    doc["status"] = status(doc, Phase.READY, ready=1)

    assert states(status(doc, Phase.PENDING, desired=0))["Ready"] == "True"


def test_one_that_wants_no_replica_is_as_it_should_be() -> None:
    assert states(status(service(replicas=0), Phase.PENDING, desired=0))["MainWorkloadReady"] == "True"
