"""Kubernetes' Python client with KServe's resources: custom objects in every way it changes them, watches, the dynamic
client, and the typed calls that scripts around KServe make. It checks every answer against Kubernetes' schema."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.inference_services import isvc, model
from support.instance import Installation, installation
from support.models import train_iris_sklearn
from support.peers import PeerProcess, Refused, peer

pytestmark = pytest.mark.slow

WHERE = {"group": "serving.kserve.io", "version": "v1beta1", "namespace": "default", "plural": "inferenceservices"}
MERGE, OPERATIONS = "application/merge-patch+json", "application/json-patch+json"


class Client:
    """The package with the kubeconfig of an installation."""

    def __init__(self, process: PeerProcess, running: Installation) -> None:
        self._process = process
        self._kubeconfig = str(running.home / "kubeconfig")

    def __call__(self, api: str, call: str, *positional: Any, **arguments: Any) -> Any:
        """`kubernetes.client.<api>().<call>(…)`."""
        return self._ask(api=api, call=call, positional=positional, arguments=arguments)

    def custom(self, call: str, **arguments: Any) -> Any:
        """A call about InferenceServices of the namespace."""
        return self("CustomObjectsApi", f"{call}_namespaced_custom_object", **WHERE, **arguments)

    def dynamic(self, kind: str, call: str, **arguments: Any) -> Any:
        """A call of the dynamic client about a kind that it discovers."""
        return self._ask(dynamic=kind, call=call, arguments=arguments)

    def watch(self, name: str, condition: str) -> list[str]:
        """The types of events until the condition of the service is true."""
        found: list[str] = self._ask(watch=WHERE, name=name, condition=condition)
        return found

    def _ask(self, **order: Any) -> Any:
        return self._process.ask(kubeconfig=self._kubeconfig, **order)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("kubernetes-client") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def client(running: Installation) -> Iterator[Client]:
    with peer("kubernetes", "kubernetes_driver") as process:
        yield Client(process, running)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_iris_sklearn(tmp_path_factory.mktemp("models") / "iris")


@pytest.fixture(scope="module")
def iris(client: Client, folder: Path) -> str:
    client.custom("create", body=isvc("iris", model("sklearn", folder)))
    client.watch("iris", "Ready")
    return "iris"


def test_a_watch_tells_everything_until_a_service_is_ready(client: Client, folder: Path) -> None:
    client.custom("create", body=isvc("seen", model("sklearn", folder)))

    told = client.watch("seen", "Ready")

    assert told[0] == "ADDED"
    assert set(told[1:]) <= {"MODIFIED"}
    client.custom("delete", name="seen")


def test_services_are_listed_by_namespace_label_and_everywhere(client: Client, iris: str) -> None:
    everywhere = {key: value for key, value in WHERE.items() if key != "namespace"}

    listed = client.custom("list")
    nothing = client.custom("list", label_selector="no=where", limit=5)
    over_all = client("CustomObjectsApi", "list_cluster_custom_object", **everywhere)

    assert iris in [one["metadata"]["name"] for one in listed["items"]]
    assert nothing["items"] == []
    assert iris in [one["metadata"]["name"] for one in over_all["items"]]


def test_services_change_by_merge_by_operations_and_by_replacement(client: Client, folder: Path) -> None:
    client.custom("create", body=isvc("changing", model("sklearn", folder)))
    client.watch("changing", "Ready")
    body = {"spec": {"predictor": {"maxReplicas": 3}}}
    merged = client.custom("patch", name="changing", body=body, _content_type=MERGE)
    operations = [{"op": "add", "path": "/spec/predictor/timeout", "value": 20}]
    patched = client.custom("patch", name="changing", body=operations, _content_type=OPERATIONS)
    stale = {**patched, "metadata": {**patched["metadata"], "resourceVersion": "1"}}
    with pytest.raises(Refused, match="the object has been modified") as refused:
        client.custom("replace", name="changing", body=stale)
    client.custom("delete", name="changing")

    assert merged["spec"]["predictor"]["maxReplicas"] == 3
    assert patched["spec"]["predictor"]["timeout"] == 20
    assert refused.value.status == "409"


def test_the_status_is_read_by_itself(client: Client, iris: str) -> None:
    found = client("CustomObjectsApi", "get_namespaced_custom_object_status", **WHERE, name=iris)

    assert found["status"]["modelStatus"]["transitionStatus"] == "UpToDate"


def test_the_dynamic_client_finds_every_kind_of_kserve(client: Client) -> None:
    kinds = ("InferenceService", "InferenceGraph", "TrainedModel", "ServingRuntime", "ClusterServingRuntime")
    for kind in (*kinds, "ClusterStorageContainer", "LocalModelCache", "LocalModelNodeGroup", "Revision"):
        found = client.dynamic(kind, "get")
        assert found["kind"] == f"{kind}List"


def test_the_dynamic_client_applies_on_the_server(client: Client, folder: Path) -> None:
    def apply(manager: str, replicas: int, **options: Any) -> Any:
        document = isvc("applied", {**model("sklearn", folder), "minReplicas": replicas})
        how = {"name": "applied", "namespace": "default", "field_manager": manager, **options}
        return client.dynamic("InferenceService", "server_side_apply", body=document, **how)

    made = apply("me", 0)
    with pytest.raises(Refused, match=r"conflict with \W+me\W+ using serving.kserve.io/v1beta1") as refused:
        apply("you", 1)
    forced = apply("you", 1, force_conflicts=True)
    client.dynamic("InferenceService", "delete", name="applied", namespace="default")

    assert made["metadata"]["managedFields"][0]["operation"] == "Apply"
    assert refused.value.status == "409"
    assert forced["spec"]["predictor"]["minReplicas"] == 1


def test_pods_logs_events_and_settings_are_read_by_typed_calls(client: Client, iris: str) -> None:
    core = "CoreV1Api"
    labels = f"serving.kserve.io/inferenceservice={iris}"
    [pod] = client(core, "list_namespaced_pod", "default", label_selector=labels)["items"]
    name = pod["metadata"]["name"]
    log = client(core, "read_namespaced_pod_log", name, "default", container="kserve-container")
    events = client(core, "list_namespaced_event", "default")["items"]
    config = client(core, "read_namespaced_config_map", "inferenceservice-config", "kserve")

    assert pod["metadata"]["labels"]["component"] == "predictor"
    assert [one["name"] for one in pod["spec"]["containers"]] == ["kserve-container"]
    assert [one["ready"] for one in pod["status"]["containerStatuses"]] == [True]
    assert "ready" in log
    assert "InferenceServiceReady" in [one["reason"] for one in events]
    assert json.loads(config["data"]["deploy"])["defaultDeploymentMode"] == "Knative"


def test_the_version_and_the_groups_are_found(client: Client) -> None:
    groups = client("ApisApi", "get_api_versions")["groups"]

    assert client("VersionApi", "get_code")["major"] == "1"
    assert {"serving.kserve.io", "serving.knative.dev"} <= {one["name"] for one in groups}
