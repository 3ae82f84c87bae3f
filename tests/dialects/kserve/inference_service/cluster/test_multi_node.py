"""A predictor of several nodes."""

from typing import Any

import pytest

from fairlead.dialects.base import Document
from fairlead.errors import InvalidManifest
from fairlead.plan.layout import Layout
from support.isvc import isvc, model
from support.kserve_cluster import Cluster


def _runtime(*, worker: Any = None, annotations: Any = None) -> Document:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "nodes", "namespace": "models"},
        "spec": {
            "annotations": annotations or {},
            "supportedModelFormats": [{"name": "sklearn", "autoSelect": True}],
            "containers": [{"name": "kserve-container", "image": "server:1"}],
            "workerSpec": {
                "pipelineParallelSize": 2,
                "containers": [{"name": "worker-container", "image": "server:1", **(worker or {})}],
                "tolerations": [{"key": "gpu"}],
                "futureX": 1,
            },
        },
    }


def _layout(runtime: Document, *, generation: int = 7, **worker: Any) -> Layout:
    doc = isvc({**model(uri="pvc://claim/big"), "serviceAccountName": "reader", "workerSpec": worker})
    doc["metadata"]["generation"] = generation
    return Cluster(stored=(runtime,)).layout(doc)


def _env(layout: Layout, number: int) -> dict[str, str]:
    container = layout.workloads[number].pod.spec["containers"][0]
    return {one["name"]: one["value"] for one in container["env"]}


def test_the_head_answers_and_its_workers_are_as_many_as_are_left() -> None:
    layout = _layout(_runtime(), tensorParallelSize=2)

    head, workers = layout.workloads
    assert (head.name, head.replicas, head.scaler) == ("iris-predictor", 1, None)
    assert (workers.name, workers.replicas, workers.scaler) == ("iris-predictor-worker", 3, None)
    assert workers.strategy == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "0%", "maxSurge": "100%"},
    }


def test_nodes_are_told_about_each_other() -> None:
    layout = _layout(_runtime(), tensorParallelSize=2)

    shared = {"PIPELINE_PARALLEL_SIZE": "2", "TENSOR_PARALLEL_SIZE": "2", "RAY_NODE_COUNT": "4"}
    assert shared.items() <= _env(layout, 0).items()
    assert shared.items() <= _env(layout, 1).items()
    assert _env(layout, 0)["MODEL_DIR"] == "/mnt/models"
    assert (_env(layout, 1)["HEAD_SVC"], _env(layout, 1)["WORKER_SVC"]) == ("iris-head-7", "iris-workers-7")


def test_nodes_of_one_generation_find_each_other_before_they_are_ready() -> None:
    services = {one.name: one for one in _layout(_runtime()).services}

    assert set(services) == {"iris-predictor", "iris-head-7", "iris-workers-7"}
    assert services["iris-head-7"].selector == {"app": "isvc.iris-predictor", "isvc.generation": "7"}
    assert services["iris-workers-7"].selector == {"app": "isvc.iris-predictor-worker", "isvc.generation": "7"}
    assert all(services[name].has_unready and services[name].is_headless for name in ("iris-head-7", "iris-workers-7"))


def test_roles_are_labels() -> None:
    head, workers = _layout(_runtime()).workloads

    assert (head.pod.labels["multinode/role"], workers.pod.labels["multinode/role"]) == ("head", "worker")


def test_every_node_sees_the_model() -> None:
    for workload in _layout(_runtime()).workloads:
        (mount,) = workload.pod.spec["containers"][0]["volumeMounts"]
        assert (mount["mountPath"], mount["subPath"]) == ("/mnt/models", "big")
        assert workload.pod.spec["serviceAccountName"] == "reader"


def test_a_workers_pod_is_the_runtimes_under_the_manifests() -> None:
    own = [{"name": "worker-container", "args": ["--mine"]}]

    spec = _layout(_runtime(worker={"args": ["--name={{.Name}}"]}), containers=own, nodeName="n").workloads[1].pod.spec

    assert spec["containers"][0]["args"] == ["--name=iris", "--mine"]
    assert (spec["tolerations"], spec["nodeName"], spec["futureX"]) == ([{"key": "gpu"}], "n", 1)
    assert "readinessProbe" not in spec["containers"][0]


def test_with_mp_every_node_has_the_same() -> None:
    layout = _layout(_runtime(annotations={"multinode/executor-backend": "mp"}), tensorParallelSize=4)

    gpus = [one.pod.spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] for one in layout.workloads]
    assert (gpus, layout.workloads[1].replicas) == (["4", "4"], 1)


def test_a_template_that_is_not_understood_is_told() -> None:
    with pytest.raises(
        InvalidManifest, match="failed to replace placeholders in serving runtime nodes Container worker"
    ):
        _layout(_runtime(worker={"args": ["{{.Nope}}"]}))
