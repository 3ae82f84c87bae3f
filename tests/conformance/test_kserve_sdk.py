"""KServe's own SDK against a whole installation: its client of the API, through which people create, change and wait
for services, and its inference clients at a service's host. Facts: kserve 0.21.0."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.inference_services import PATH, isvc
from support.instance import Installation, installation, until
from support.models import train_iris_sklearn
from support.peers import PeerProcess, Refused, peer
from support.web_files import Served, file_server

pytestmark = pytest.mark.slow

ROWS = [[6.8, 2.8, 4.8, 1.4], [5.0, 3.4, 1.4, 0.2]]
TENSOR = {"name": "x", "datatype": "FP32", "array": {"$array": ROWS, "$datatype": "FP32"}}


class Sdk:
    """`KServeClient` with the kubeconfig of an installation."""

    def __init__(self, process: PeerProcess, running: Installation) -> None:
        self._process = process
        self._kubeconfig = str(running.home / "kubeconfig")
        self.printed = ""

    def __call__(self, method: str, **arguments: Any) -> Any:
        """What the method returns; what it printed is kept."""
        said = self._process.ask(kubeconfig=self._kubeconfig, call=method, arguments=arguments)
        self.printed = said["printed"]
        return said["returned"]

    def ready(self, name: str, **more: Any) -> None:
        """Wait as the SDK does, in turns of a second."""
        self("wait_isvc_ready", name=name, namespace="default", timeout_seconds=40, polling_interval=1, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_iris_sklearn(tmp_path_factory.mktemp("models") / "iris")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("kserve-sdk") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def sdk(running: Installation) -> Iterator[Sdk]:
    with peer("kserve", "kserve_client_driver") as process:
        yield Sdk(process, running)


@pytest.fixture(scope="module")
def inference() -> Iterator[PeerProcess]:
    with peer("kserve", "kserve_driver") as process:
        yield process


@pytest.fixture(scope="module")
def iris(sdk: Sdk, folder: Path) -> str:
    sdk("create", inferenceservice=new(sklearn("iris", folder)))
    sdk.ready("iris")
    return "iris"


def new(manifest: dict[str, Any]) -> dict[str, Any]:
    return {"$new": manifest}


def sklearn(name: str, folder: Path, **fields: Any) -> dict[str, Any]:
    """As the SDK's sample writes it, with the framework's own field."""
    document: dict[str, Any] = isvc(name, {"sklearn": {"storageUri": str(folder)}, **fields})
    return document


def predictor(running: Installation, name: str) -> dict[str, Any]:
    found: dict[str, Any] = running.api(f"{PATH}/{name}")["spec"]["predictor"]
    return found


def test_a_service_is_created_waited_for_changed_and_deleted(sdk: Sdk, running: Installation, folder: Path) -> None:
    created = sdk("create", inferenceservice=new(sklearn("brief", folder)))
    sdk.ready("brief")
    first = sdk("get", name="brief", namespace="default")
    patched = sdk("patch", name="brief", inferenceservice=new(sklearn("brief", folder, minReplicas=1)))
    sdk.ready("brief", expected_generation=patched["metadata"]["generation"])
    # The SDK reads the newest version for this; a status that is written in between is a conflict, as in a cluster.
    sdk("replace", name="brief", inferenceservice=new(sklearn("brief", folder, maxReplicas=2)))
    replaced = predictor(running, "brief")
    generation = sdk("get", name="brief", namespace="default")["metadata"]["generation"]
    sdk.ready("brief", expected_generation=generation)
    listed = sdk("get", namespace="default")["items"]
    deleted = sdk("delete", name="brief", namespace="default")

    assert created["spec"]["predictor"]["model"]["modelFormat"] == {"name": "sklearn"}
    assert first["status"]["url"].startswith("http://brief.default.localhost:")
    assert patched["spec"]["predictor"]["minReplicas"] == 1
    assert "minReplicas" not in replaced
    assert replaced["maxReplicas"] == 2
    assert "brief" in [one["metadata"]["name"] for one in listed]
    assert deleted["status"] == "Success"
    until(lambda: running.api_answer(f"{PATH}/brief").status == 404, what="the end of the service")


def test_a_service_is_watched_until_it_is_ready(sdk: Sdk, folder: Path, iris: str) -> None:
    sdk("create", inferenceservice=new(sklearn("watched", folder)), watch=True, timeout_seconds=40)
    heading, *row = sdk.printed.splitlines()[-2].split(), *sdk.printed.splitlines()[-1].split()
    assert heading == ["NAME", "READY", "PREV", "LATEST", "URL"]
    assert row[:4] == ["watched", "True", "0", "100"]

    changed = new(sklearn("watched", folder, maxReplicas=3))
    sdk("replace", name="watched", inferenceservice=changed, watch=True, timeout_seconds=40)
    assert sdk.printed.splitlines()[-1].split()[:2] == ["watched", "True"]

    sdk("wait_isvc_ready", name=iris, namespace="default", watch=True, timeout_seconds=40)
    assert sdk.printed.splitlines()[-1].split()[:2] == ["iris", "True"]
    sdk("delete", name="watched", namespace="default")


def test_a_share_of_the_requests_is_given_to_a_canary_and_promoted(sdk: Sdk, folder: Path) -> None:
    sdk("create", inferenceservice=new(sklearn("canary", folder)))
    sdk.ready("canary")
    # A new revision has to differ from the one before; its model may be the same.
    share = sklearn("canary", folder, canaryTrafficPercent=20, timeout=50)
    share["spec"]["predictor"]["sklearn"]["env"] = [{"name": "REVISION", "value": "two"}]
    found = sdk("patch", name="canary", inferenceservice=new(share))
    sdk.ready("canary", expected_generation=found["metadata"]["generation"])

    status = sdk("get", name="canary", namespace="default")["status"]

    traffic = status["components"]["predictor"]["traffic"]
    assert sorted(target["percent"] for target in traffic) == [20, 80]
    sdk("get", name="canary", namespace="default", watch=True, timeout_seconds=40)
    assert sdk.printed.splitlines()[-1].split()[:4] == ["canary", "True", "80", "20"]
    sdk("delete", name="canary", namespace="default")


def test_refusals_are_told_as_kserve_tells_them(sdk: Sdk, folder: Path, iris: str) -> None:
    with pytest.raises(Refused, match="must consist of lower case alphanumeric characters") as wrong_name:
        sdk("create", inferenceservice=new(sklearn("1iris", folder)))
    with pytest.raises(Refused, match='"iris" already exists') as twice:
        sdk("create", inferenceservice=new(sklearn(iris, folder)))
    with pytest.raises(Refused, match='"nobody" not found') as missing:
        sdk("delete", name="nobody", namespace="default")

    assert (wrong_name.value.status, twice.value.status, missing.value.status) == ("422", "409", "404")


def test_a_graph_is_created_waited_for_and_deleted(sdk: Sdk, running: Installation, iris: str) -> None:
    nodes = {"root": {"routerType": "Sequence", "steps": [{"serviceName": iris}]}}
    graph = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "InferenceGraph", "spec": {"nodes": nodes}}
    graph["metadata"] = {"name": "line", "namespace": "default"}

    sdk("create_inference_graph", inferencegraph=new(graph))
    sdk("wait_ig_ready", name="line", namespace="default", timeout_seconds=40, polling_interval=1)

    assert sdk("is_ig_ready", name="line", namespace="default") is True
    found = sdk("get_inference_graph", name="line", namespace="default")
    assert found["status"]["url"] == f"http://line.default.localhost:{running.url.rpartition(':')[2]}"
    sdk("delete_inference_graph", name="line", namespace="default")
    with pytest.raises(Refused, match='"line" not found'):
        sdk("get_inference_graph", name="line", namespace="default")


def test_a_model_is_loaded_into_a_service_and_waited_for(sdk: Sdk, running: Installation, folder: Path) -> None:
    """By the model's own path, as the SDK asks it: `cluster_ip` is where the gateway is."""
    limits = {"cpu": "100m", "memory": "1Gi"}
    shelf = isvc("shelf", {"minReplicas": 1, "sklearn": {"protocolVersion": "v1", "resources": {"limits": limits}}})
    spec: dict[str, Any] = {"inferenceService": "shelf"}
    address = running.url.removeprefix("http://")

    with file_server() as web:
        web.files["/model.joblib"] = Served((folder / "model.joblib").read_bytes())
        spec["model"] = {"storageUri": f"{web.url}/model.joblib", "memory": "128Mi", "framework": "sklearn"}
        trained = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "TrainedModel", "spec": spec}
        trained["metadata"] = {"name": "flowers", "namespace": "default"}
        sdk("create", inferenceservice=new(shelf))
        sdk.ready("shelf")
        sdk("create_trained_model", trainedmodel=new(trained), namespace="default")
        for protocol in ("v1", "v2"):
            sdk(
                "wait_model_ready",
                service_name="shelf",
                model_name="flowers",
                isvc_namespace="default",
                cluster_ip=address,
                protocol_version=protocol,
                timeout_seconds=40,
                polling_interval=1,
            )
        sdk("delete_trained_model", name="flowers", namespace="default")
        sdk("delete", name="shelf", namespace="default")


