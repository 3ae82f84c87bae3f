"""Standard mode as a whole: which objects there are, and what they are called."""

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import InvalidManifest
from support.isvc import container, isvc, model
from support.kserve_cluster import KNATIVE, Cluster, settings_map


def test_each_component_has_a_deployment_and_a_service_of_one_name() -> None:
    layout = Cluster().layout(isvc(model(), transformer=container(), explainer=container()))

    names = ["iris-predictor", "iris-transformer", "iris-explainer"]
    assert [one.name for one in layout.workloads] == names
    assert [one.name for one in layout.services] == names
    assert [one.component for one in layout.workloads] == ["predictor", "transformer", "explainer"]


def test_pods_are_selected_by_their_deployments_name() -> None:
    (workload,) = Cluster().layout(isvc(model())).workloads

    assert workload.selector == {"app": "isvc.iris-predictor"}
    assert workload.selector.items() <= workload.pod.labels.items()


@pytest.mark.parametrize(
    ("settings", "is_standard"),
    [(ClusterSettings(), True), (KNATIVE, False), (ClusterSettings(has_own_gateway=True), False)],
)
def test_the_mode_of_a_service_that_names_none_is_what_the_cluster_can(
    settings: ClusterSettings, *, is_standard: bool
) -> None:
    layout = Cluster(settings).layout(isvc(model()))

    assert bool(layout.workloads) is is_standard
    assert bool(layout.on_demand) is not is_standard


def test_the_settings_of_the_cluster_decide_before_that() -> None:
    config = settings_map(deploy='{"defaultDeploymentMode": "RawDeployment"}')

    assert Cluster(KNATIVE, stored=(config,)).layout(isvc(model())).workloads


def test_a_stopped_service_has_nothing() -> None:
    layout = Cluster().layout(isvc(model(), annotations={"serving.kserve.io/stop": "True"}))

    assert [*layout.workloads, *layout.services, *layout.exposures, *layout.configs] == []


def test_a_rollout_is_as_the_component_the_installation_or_kubernetes_says() -> None:
    config = settings_map(
        deploy='{"defaultDeploymentMode": "Standard", "deploymentRolloutStrategy": {"defaultRollout": '
        '{"maxSurge": "1", "maxUnavailable": "10%"}}}'
    )
    own = {"type": "Recreate"}
    quarter = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    configured = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "10%"}}

    assert Cluster().layout(isvc(model())).workloads[0].strategy == quarter
    assert Cluster(stored=(config,)).layout(isvc(model())).workloads[0].strategy == configured
    assert Cluster(stored=(config,)).layout(isvc({**model(), "deploymentStrategy": own})).workloads[0].strategy == own


def test_all_that_is_wrong_is_told_at_once() -> None:
    doc = isvc(model(uri="ftp://a"), transformer={**container(), "logger": {}})

    with pytest.raises(InvalidManifest) as caught:
        Cluster().layout(doc)

    assert [one.field for one in caught.value.problems] == [
        "spec.predictor.model.storageUri",
        "spec.transformer.logger.mode",
    ]


@pytest.mark.parametrize(
    ("seen", "ready", "expected"), [(3, "True", True), (2, "True", False), (3, "False", False), (None, "True", False)]
)
def test_a_ready_service_can_stay_as_it_is(seen: int | None, ready: str, *, expected: bool) -> None:
    doc = isvc(model(), annotations={"serving.kserve.io/disable-auto-update": "true"})
    doc["metadata"]["generation"] = 3
    doc["status"] = {"observedGeneration": seen, "conditions": [{"type": "Ready", "status": ready}]}

    assert Cluster().layout(doc).is_frozen is expected


def test_the_runtime_and_account_are_mentioned() -> None:
    layout = Cluster().layout(isvc(model()))

    assert {("ClusterServingRuntime", "kserve-sklearnserver"), ("ServiceAccount", "default")} <= set(layout.mentions)


def test_a_share_in_standard_mode_is_told_to_be_nobodys() -> None:
    layout = Cluster().layout(isvc({**model(), "canaryTrafficPercent": 10}))

    assert "spec.predictor.canaryTrafficPercent is ignored" in layout.warnings[0]


def test_model_mesh_runs_by_itself() -> None:
    layout = Cluster().layout(isvc(model(), annotations={"serving.kserve.io/deploymentMode": "ModelMesh"}))

    assert layout.workloads
    assert "ModelMesh is not there" in layout.warnings[0]
