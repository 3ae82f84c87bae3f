"""Models from real stores, named by manifests in the forms that people have."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.instance import Installation
from support.manifests import sdep
from support.s3 import S3Server, s3_server
from support.web_files import Served, file_server

pytestmark = pytest.mark.slow

ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory, iris: Path) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "root") as server:
        server.put("models", "iris/model.joblib", (iris / "model.joblib").read_bytes())
        yield server


def secret(name: str, values: dict[str, str], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def node(uri: str, **more: Any) -> dict[str, Any]:
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": uri, **more}
    return {"name": "default", "graph": graph}


def answers(shared: Installation, name: str) -> bool:
    shared.wait_for(name)
    return shared.predict(name, ROW).status == 200


def test_a_signed_bucket_with_an_rclone_secret(shared: Installation, bucket: S3Server) -> None:
    shared.api("/api/v1/namespaces/default/secrets", "POST", secret("rclone", bucket.env()))

    shared.apply(sdep("from-s3", node("s3://models/iris", envSecretRefName="rclone")))

    assert answers(shared, "from-s3")


def test_a_bucket_with_the_secret_of_a_service_account(shared: Installation, bucket: S3Server) -> None:
    values = bucket.env()
    keys = {
        "awsAccessKeyID": values["RCLONE_CONFIG_S3_ACCESS_KEY_ID"],
        "awsSecretAccessKey": values["RCLONE_CONFIG_S3_SECRET_ACCESS_KEY"],
    }
    endpoint = bucket.url.removeprefix("http://")
    annotations = {"serving.kubeflow.org/s3-endpoint": endpoint, "serving.kubeflow.org/s3-usehttps": "0"}
    shared.api("/api/v1/namespaces/default/secrets", "POST", secret("aws", keys, annotations))
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "trainer"},
        "secrets": [{"name": "aws"}],
    }
    shared.api("/api/v1/namespaces/default/serviceaccounts", "POST", account)

    shared.apply(sdep("from-account", node("s3://models/iris", serviceAccountName="trainer")))

    assert answers(shared, "from-account")


def test_wrong_keys_fail_with_the_uri_and_the_stores_words_and_no_key(shared: Installation, bucket: S3Server) -> None:
    wrong = bucket.env(SECRET_ACCESS_KEY="not-the-key-at-all")
    shared.api("/api/v1/namespaces/default/secrets", "POST", secret("wrong", wrong))

    shared.apply(sdep("denied", node("s3://models/iris", envSecretRefName="wrong")))
    shared.wait_for("denied", "Failed")

    description = shared.status("denied")["description"]
    assert "s3://models/iris" in description
    told = json.dumps(shared.api("/api/v1/namespaces/default/events")) + description
    assert "not-the-key-at-all" not in told


def test_a_web_server(shared: Installation, iris: Path) -> None:
    with file_server() as web:
        web.files["/iris/model.joblib"] = Served((iris / "model.joblib").read_bytes())

        shared.apply(sdep("from-web", node(f"{web.url}/iris/model.joblib")))

        assert answers(shared, "from-web")


def test_a_claim_is_a_folder_of_the_home(shared: Installation, iris: Path) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "models"}, "spec": spec}
    shared.api("/api/v1/namespaces/default/persistentvolumeclaims", "POST", claim)
    folder = shared.home / "claims" / "default" / "models" / "iris"
    folder.mkdir(parents=True)
    (folder / "model.joblib").write_bytes((iris / "model.joblib").read_bytes())

    shared.apply(sdep("from-claim", node("pvc://models/iris")))

    assert answers(shared, "from-claim")


def test_a_manifest_that_spells_everything_out(shared: Installation, iris: Path) -> None:
    mount = {"name": "models", "mountPath": "/mnt/models"}
    pod = {
        "volumes": [{"name": "models", "emptyDir": {}}],
        "initContainers": [
            {
                "name": "fetch",
                "image": "gcr.io/kfserving/storage-initializer:v0.4.0",
                "args": [f"file://{iris}", "/mnt/models"],
                "volumeMounts": [mount],
            }
        ],
        "containers": [
            {
                "name": "classifier",
                "image": "docker.io/seldonio/sklearnserver_rest:1.2.3",
                "volumeMounts": [{**mount, "readOnly": True}],
                "securityContext": {"runAsUser": 0},
            }
        ],
    }
    graph = {
        "name": "classifier",
        "type": "MODEL",
        "children": [],
        "endpoint": {"type": "REST"},
        "parameters": [
            {"name": "model_uri", "value": "/mnt/models", "type": "STRING"},
            {"name": "method", "value": "predict", "type": "STRING"},
        ],
    }
    manifest = sdep("spelled-out", {"name": "default", "graph": graph, "componentSpecs": [{"spec": pod}]})

    shared.apply(manifest)
    shared.wait_for("spelled-out")

    document = shared.predict("spelled-out", ROW).json()
    assert document["data"] == {"names": [], "ndarray": [0]}
    assert document["meta"]["requestPath"] == {"classifier": "docker.io/seldonio/sklearnserver_rest:1.2.3"}
