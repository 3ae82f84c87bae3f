"""The orchestrator: where it is, what it is told, and that ours understands it."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from fairlead.dialects.document import load
from fairlead.errors import InvalidManifest
from fairlead.plan.layout import Layout
from fairlead.pods.engine import started
from support import golden_objects
from support.sdep import MODEL, one, pod, predictor, sdep
from support.seldon_layouts import container, laid_out, lay_out, predictor_of, service, variables, workload

NODE = {"name": "model", "image": "acme/model:1"}


def engines(layout: Layout) -> list[dict[str, Any]]:
    """The containers that run our orchestrator."""
    containers = (item for found in layout.workloads for item in found.pod.spec["containers"])
    return [item for item in containers if item.get("args", [""])[0] == "engine"]


def test_it_is_appended_to_the_pod_of_the_first_node_here() -> None:
    layout = lay_out(one(NODE))

    assert [item["name"] for item in workload(layout).pod.spec["containers"]] == ["model", "seldon-container-engine"]
    found = container(layout, "seldon-container-engine")
    assert found["args"] == [
        *("engine", "--sdep", "iris", "--namespace", "seldon", "--predictor", "default"),
        *("--http_port", "8000", "--grpc_port", "5001", "--protocol", "seldon", "--transport", "rest"),
        *("--prometheus_path", "/prometheus", "--server_type", "rpc", "--log_work_buffer_size", "10000"),
        *("--log_write_timeout_ms", "2000", "--full_health_checks=false"),
    ]
    assert found["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 8000, "scheme": "HTTP"}
    assert found["resources"]["limits"] == {"cpu": "500m", "memory": "512Mi"}
    assert found["securityContext"] == {"runAsUser": 8888, "allowPrivilegeEscalation": False}


def test_it_is_told_where_every_node_is() -> None:
    graph = {"name": "a", "type": "TRANSFORMER", "children": [{"name": "b", "type": "MODEL"}]}
    pods = [pod({"name": "a", "image": "x"}), pod({"name": "b", "image": "x"})]

    told = predictor_of(
        container(lay_out(sdep(predictor(graph=graph, componentSpecs=pods))), "seldon-container-engine")
    )

    first, second = told["graph"], told["graph"]["children"][0]
    assert first["endpoint"]["service_host"] == "localhost"
    assert second["endpoint"]["service_host"] == "iris-default-b.seldon.svc.cluster.local"
    assert second["endpoint"]["httpPort"] == 9001


def test_shares_replicas_and_the_explainer_restart_nothing() -> None:
    doc = sdep(predictor("a", traffic=60), predictor("b", traffic=40))
    other = deepcopy(doc)
    other["spec"]["replicas"] = 3
    for item, traffic in zip(other["spec"]["predictors"], (10, 90), strict=True):
        item |= {"traffic": traffic, "replicas": 2, "explainer": {"type": "ALE"}}

    before, after = lay_out(doc), lay_out(other)

    assert [item.pod for item in before.workloads] == [workload(after, item.name).pod for item in before.workloads]


def test_the_manifests_variables_win_over_its_annotations() -> None:
    annotations = {"seldon.io/engine-log-level": "DEBUG", "seldon.io/engine-mine": "1"}
    orchestrator = {"env": [{"name": "MINE", "value": "2"}]}
    doc = one(NODE) | {}
    doc["spec"] |= {"annotations": annotations}
    doc["spec"]["predictors"][0]["svcOrchSpec"] = orchestrator

    found = variables(container(lay_out(doc), "seldon-container-engine"))

    assert (found["LOG_LEVEL"], found["MINE"]) == ("DEBUG", "2")


def test_a_logger_setting_that_is_no_number_is_refused() -> None:
    doc = sdep(predictor(), annotations={"seldon.io/executor-logger-queue-size": "many"})

    with pytest.raises(InvalidManifest, match="'many' is not a whole number"):
        lay_out(doc)


def test_in_a_pod_of_its_own_it_scales_by_itself() -> None:
    doc = sdep(
        predictor(replicas=2, svcOrchSpec={"replicas": 3}), annotations={"seldon.io/engine-separate-pod": "TRUE"}
    )

    layout = lay_out(doc)

    assert [(item.name, item.replicas) for item in layout.workloads] == [
        ("iris-default-0-classifier", 2),
        ("iris-default-svc-orch", 3),
    ]
    assert (
        service(layout, "iris-default").selector.items() <= workload(layout, "iris-default-svc-orch").pod.labels.items()
    )
    assert "seldon-app" not in workload(layout).pod.labels


def test_a_graph_of_built_in_nodes_has_it_alone() -> None:
    layout = lay_out(sdep(predictor(graph={"name": "m", "implementation": "SIMPLE_MODEL"})))

    assert [item.name for item in layout.workloads] == ["iris-default-svc-orch"]


def test_without_it_the_predictors_service_leads_to_the_model() -> None:
    layout = lay_out(sdep(predictor(annotations={"seldon.io/no-engine": "true"})))

    assert engines(layout) == []
    assert [port.port for port in service(layout, "iris-default").ports] == [9000, 9500]
    assert workload(layout).pod.labels["seldon-app"] == "iris-default"


def test_an_image_of_the_installations_gets_no_command_of_ours() -> None:
    layout = lay_out(sdep(), executor={"image": {"repository": "seldonio/seldon-core-executor", "tag": "1.18.2"}})

    found = container(layout, "seldon-container-engine")
    assert found["image"] == "seldonio/seldon-core-executor:1.18.2"
    assert found["args"][0] == "--sdep"
    assert "seldon-container-engine" not in workload(layout).pod.own


def test_its_port_is_the_services_too() -> None:
    layout = lay_out(one(NODE), executor={"port": 8100})

    assert service(layout, "iris-default").ports[0].port == 8100
    assert container(layout, "seldon-container-engine")["args"][8] == "8100"


def test_it_serves_tls_with_the_predictors_certificate() -> None:
    layout = lay_out(
        sdep(predictor(graph=MODEL, ssl={"certSecretName": "iris-tls"}), annotations={"fairlead.dev/fuse": "false"})
    )

    found = container(layout, "seldon-container-engine")
    assert found["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert variables(found)["SELDON_CERT_MOUNT_PATH"] == "/cert/"
    assert {"name": "seldon-cert-volume", "secret": {"secretName": "iris-tls"}} in workload(layout).pod.spec["volumes"]


FOLDERS = [folder for folder in golden_objects.folders() if folder.parent.name == "seldon"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_ours_understands_what_it_is_told(folder: Path) -> None:
    doc = load((folder / "manifest.yaml").read_text(), "manifest.yaml")[0].doc
    stored = folder / "world.yaml"
    world = [item.doc for item in load(stored.read_text(), stored.name)] if stored.exists() else []
    try:
        layout = laid_out(doc, golden_objects.settings_of(folder), world)
    except InvalidManifest:
        assert (folder / "kubernetes.yaml").read_text().startswith("# refused")
        return

    for found in engines(layout):
        begun = started(found["args"][1:], variables(found))

        names = {placement.unit for placement in begun.spec.placements}
        assert names == {unit.name for unit in begun.spec.revision.units if unit.runtime != "builtin"}
        assert [text for text in begun.warnings if "is not known" in text] == []
