"""Containers of graph nodes: what is added, and what of a user's stays."""

from typing import Any

import pytest

from support.sdep import MODEL, one, pod, predictor, sdep
from support.seldon_layouts import container, lay_out, variables, workload

NOT_FUSED: dict[str, Any] = {"annotations": {"fairlead.dev/fuse": "false"}}


def test_a_container_of_the_graph_has_ports_probes_and_time_to_leave() -> None:
    found = container(lay_out(one({"name": "model", "image": "acme/model:1"})), "model")

    assert [(item["name"], item["containerPort"]) for item in found["ports"]] == [
        ("http", 9000),
        ("grpc", 9500),
        ("metrics", 6000),
    ]
    assert found["readinessProbe"] == {
        "tcpSocket": {"port": "http"},
        "initialDelaySeconds": 20,
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 3,
        "timeoutSeconds": 1,
    }
    assert found["livenessProbe"]["initialDelaySeconds"] == 60
    assert found["lifecycle"]["preStop"]["exec"]["command"] == ["/bin/sh", "-c", "/bin/sleep 10"]


def test_probes_ask_the_port_of_the_transport() -> None:
    doc = sdep(predictor(), transport="grpc", **NOT_FUSED)

    found = container(lay_out(doc), "classifier")

    assert found["readinessProbe"]["tcpSocket"] == {"port": "grpc"}
    assert variables(found)["PREDICTIVE_UNIT_SERVICE_PORT"] == "9500"


def test_a_variable_of_the_users_keeps_its_value_and_its_neighbours() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "value": "1"}]

    found = container(lay_out(one({"name": "model", "image": "acme/model:1", "env": env})), "model")

    assert variables(found)["A"] == "1"
    assert variables(found)["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"] == "1"
    assert variables(found)["PREDICTIVE_UNIT_GRPC_SERVICE_PORT"] == "9500"


def test_no_variable_port_or_mount_is_there_twice() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "PREDICTOR_ID", "value": "mine"}]
    ports = [{"name": "http", "containerPort": 8080}, {"name": "other", "containerPort": 8080}]

    found = container(lay_out(one({"name": "model", "image": "a", "env": env, "ports": ports})), "model")

    assert variables(found)["A"] == "2"
    assert variables(found)["PREDICTOR_ID"] == "default"
    names = [item["name"] for item in found["env"]]
    assert len(names) == len(set(names))
    keys = [(item["containerPort"], item["protocol"]) for item in found["ports"]]
    assert len(keys) == len(set(keys))
    assert [item["name"] for item in found["ports"]][:2] == ["http", "other"]


def test_a_container_outside_the_graph_is_as_its_user_wrote_it() -> None:
    sidecar = {"name": "sidecar", "image": "acme/sidecar:1", "unknown": {"kept": True}}
    doc = sdep(predictor(componentSpecs=[pod(sidecar)]))

    assert container(lay_out(doc), "sidecar") == sidecar


def test_every_field_of_a_pod_is_kept() -> None:
    written = {"name": "model", "image": "a", "resizePolicy": [{"resourceName": "cpu"}], "stdin": True, "tty": None}
    doc = one(written, nodeSelector={"disk": "ssd"}, brandNewField={"a": [1, 2]}, securityContext={"fsGroup": 1})

    layout = lay_out(doc)

    spec = workload(layout).pod.spec
    assert spec["brandNewField"] == {"a": [1, 2]}
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["securityContext"] == {"fsGroup": 1}
    assert container(layout, "model")["resizePolicy"] == [{"resourceName": "cpu"}]
    assert "tty" not in container(layout, "model")


def test_the_document_is_not_changed() -> None:
    doc = one({"name": "model", "image": "a", "env": [{"name": "A", "value": "1"}]})
    before = repr(doc)

    lay_out(doc)

    assert repr(doc) == before


