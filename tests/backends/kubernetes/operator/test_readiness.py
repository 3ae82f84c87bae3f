"""When a workload is ready as it is wanted now."""

from typing import Any

import pytest

from fairlead.backends.kubernetes.operator.readiness import is_ready, is_workload


def deployment(wanted: int | None, generation: int = 2, **status: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "generation": generation},
        "spec": {} if wanted is None else {"replicas": wanted},
        "status": {"observedGeneration": 2, **status},
    }


@pytest.mark.parametrize(
    ("doc", "ready"),
    [
        (deployment(2, replicas=2, updatedReplicas=2, availableReplicas=2), True),
        (deployment(0), True),
        (deployment(None, replicas=1, updatedReplicas=1, availableReplicas=1), True),
        (deployment(2, 3, replicas=2, updatedReplicas=2, availableReplicas=2), False),
        (deployment(2, replicas=2, updatedReplicas=1, availableReplicas=2), False),
        (deployment(2, replicas=3, updatedReplicas=2, availableReplicas=2), False),
        (deployment(2, replicas=2, updatedReplicas=2, availableReplicas=1), False),
        (deployment(1), False),
    ],
)
def test_a_deployment_is_ready_when_all_its_pods_are_new_and_available(doc: dict[str, Any], ready: bool) -> None:
    assert is_ready(doc) is ready


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_knative_service_says_itself_whether_it_is_ready(status: str, ready: bool) -> None:
    doc = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "s", "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": status}]},
    }

    assert is_workload(doc)
    assert is_ready(doc) is ready


def test_a_plain_service_has_no_pods_of_its_own() -> None:
    assert not is_workload({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}})
