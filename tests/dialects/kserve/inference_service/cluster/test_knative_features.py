"""Which switches of Knative's a pod needs."""

from typing import Any

import pytest

from fairlead.dialects.kserve.inference_service.cluster.knative_features import warnings_of
from support.stored_docs import DocumentWorld


def _switched(**features: str) -> DocumentWorld:
    data = {f"kubernetes.podspec-{name.replace('_', '-')}": value for name, value in features.items()}
    metadata = {"name": "config-features", "namespace": "knative-serving"}
    return DocumentWorld([{"kind": "ConfigMap", "metadata": metadata, "data": data}])


CLAIM: dict[str, Any] = {"persistentVolumeClaim": {"claimName": "models"}}


@pytest.mark.parametrize(
    ("pod", "missing"),
    [
        ({"containers": [{}]}, []),
        ({"initContainers": [{}]}, ["init-containers"]),
        ({"nodeSelector": {"disk": "fast"}, "affinity": {}}, ["nodeselector"]),
        ({"volumes": [{"emptyDir": {}}, {"configMap": {}}]}, []),
        ({"volumes": [CLAIM, CLAIM]}, ["persistent-volume-claim", "persistent-volume-write"]),
    ],
)
def test_a_switch_that_is_off_is_named(pod: dict[str, Any], missing: list[str]) -> None:
    found = list(warnings_of(pod, "spec.predictor", DocumentWorld()))

    assert len(found) == bool(missing)
    assert all(f"kubernetes.podspec-{name}: enabled" in found[0] for name in missing)


def test_a_switch_that_is_on_is_not_missed() -> None:
    world = _switched(init_containers="Enabled")

    assert list(warnings_of({"initContainers": [{}]}, "spec.predictor", world)) == []


def test_a_default_may_be_switched_off() -> None:
    world = _switched(volumes_emptydir="disabled")

    assert len(list(warnings_of({"volumes": [{"emptyDir": {}}]}, "spec.predictor", world))) == 1
