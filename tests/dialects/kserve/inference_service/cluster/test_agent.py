"""The agent beside a server."""

import json
from typing import Any

import pytest

from fairlead.dialects.base import Document
from fairlead.errors import InvalidManifest
from support.isvc import container, isvc, model
from support.kserve_cluster import settings_map
from support.kserve_pods import composed, containers


def _agent(doc: Document, *stored: Document, is_knative: bool = False) -> dict[str, Any]:
    pod, _ = composed(doc, *stored, is_knative=is_knative)
    return containers(pod)["agent"]


def _trained(name: str, memory: str = "1Mi", service: str = "iris") -> Document:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "TrainedModel",
        "metadata": {"name": name, "namespace": "models", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "inferenceService": service,
            "model": {"storageUri": f"s3://b/{name}", "framework": "sklearn", "memory": memory},
        },
    }


HOST = isvc({"model": {"modelFormat": {"name": "sklearn"}, "resources": {"limits": {"memory": "10Mi"}}}})


def test_a_component_without_work_for_an_agent_has_none() -> None:
    pod, _ = composed(isvc(model()))

    assert "agent" not in containers(pod)
    assert not pod.has_agent


def test_arguments_are_in_the_order_of_kserves() -> None:
    doc = isvc(
        {
            **model(ports=[{"containerPort": 9000}]),
            "batcher": {"maxBatchSize": 8, "maxLatency": 50},
            "logger": {"mode": "request", "url": "http://sink", "metadataHeaders": ["A", "B"]},
        }
    )

    assert _agent(doc)["args"] == [
        "--enable-batcher", "--max-batchsize", "8", "--max-latency", "50",
        "--log-url", "http://sink", "--source-uri", "$(POD_NAME)", "--log-mode", "request",
        "--inference-service", "iris", "--namespace", "models", "--endpoint", "", "--component", "predictor",
        "--metadata-headers", "A,B", "--logger-tls-skip-verify", "false", "--component-port", "9000",
    ]  # fmt: skip


def test_a_batcher_without_numbers_leaves_them_to_the_agent() -> None:
    assert _agent(isvc({**model(), "batcher": {}}))["args"] == ["--enable-batcher", "--component-port", "8080"]


def test_annotations_of_the_service_are_passed_on_by_value() -> None:
    logger = {"mode": "all", "metadataAnnotations": ["team", "missing"]}
    doc = isvc({**model(), "logger": logger}, annotations={"team": "flowers"})

    args = _agent(doc)["args"]

    assert args[args.index("--metadata-annotations") + 1] == "team=flowers"


def test_a_logger_without_a_mode_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="invalid logger type"):
        composed(isvc({**model(), "logger": {}}))


def test_authorities_of_the_sink_are_mounted() -> None:
    config = settings_map(logger='{"caBundle": "sinks", "tlsSkipVerify": true}')

    agent = _agent(isvc({**model(), "logger": {"mode": "all"}}), config)

    assert agent["volumeMounts"] == [{"name": "agent-ca-bundle", "mountPath": "/etc/tls/logger", "readOnly": True}]
    assert agent["args"][-6:-2] == ["--logger-ca-cert-file", "service-ca.crt", "--logger-tls-skip-verify", "true"]


@pytest.mark.parametrize(
    ("probe", "path", "asked"),
    [
        ({"httpGet": {"path": "/up", "port": 8080}}, "/up", {"httpGet": {"path": "/up", "port": 8080}}),
        ({"tcpSocket": {"port": 8080}}, "/", {"tcpSocket": {"port": 8080}}),
        ({"exec": {"command": ["ready"]}}, "/", {"tcpSocket": {"port": 8080}, "successThreshold": 1}),
    ],
)
def test_the_agent_asks_as_the_kubelet_would_have(probe: Any, path: str, asked: Any) -> None:
    agent = _agent(isvc({**container(readinessProbe=probe), "batcher": {}}))

    assert json.loads(agent["env"][0]["value"]) == asked
    assert agent["readinessProbe"]["httpGet"]["path"] == path


def test_in_knatives_mode_the_agent_has_the_only_port() -> None:
    doc = isvc({**container(ports=[{"containerPort": 8080, "name": "http1"}]), "batcher": {}})

    pod, _ = composed(doc, is_knative=True)

    with_ports = [name for name, one in containers(pod).items() if one.get("ports")]
    assert with_ports == ["agent"]
    assert containers(pod)["agent"]["ports"] == [{"containerPort": 9081, "protocol": "TCP"}]
    assert pod.target == 9081


def test_a_server_of_others_models_has_them_listed() -> None:
    pod, _ = composed(HOST, _trained("a"), _trained("big", "1Gi"), _trained("other", service="else"))

    (config,) = pod.configs
    assert config["metadata"]["name"] == "modelconfig-iris-0"
    assert [one["modelName"] for one in json.loads(config["data"]["models.json"])] == ["a"]
    found = containers(pod)
    shared = {"name": "model-dir", "mountPath": "/mnt/models"}
    assert shared in found["agent"]["volumeMounts"]
    assert shared in found["kserve-container"]["volumeMounts"]


def test_a_server_of_others_models_starts_with_none() -> None:
    pod, _ = composed(HOST)

    assert pod.configs[0]["data"] == {"models.json": "[]"}


def test_kserves_agent_is_called_by_its_own_entry_point() -> None:
    config = settings_map(agent='{"image": "kserve/agent:v1", "memoryLimit": "2Gi"}')

    agent = _agent(isvc({**model(), "batcher": {}}), config)

    assert (agent["image"], agent.get("command")) == ("kserve/agent:v1", None)
    assert agent["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