def test_our_image_serves_a_prepackaged_model_in_a_container_of_its_own() -> None:
    found = container(lay_out(sdep(predictor(), **NOT_FUSED)), "classifier")

    assert found["image"] == "fairlead/fairlead:latest"
    assert found["args"] == ["serve", "/mnt/models", "--format=sklearn", "--host=0.0.0.0"]
    assert variables(found)["PREDICTIVE_UNIT_PARAMETERS"] == (
        '[{"name":"model_uri","value":"/mnt/models","type":"STRING"}]'
    )


def test_mlserver_is_asked_for_its_health_its_own_way_at_the_users_pace() -> None:
    probe = {"exec": {"command": ["/ready"]}, "initialDelaySeconds": 3}
    written = {"name": "classifier", "image": "seldonio/mlserver:1.3.5-sklearn", "readinessProbe": probe}
    doc = sdep(predictor(componentSpecs=[pod(written)]), protocol="v2")

    found = container(lay_out(doc), "classifier")

    assert found["readinessProbe"] == {
        "httpGet": {"path": "/v2/health/ready", "port": "http"},
        "initialDelaySeconds": 3,
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 3,
        "timeoutSeconds": 60,
    }
    assert variables(found)["MLSERVER_MODEL_IMPLEMENTATION"] == "mlserver_sklearn.SKLearnModel"


def test_hugging_face_servers_get_a_place_for_what_they_fetch() -> None:
    graph = {"name": "writer", "implementation": "HUGGINGFACE_SERVER"}

    found = container(lay_out(sdep(predictor(graph=graph), protocol="v2")), "writer")

    assert found["image"] == "seldonio/mlserver:1.3.5-huggingface"
    assert variables(found)["XDG_CACHE_HOME"] == "/opt/mlserver"
    assert variables(found)["MLSERVER_PARALLEL_WORKERS"] == "0"


@pytest.mark.parametrize(
    ("annotation", "argument"), [("false", "--model-repository=/mnt/models"), ("TRUE", "--model-repository=s3://m")]
)
def test_triton_reads_its_repository_itself_when_asked_to(annotation: str, argument: str) -> None:
    graph = {"name": "multi", "implementation": "TRITON_SERVER", "modelUri": "s3://m"}
    written = {"name": "multi", "image": "nvcr.io/nvidia/tritonserver:23.10-py3"}
    annotations = {"seldon.io/no-storage-initializer": annotation}
    doc = sdep(predictor(graph=graph, componentSpecs=[pod(written)]), protocol="v2", annotations=annotations)

    layout = lay_out(doc)

    assert argument in container(layout, "multi")["args"]
    assert bool(workload(layout).pod.spec.get("initContainers")) == (annotation == "false")


def test_a_tensorflow_proxy_keeps_the_users_addresses_and_the_nodes_model() -> None:
    given: list[dict[str, Any]] = [
        {"name": "rest_endpoint", "value": "http://elsewhere", "type": "STRING"},
        {"name": "model_name", "value": "other", "type": "STRING"},
    ]
    graph = {"name": "mnist", "implementation": "TENSORFLOW_SERVER", "modelUri": "gs://m", "parameters": given}
    doc = sdep(
        predictor(graph=graph, componentSpecs=[pod({"name": "mnist", "image": "seldonio/tfserving-proxy:1.18.2"})])
    )

    layout = lay_out(doc)

    assert variables(container(layout, "mnist"))["PREDICTIVE_UNIT_PARAMETERS"] == (
        '[{"name":"rest_endpoint","value":"http://elsewhere","type":"STRING"},'
        '{"name":"model_name","value":"mnist","type":"STRING"}]'
    )
    assert container(layout, "tfserving")["image"] == "tensorflow/serving:2.1.0"
    assert container(layout, "tfserving-model-initializer")["args"][-1] == "/mnt/models"


def test_numbers_of_ports_are_the_installations() -> None:
    layout = lay_out(sdep(predictor(graph=MODEL)), predictiveUnit={"httpPort": 9100, "grpcPort": 9600})

    assert [item["containerPort"] for item in container(layout, "classifier")["ports"]][:2] == [9100, 9600]
