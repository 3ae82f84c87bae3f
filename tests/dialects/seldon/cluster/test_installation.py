"""What chart values and the ConfigMap `seldon-config` decide."""

import json
from typing import Any

import pytest

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.given import GivenWorld
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import InvalidManifest
from support.sdep import MODEL, one, predictor, sdep
from support.seldon_layouts import container, lay_out, workload

ACME = {"name": "acme", "implementation": "ACME_SERVER", "modelUri": "gs://m"}


def config(**tables: Any) -> dict[str, Any]:
    data = {name: table if isinstance(table, str) else json.dumps(table) for name, table in tables.items()}
    metadata = {"name": "seldon-config", "namespace": "fairlead-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def server(name: str, protocol: str, image: str, version: str = "") -> dict[str, Any]:
    return {name: {"protocols": {protocol: {"image": image, "defaultImageVersion": version}}}}


def test_a_server_of_the_installations_has_its_image_and_nothing_of_ours() -> None:
    table = server("SKLEARN_SERVER", "seldon", "seldonio/sklearnserver", "1.18.2")

    layout = lay_out(sdep(), [config(predictor_servers=table)])

    found = container(layout, "classifier")
    assert found["image"] == "seldonio/sklearnserver:1.18.2"
    assert "args" not in found
    assert "classifier" not in workload(layout).pod.own


def test_the_config_map_wins_over_values() -> None:
    values: dict[str, Any] = {"predictor_servers": server("SKLEARN_SERVER", "seldon", "acme/values")}

    stored = lay_out(sdep(), [config(predictor_servers=server("SKLEARN_SERVER", "seldon", "acme/stored"))], **values)

    assert container(stored, "classifier")["image"] == "acme/stored"
    assert container(lay_out(sdep(), **values), "classifier")["image"] == "acme/values"


@pytest.mark.parametrize(("said", "asked"), [("v2", "kfserving"), ("kfserving", "v2"), ("v2", "v2")])
def test_v2_goes_by_both_its_names(said: str, asked: str) -> None:
    table = server("SKLEARN_SERVER", said, "acme/mlserver", "1")

    layout = lay_out(sdep(protocol=asked), predictor_servers=table)

    assert container(layout, "classifier")["image"] == "acme/mlserver:1"


@pytest.mark.parametrize(
    ("implementation", "protocol", "name"),
    [
        ("SKLEARN_SERVER", "seldon", "SKLEARNSERVER"),
        ("MLFLOW_SERVER", "v2", "RELATED_IMAGE_MLFLOWSERVER_V2"),
        ("TENSORFLOW_SERVER", "tensorflow", "TENSORFLOW"),
        ("TENSORFLOW_SERVER", "seldon", "TFPROXY"),
    ],
)
def test_a_distribution_may_replace_every_image(implementation: str, protocol: str, name: str) -> None:
    doc = sdep(predictor(graph={**MODEL, "implementation": implementation}), protocol=protocol)

    assert container(lay_out(doc, relatedImages={name: "mirror/it:1"}), "classifier")["image"] == "mirror/it:1"


def test_a_server_of_its_own_name_is_known_to_the_rules() -> None:
    doc, stored = sdep(predictor(graph=ACME)), [config(predictor_servers=server("ACME_SERVER", "seldon", "acme/a:7"))]

    assert container(lay_out(doc, stored), "acme")["image"] == "acme/a:7"
    with pytest.raises(InvalidManifest, match="No entry in predictors map for ACME_SERVER"):
        SeldonDialect(settings=ClusterSettings()).validate(doc, catalog=Catalog(), world=GivenWorld([]))


def test_a_server_without_an_image_for_the_protocol_is_refused() -> None:
    table = server("ACME_SERVER", "v2", "acme/a:7")

    with pytest.raises(InvalidManifest, match="no image of ACME_SERVER for the protocol seldon"):
        lay_out(sdep(predictor(graph=ACME)), predictor_servers=table)


def test_a_table_that_is_no_json_is_ignored_and_said() -> None:
    layout = lay_out(sdep(), [config(predictor_servers="{")])

    assert layout.warnings[0].startswith(
        "ConfigMap fairlead-system/seldon-config: predictor_servers is ignored: not JSON"
    )
    assert container(layout, "classifier")["image"] == "fairlead/fairlead:latest"


def test_a_value_that_is_no_number_is_ignored_and_said() -> None:
    layout = lay_out(sdep(), executor={"port": "eight"})

    assert layout.warnings == ("value executor.port is ignored: 'eight' is not a whole number",)


def test_the_user_of_pods_is_the_installations_unless_the_manifest_says() -> None:
    node = {"name": "model", "image": "acme/model:1"}

    assert workload(lay_out(one(node))).pod.spec["securityContext"] == {"runAsUser": 8888}
    assert workload(lay_out(one(node), defaultUserID="1000")).pod.spec["securityContext"] == {"runAsUser": 1000}
    assert "securityContext" not in workload(lay_out(one(node), defaultUserID="")).pod.spec
    own = one(node, securityContext={"runAsUser": 5})
    assert workload(lay_out(own)).pod.spec["securityContext"] == {"runAsUser": 5}


def test_an_orchestrators_settings_are_the_installations() -> None:
    values = {
        "user": 1000,
        "fullHealthChecks": True,
        "metricsPortName": "metrics-engine",
        "prometheus": {"path": "/metrics"},
        "requestLogger": {"defaultEndpoint": "http://sink", "workQueueSize": 5, "writeTimeoutMs": 7},
        "resources": {"cpuLimit": "1", "cpuRequest": "100m", "memoryLimit": "1Gi", "memoryRequest": "1Mi"},
    }

    layout = lay_out(one({"name": "model", "image": "acme/model:1"}), executor=values)

    found = container(layout, "seldon-container-engine")
    assert found["securityContext"]["runAsUser"] == 1000
    assert found["args"][-1] == "--full_health_checks=true"
    assert found["args"][-3:-1] == ["--log_write_timeout_ms", "7"]
    assert [item["name"] for item in found["ports"]] == ["http", "metrics-engine", "grpc"]
    assert found["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "100m", "memory": "1Mi"},
    }
    assert workload(layout).pod.annotations["prometheus.io/path"] == "/metrics"
