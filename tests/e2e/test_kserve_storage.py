"""InferenceServices whose models lie in each kind of place, with the credentials their manifests name."""

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.archives import tar_bytes, zip_bytes
from support.hugging_face import Hub, hugging_face
from support.inference_services import PATH, isvc, predict, wait_for
from support.instance import Installation, until
from support.models import train_iris_sklearn
from support.registry import registry
from support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, s3_server
from support.web_files import FileServer, Served, file_server

pytestmark = pytest.mark.slow

ROWS = [[6.8, 2.8, 4.8, 1.4], [5.0, 3.4, 1.4, 0.2]]
CACHES = "/apis/serving.kserve.io/v1alpha1"


class Stores:
    """The same model in every store."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.model = (train_iris_sklearn(root / "iris") / "model.joblib").read_bytes()
        self.web: FileServer = stack.enter_context(file_server())
        self.web.files["/iris.zip"] = Served(
            zip_bytes({"model.joblib": self.model}), headers={"Content-Type": "application/zip"}
        )
        self.s3: S3Server = stack.enter_context(s3_server(root / "s3"))
        self.s3.put("models", "sklearn/iris/model.joblib", self.model)
        self.hub: Hub = stack.enter_context(hugging_face())
        self.hub.put("acme/iris", {"model.joblib": self.model, "README.md": b"# iris"})
        self.hub.private.add("acme/iris")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with ExitStack() as stack:
        yield Stores(tmp_path_factory.mktemp("stores"), stack)


def sklearn(**where: Any) -> dict[str, Any]:
    return {"model": {"modelFormat": {"name": "sklearn"}, **where}}


def put_secret(running: Installation, name: str, **values: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "data": data}
    running.api("/api/v1/namespaces/default/secrets", "POST", document)


def answers(running: Installation, name: str, predictor: dict[str, Any], annotations: Any = None) -> bool:
    running.api(PATH, "POST", isvc(name, predictor, annotations=annotations))
    wait_for(running, name)
    return bool(predict(running, name, ROWS) == [1, 0])


def test_an_archive_of_a_web_server(shared: Installation, stores: Stores) -> None:
    assert answers(shared, "zipped", sklearn(storageUri=f"{stores.web.url}/iris.zip"))


def test_several_models_in_one_folder(shared: Installation, stores: Stores) -> None:
    stores.web.files["/notes.txt"] = Served(b"notes")
    uris = [
        {"uri": f"{stores.web.url}/iris.zip", "mountPath": "/mnt/models"},
        {"uri": f"{stores.web.url}/notes.txt", "mountPath": "/mnt/models/notes"},
    ]

    assert answers(shared, "several", {**sklearn(), "storageUris": uris})


def test_a_path_in_a_store_that_a_secret_describes(shared: Installation, stores: Stores) -> None:
    entry = {
        "type": "s3",
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
        "endpoint_url": stores.s3.url,
        "bucket": "models",
    }
    put_secret(shared, "storage-config", minio=json.dumps(entry))

    assert answers(shared, "stored", sklearn(storage={"key": "minio", "path": "sklearn/iris"}))


def test_a_private_repository_of_a_hub(shared: Installation, stores: Stores) -> None:
    put_secret(shared, "hub", HF_TOKEN=stores.hub.token, HF_ENDPOINT=stores.hub.url)

    assert answers(shared, "hub", sklearn(storageUri="hf://acme/iris"), {"serving.kserve.io/storageSecretName": "hub"})


def test_an_image_of_a_private_registry(
    shared: Installation, stores: Stores, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with registry(tmp_path_factory.mktemp("registry"), is_private=True) as there:
        there.push_image("acme/iris", tar_bytes({"models/model.joblib": stores.model}))
        put_secret(shared, "registry", **{".dockerconfigjson": there.config()})
        named = {"serving.kserve.io/storageSecretName": "registry"}

        assert answers(shared, "image", sklearn(storageUri=f"oci://{there.host}/acme/iris"), named)


def test_a_cached_model_serves_while_its_store_is_away(shared: Installation, stores: Stores) -> None:
    with file_server() as server:
        server.files["/model.joblib"] = Served(stores.model)
        uri = f"{server.url}/model.joblib"
        group = {"storageLimit": "1Gi", "persistentVolumeSpec": {}, "persistentVolumeClaimSpec": {}}
        for plural, kind, name, spec in (
            ("localmodelnodegroups", "LocalModelNodeGroup", "here", group),
            ("localmodelcaches", "LocalModelCache", "iris", cache(uri)),
        ):
            document = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": kind, "metadata": {"name": name}}
            shared.api(f"{CACHES}/{plural}", "POST", {**document, "spec": spec})
        until(lambda: copies(shared, "iris").get("available") == 1, what="the copy")

    assert answers(shared, "cached", sklearn(storageUri=uri))


def cache(uri: str) -> dict[str, Any]:
    return {"sourceModelUri": uri, "modelSize": "1Mi", "nodeGroups": ["here"]}


def copies(running: Installation, name: str) -> dict[str, Any]:
    status = running.api(f"{CACHES}/localmodelcaches/{name}").get("status") or {}
    found: dict[str, Any] = status.get("copies") or {}
    return found


def test_a_model_that_is_not_there_is_told_in_the_status(shared: Installation, stores: Stores) -> None:
    uri = f"{stores.web.url}/none.joblib"
    shared.api(PATH, "POST", isvc("none", sklearn(storageUri=uri)))

    def failure() -> str:
        status = shared.api(f"{PATH}/none").get("status") or {}
        return str(((status.get("modelStatus") or {}).get("lastFailureInfo") or {}).get("message", ""))

    until(lambda: f"{uri}: HTTP 404" in failure(), what="the reason")
