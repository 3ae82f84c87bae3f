"""Pods of components: what users wrote stays, and what KServe adds is there."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.findings import Findings
from fairlead.dialects.given import GivenWorld
from fairlead.dialects.kserve.inference_service.cluster.asked import asked_templates
from fairlead.dialects.kserve.inference_service.cluster.draft import NOT_OF_PODS
from fairlead.dialects.kserve.inference_service.cluster.pods import composed_pod, pod_template
from fairlead.dialects.kserve.serving_runtime.cluster_seeds import cluster_runtimes
from fairlead.dialects.kserve.site import site_of
from support.isvc import Stored, container, isvc, model
from support.kserve_cluster import settings_map
from support.kserve_pods import composed, containers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=2),
    max_leaves=5,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{3,8}X", fullmatch=True), JSON.filter(lambda one: one is not None)))
def test_fields_of_a_pod_that_nobody_knows_are_passed_on(fields: dict[str, Any]) -> None:
    pod, _ = composed(isvc({**model(), **fields}))

    assert {key: pod.pod.spec[key] for key in fields} == fields


def test_fields_of_a_container_that_nobody_knows_are_passed_on() -> None:
    pod, _ = composed(isvc(container(future={"deep": [1]}, volumeMounts=[{"name": "a", "mountPath": "/a", "x": 1}])))

    server = containers(pod)["kserve-container"]
    assert server["future"] == {"deep": [1]}
    assert server["volumeMounts"][0]["x"] == 1


def test_no_field_of_a_component_ends_up_in_its_pod() -> None:
    doc = isvc({**model(), "minReplicas": 2, "timeout": 3, "labels": {"a": "b"}, "batcher": {}, "scaleMetric": "cpu"})

    pod, _ = composed(doc)

    assert not NOT_OF_PODS & set(pod.pod.spec)


def test_containers_of_our_image_are_told_from_those_of_others() -> None:
    doc = isvc({**model(), "logger": {"mode": "all"}})

    pod, _ = composed(doc)

    assert pod.pod.own == {"storage-initializer", "agent"}


def test_an_image_is_ours_in_any_version() -> None:
    settings = ClusterSettings(image="registry.example.com:5000/fairlead:2", runtime_images={"sklearn": "small:1"})
    site = site_of(settings, Stored())

    ours = ("registry.example.com:5000/fairlead:1", "registry.example.com:5000/fairlead@sha256:00", "small")
    assert all(site.is_ours(image) for image in ours)
    assert not any(site.is_ours(image) for image in ("", "fairlead:2", "registry.example.com:5000/fairlead-gpu:2"))


def test_in_knatives_mode_kubernetes_defaults_are_left_to_knative() -> None:
    standard, _ = composed(isvc(model()))
    knative, _ = composed(isvc(model()), is_knative=True)

    assert standard.pod.spec["restartPolicy"] == "Always"
    assert not {"restartPolicy", "dnsPolicy", "terminationGracePeriodSeconds"} & set(knative.pod.spec)
    assert "readinessProbe" not in containers(knative)["kserve-container"]


def test_what_an_installation_keeps_from_pods_does_not_reach_them_from_the_service_alone() -> None:
    config = settings_map(inferenceService='{"serviceLabelDisallowedList": ["cost", "team"]}')
    doc = isvc({**model(), "labels": {"team": "flowers"}}, labels={"cost": "1", "team": "x", "kept": "1"})

    pod, _ = composed(doc, config)

    assert pod.pod.labels["team"] == "flowers"
    assert pod.pod.labels["kept"] == "1"
    assert "cost" not in pod.pod.labels


def test_the_accelerators_node_is_chosen_for_pods_with_a_gpu_alone() -> None:
    wanted = {"serving.kserve.io/gke-accelerator": "nvidia-l4"}
    with_gpu = model(image="mine:1", resources={"limits": {"nvidia.com/gpu": 1}})

    assert "nodeSelector" not in composed(isvc(model(), annotations=wanted))[0].pod.spec
    selector = composed(isvc({**with_gpu, "nodeSelector": {"a": "b"}}, annotations=wanted))[0].pod.spec["nodeSelector"]
    assert selector == {"a": "b", "cloud.google.com/gke-accelerator": "nvidia-l4"}


def test_metrics_are_the_servers_in_standard_mode_and_the_queues_in_knatives() -> None:
    said = {"serving.kserve.io/enable-prometheus-scraping": "true", "prometheus.kserve.io/port": "9100"}
    doc = isvc(container(), annotations=said)

    assert composed(doc)[0].pod.annotations["prometheus.io/port"] == "9100"
    assert composed(doc, is_knative=True)[0].pod.annotations["prometheus.io/port"] == "9091"


def test_our_server_keeps_its_image_whatever_version_and_device_are_asked_for() -> None:
    settings = ClusterSettings(image="fairlead@sha256:1234")
    asked = model("huggingface", runtimeVersion="v9", resources={"limits": {"nvidia.com/gpu": 1}})
    site, findings = site_of(settings, GivenWorld(cluster_runtimes(settings))), Findings()
    template = asked_templates(isvc(asked), site, is_knative=False)[0]

    pod = pod_template(template, site, findings)

    assert pod is not None
    assert pod.spec["containers"][0]["image"] == "fairlead@sha256:1234"
    assert [warning.partition(":")[0] for warning in findings.warnings] == [
        "spec.predictor.model.runtimeVersion is not used",
        "spec.predictor.model",
    ]


def test_a_transformer_calls_the_predictor_by_the_name_of_its_service() -> None:
    site, findings = site_of(ClusterSettings(), Stored()), Findings()
    template = asked_templates(isvc(model(), transformer=container()), site, is_knative=False)[1]

    pod = composed_pod(template, site, findings, predictor="iris-blue-predictor")

    assert pod is not None
    assert "iris-blue-predictor.models" in pod.pod.spec["containers"][0]["args"]