def test_credentials_become_secrets_of_a_service_account(sdk: Sdk, running: Installation, tmp_path: Path) -> None:
    files = {
        "S3": "[default]\naws_access_key_id = a2V5\naws_secret_access_key = c2VjcmV0\n",
        "GCS": json.dumps({"type": "service_account"}),
        "Azure": json.dumps(dict.fromkeys(("clientId", "clientSecret", "subscriptionId", "tenantId"), "YQ==")),
    }
    own = {"S3": {"s3_endpoint": "minio:9000", "s3_region": "eu", "s3_use_https": "0"}}
    for store, text in files.items():
        (tmp_path / store).write_text(text)
        sdk(
            "set_credentials",
            storage_type=store,
            namespace="default",
            credentials_file=str(tmp_path / store),
            service_account="models",
            **own.get(store, {}),
        )

    account = running.api("/api/v1/namespaces/default/serviceaccounts/models")
    secrets = [running.api(f"/api/v1/namespaces/default/secrets/{one['name']}") for one in account["secrets"]]
    keys = {key: secret for secret in secrets for key in secret["data"]}
    assert len(secrets) == 3
    assert set(keys) >= {"AWS_ACCESS_KEY_ID", "gcloud-application-credentials.json", "AZURE_CLIENT_ID"}
    told = keys["AWS_ACCESS_KEY_ID"]["metadata"]["annotations"]
    assert told["serving.kserve.io/s3-endpoint"] == "minio:9000"
    assert told["serving.kserve.io/s3-usehttps"] == "0"


