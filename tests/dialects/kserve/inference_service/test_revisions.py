"""When a component gets a new revision, and which are kept."""

from typing import Any

import pytest

from fairlead.dialects.kserve.inference_service.revisions import KEPT
from fairlead.plan.status import Phase
from support.isvc import isvc, model
from support.rollouts import Life, weights

ENTRY = "/serving/models/iris/"


def stored(life: Life) -> list[str]:
    return sorted(name for kind, _, name in life.world.objects if kind == "Revision")


def annotate(life: Life, **annotations: str) -> None:
    metadata = life.doc["metadata"]
    known = metadata.get("annotations") or {}
    life.doc = {**life.doc, "metadata": {**metadata, "annotations": {**known, **annotations}}}


@pytest.fixture
def life() -> Life:
    life = Life(doc=isvc(model(uri="gs://m/1")))
    life.settle()
    return life


def test_a_revision_holds_what_it_was_made_of(life: Life) -> None:
    record = life.world.objects["Revision", "models", "iris-predictor-00001"]

    assert record["metadata"]["labels"]["serving.knative.dev/configuration"] == "iris-predictor"
    assert record["metadata"]["labels"]["serving.knative.dev/configurationGeneration"] == "1"
    template = record["spec"]["template"]
    assert template["spec"]["model"]["storageUri"] == "gs://m/1"
    assert template["runtime"]["name"] == "kserve-sklearnserver"


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://m/2"}},
        {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://m/1", "env": [{"name": "A", "value": "b"}]}},
        {"minReplicas": 2},
        {"maxReplicas": 4},
        {"scaleTarget": 7},
        {"containerConcurrency": 3},
        {"annotations": {"autoscaling.knative.dev/window": "10s"}},
    ],
)
def test_a_change_of_the_template_makes_a_revision(life: Life, change: dict[str, Any]) -> None:
    life.change(**change)

    life.look()

    assert stored(life) == ["iris-predictor-00001", "iris-predictor-00002"]


def test_what_only_concerns_traffic_makes_none(life: Life) -> None:
    life.change(canaryTrafficPercent=20)
    annotate(life, **{"serving.kserve.io/enable-tag-routing": "true"})

    life.look()

    assert stored(life) == ["iris-predictor-00001"]


def test_a_template_that_comes_back_gets_a_number_of_its_own(life: Life) -> None:
    life.model("gs://m/2")
    life.settle()
    life.model("gs://m/1")

    plan = life.settle()

    assert [component.name for component in plan.components] == ["predictor-00003"]


def test_looking_twice_makes_no_second_revision(life: Life) -> None:
    life.model("gs://m/2")

    life.look()
    life.look()

    assert stored(life) == ["iris-predictor-00001", "iris-predictor-00002"]


def test_the_newest_are_kept_and_those_in_use(life: Life) -> None:
    life.change(canaryTrafficPercent=10)
    for number in range(2, 16):
        life.model(f"gs://m/{number}")
        life.settle()

    kept = [f"iris-predictor-{number:05d}" for number in range(16 - KEPT, 16)]
    assert stored(life) == ["iris-predictor-00001", *kept]
    assert weights(life.look(), ENTRY) == {"predictor-00015": 10, "predictor-00001": 90}


def test_an_edited_runtime_makes_a_revision_unless_that_is_switched_off(life: Life) -> None:
    edit_runtime(life)
    life.look()
    assert stored(life) == ["iris-predictor-00001", "iris-predictor-00002"]

    life.settle()
    annotate(life, **{"serving.kserve.io/disable-auto-update": "true"})
    # The annotation reaches pods no more than the runtime's edit does.
    edit_runtime(life)
    life.look()
    assert stored(life) == ["iris-predictor-00001", "iris-predictor-00002"]

    life.model("gs://m/2")
    life.look()
    assert stored(life)[-1] == "iris-predictor-00003"


@pytest.mark.parametrize("is_pinned", [True, False])
def test_an_edited_runtime_reaches_standard_mode_unless_that_is_switched_off(is_pinned: bool) -> None:
    annotations = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/disable-auto-update": str(is_pinned).lower(),
    }
    life = Life(doc=isvc(model(uri="gs://m/1"), annotations=annotations))
    before = life.settle().components[0].revision.hash

    edit_runtime(life)
    life.restart()
    after = life.settle().components[0].revision.hash
    assert (after == before) is is_pinned

    life.model("gs://m/2")
    assert life.settle().components[0].revision.hash not in (before, after)


def edit_runtime(life: Life) -> None:
    key = "ClusterServingRuntime", "", "kserve-sklearnserver"
    runtime = life.world.objects[key]
    containers = [dict(one) for one in runtime["spec"]["containers"]]
    containers[0]["env"] = [*containers[0].get("env", []), {"name": "EDITED", "value": "yes"}]
    life.world.objects[key] = {**runtime, "spec": {**runtime["spec"], "containers": containers}}


def test_a_service_that_is_stopped_keeps_none_and_begins_anew(life: Life) -> None:
    life.model("gs://m/2")
    life.settle()
    annotate(life, **{"serving.kserve.io/stop": "True"})

    plan = life.settle()
    assert (plan.components, plan.routes, stored(life)) == ((), (), [])

    annotate(life, **{"serving.kserve.io/stop": "false"})
    assert [component.name for component in life.settle().components] == ["predictor-00001"]


def test_revisions_of_a_deleted_service_of_the_same_name_are_strangers(life: Life) -> None:
    record = life.world.objects["Revision", "models", "iris-predictor-00001"]
    metadata = {**record["metadata"], "ownerReferences": [{"uid": "another"}]}
    life.world.objects["Revision", "models", "iris-predictor-00001"] = {**record, "metadata": metadata}
    life.doc["metadata"]["uid"] = "mine"
    life.doc.pop("status")

    life.model("gs://m/2")
    life.look()

    assert stored(life) == ["iris-predictor-00001"]


def test_standard_mode_has_no_revisions() -> None:
    life = Life(doc=isvc(model(), annotations={"serving.kserve.io/deploymentMode": "Standard"}))

    plan = life.settle()

    assert stored(life) == []
    assert [component.name for component in plan.components] == ["predictor"]


def test_a_revision_starts_with_one_replica_and_sleeps_after_it_was_ready() -> None:
    life = Life(doc=isvc({**model(), "minReplicas": 0}), fate={"predictor-00001": Phase.STARTING})
    life.settle()
    assert life.look().components[0].scale.initial_replicas == 1

    life.fate.clear()

    assert life.settle().components[0].scale.initial_replicas == 0
