"""Two services that would answer under one name."""

from typing import Any

from fairlead.cli import readiness
from fairlead.dialects.kserve.inference_service.claims import conflicts_of, told_conflicts
from fairlead.dialects.kserve.inference_service.hosts import Ingress
from support.isvc import isvc, model
from support.rollouts import Installation, Life, weights

STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}


def service(name: str, namespace: str, created: str, **others: Any) -> dict[str, Any]:
    doc = isvc(model(), **others)
    metadata = {**doc["metadata"], "name": name, "namespace": namespace, "creationTimestamp": created}
    return {**doc, "metadata": metadata}


def test_the_older_service_keeps_its_name() -> None:
    old = service("a-b", "c", "2026-01-01T00:00:00Z", annotations=STANDARD)
    young = service("a", "b-c", "2026-01-02T00:00:00Z", annotations=STANDARD)
    world = Installation(old, young)
    ingress = Ingress(domain="example.org")

    assert conflicts_of(old, world, ingress, "Knative") == ()
    (conflict,) = conflicts_of(young, world, ingress, "Knative")
    assert told_conflicts([conflict]) == "a-b-c.example.org belongs to the InferenceService c/a-b, which is older"


def test_a_service_that_loses_a_name_has_its_others_and_says_so() -> None:
    old = service("iris", "models", "2026-01-01T00:00:00Z")
    life = Life(doc=service("iris-predictor", "models", "2026-01-02T00:00:00Z"), world=Installation(old))

    plan = life.settle()

    hosts = {route.host for route in plan.routes}
    assert "iris-predictor.models.example.com" not in hosts
    assert "iris-predictor-predictor.models.example.com" in hosts
    assert not any(route.path_prefix == "/serving/models/iris-predictor/" for route in plan.routes)
    ready = next(one for one in life.doc["status"]["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "HostConflict")
    assert ready["message"] == (
        "iris-predictor.models.example.com and 3 other names belong to the InferenceService models/iris, which is older"
    )
    assert "url" not in life.doc["status"]
    assert [(one.namespace, one.name) for one in plan.behind] == [("models", "iris")]
    assert readiness.read(life.doc).stage is readiness.Stage.FAILED

    del life.world.objects["InferenceService", "models", "iris"]
    plan = life.settle()
    assert weights(plan, "iris-predictor.models.example.com") == {"predictor-00001": 100}
    assert plan.behind == ()
    assert readiness.read(life.doc).stage is readiness.Stage.READY


def test_a_service_that_comes_later_takes_nothing_away() -> None:
    young = service("iris-predictor", "models", "2026-01-02T00:00:00Z")
    life = Life(doc=service("iris", "models", "2026-01-01T00:00:00Z"), world=Installation(young))

    assert weights(life.settle(), "iris-predictor.models.example.com") == {"predictor-00001": 100}


def test_a_tag_of_an_older_service_is_not_to_be_had() -> None:
    old = service("iris", "models", "2026-01-01T00:00:00Z")
    young = service("prev-iris-predictor", "models", "2026-01-02T00:00:00Z")

    found = conflicts_of(young, Installation(old, young), Ingress(domain="example.org"), "Knative")

    assert "prev-iris-predictor.models.example.org" in [conflict.host for conflict in found]