@pytest.mark.parametrize("way", ["host", "host-with-port", "path"])
@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_the_rest_client_asks_a_service_by_its_host_or_below_a_path(
    running: Installation, inference: PeerProcess, iris: str, way: str, protocol: str
) -> None:
    port = running.url.rpartition(":")[2]
    headers = {"host": {"Host": f"{iris}.default.localhost"}, "host-with-port": {"Host": f"{iris}.default:{port}"}}
    asked = {
        "client": "rest",
        "protocol": protocol,
        "url": running.url + (f"/serving/default/{iris}" if way == "path" else ""),
        "headers": headers.get(way, {}),
    }

    if protocol == "v1":
        assert inference.ask(**asked, call="infer", model=iris, body={"instances": ROWS}) == {"predictions": [1, 0]}
    for is_binary in (True, False) if protocol == "v2" else ():
        inputs = [{**TENSOR, "binary": is_binary}]
        found = inference.ask(**asked, call="infer", model=iris, inputs=inputs, options={"request_id": "7"})
        assert found["outputs"][0]["array"]["$values"] == [1, 0]
        assert found["id"] == "7"
    assert inference.ask(**asked, call="is_server_live") is True
    assert protocol == "v1" or inference.ask(**asked, call="is_server_ready") is True
    assert inference.ask(**asked, call="is_model_ready", arguments={"model_name": iris}) is True
    if protocol == "v2":  # the client raises the 404 that V1 answers
        assert inference.ask(**asked, call="is_model_ready", arguments={"model_name": "other"}) is False


@pytest.mark.parametrize("port", ["grpcPort", "port"])
@pytest.mark.parametrize("way", ["name", "authority", "model"])
def test_the_grpc_client_asks_a_service_by_its_authority_or_by_its_model(
    running: Installation, inference: PeerProcess, iris: str, way: str, port: str
) -> None:
    """Names below `localhost` are this machine to gRPC's own resolver."""
    number = json.loads((running.home / "instance.json").read_text())[port]
    host = f"{iris}.default.localhost"
    asked: dict[str, Any] = {"client": "grpc", "url": f"{host if way == 'name' else '127.0.0.1'}:{number}"}
    if way == "authority":
        asked["channel_args"] = [["grpc.default_authority", host]]

    found = inference.ask(**asked, call="infer", model=iris, inputs=[TENSOR])

    assert found["outputs"][0]["array"]["$values"] == [1, 0]
    assert inference.ask(**asked, call="is_model_ready", arguments={"model_name": iris}) is True
    if way != "model":
        assert inference.ask(**asked, call="is_server_ready") is True
        assert inference.ask(**asked, call="is_server_live") is True


@pytest.mark.parametrize("way", ["http-host", "http-path", "grpc-authority"])
def test_tritons_clients_ask_a_service_too(running: Installation, iris: str, way: str) -> None:
    instance = json.loads((running.home / "instance.json").read_text())
    host, address = f"{iris}.default.localhost", running.url.removeprefix("http://")
    asked: dict[str, Any] = {"client": "http", "url": address}
    headers = {"Host": host} if way == "http-host" else None
    if way == "http-path":
        asked["url"] = f"{address}/serving/default/{iris}"
    if way == "grpc-authority":
        asked = {"client": "grpc", "url": f"127.0.0.1:{instance['grpcPort']}"}
        asked["channel_args"] = [["grpc.default_authority", host]]

    with peer("triton", "triton_driver") as triton:
        ready = triton.ask(**asked, call="is_model_ready", arguments={"model_name": iris, "headers": headers})
        told = triton.ask(**asked, call="get_model_metadata", arguments={"model_name": iris, "headers": headers})
        found = triton.ask(**asked, call="infer", model=iris, inputs=[TENSOR], options={"headers": headers})

    assert ready is True
    assert told["name"] == iris
    assert found["outputs"][0]["array"]["$values"] == [1, 0]
