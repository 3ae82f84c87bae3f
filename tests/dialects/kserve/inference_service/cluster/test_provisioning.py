"""How models get into pods."""

from typing import Any

import pytest

from fairlead.dialects.base import Document
from fairlead.errors import InvalidManifest
from support.isvc import container, isvc, model
from support.kserve_cluster import settings_map
from support.kserve_pods import composed, containers

SERVER = "kserve-container"
NATIVE = settings_map(storageInitializer='{"ociModelMode": "native"}')


def _mounts(doc: Document, *stored: Document, server: str = SERVER) -> dict[str, dict[str, Any]]:
    pod, _ = composed(doc, *stored)
    return {one["mountPath"]: one for one in containers(pod)[server].get("volumeMounts", ())}


def _several(*pairs: tuple[str, str]) -> dict[str, Any]:
    uris = [{"uri": uri, "mountPath": mount} for uri, mount in pairs]
    return isvc({"model": {"modelFormat": {"name": "sklearn"}}, "storageUris": uris})


def test_a_claim_is_mounted_and_nothing_is_fetched() -> None:
    pod, _ = composed(isvc(model(uri="pvc://claim/a/b")))

    assert pod.pod.spec["volumes"] == [
        {"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "claim", "readOnly": False}}
    ]
    assert "initContainers" not in pod.pod.spec
    mount = {"name": "kserve-pvc-source", "mountPath": "/mnt/models", "readOnly": True, "subPath": "a/b"}
    assert containers(pod)[SERVER]["volumeMounts"] == [mount]


def test_knative_is_given_a_claim_that_it_cannot_write_to() -> None:
    pod, _ = composed(isvc(model(uri="pvc://claim")), is_knative=True)

    assert pod.pod.spec["volumes"][0]["persistentVolumeClaim"]["readOnly"] is True


def test_claims_are_volumes_each_once() -> None:
    doc = _several(("pvc://a/x", "/mnt/x"), ("pvc://b", "/mnt/y"), ("pvc://a/z", "/mnt/z"))

    mounts = _mounts(doc)

    names = {mounts[path]["name"] for path in ("/mnt/x", "/mnt/z")}
    assert names == {"kserve-pvc-source"}
    assert mounts["/mnt/y"]["name"] == "kserve-pvc-source-2"


def test_several_models_are_one_volume_at_the_folder_above_them() -> None:
    pod, _ = composed(_several(("s3://b/x", "/mnt/models/x"), ("hf://o/y", "/mnt/models/y")))

    fetching = containers(pod)["storage-initializer"]
    assert fetching["args"] == ["s3://b/x", "/mnt/models/x", "hf://o/y", "/mnt/models/y"]
    assert fetching["volumeMounts"] == [{"name": "mnt-models", "mountPath": "/mnt/models"}]


def test_a_folder_with_a_claim_in_it_can_be_written() -> None:
    mounts = _mounts(_several(("s3://b/x", "/mnt/models"), ("pvc://a", "/mnt/models/y")))

    assert mounts["/mnt/models"]["readOnly"] is False
    assert mounts["/mnt/models/y"]["readOnly"] is True


@pytest.mark.parametrize(("said", "expected"), [("false", False), ("true", True), ("no", True)])
def test_servers_only_read_their_models_unless_an_annotation_says_false(said: str, *, expected: bool) -> None:
    doc = isvc(model(), annotations={"storage.kserve.io/readonly": said})

    assert _mounts(doc)["/mnt/models"]["readOnly"] is expected


def test_a_transformer_beside_the_server_sees_the_model_too() -> None:
    doc = isvc({**model(), "containers": [{"name": "transformer-container", "image": "t:1"}, {"name": "other"}]})

    assert "/mnt/models" in _mounts(doc, server="transformer-container")
    assert "/mnt/models" not in _mounts(doc, server="other")


def test_a_variable_names_the_model_and_then_where_it_is() -> None:
    pod, _ = composed(isvc(container(env=[{"name": "STORAGE_URI", "value": "s3://b/m"}])))

    assert containers(pod)["storage-initializer"]["args"][0] == "s3://b/m"
    assert {"name": "STORAGE_URI", "value": "/mnt/models"} in containers(pod)[SERVER]["env"]


def test_a_model_that_the_image_brings_is_not_fetched() -> None:
    pod, _ = composed(isvc(model(uri="/mnt/models/mine")))

    assert "initContainers" not in pod.pod.spec


def test_a_volume_of_the_users_where_models_are_stays_his() -> None:
    mounts = [{"name": "mine", "mountPath": "/mnt/models"}]
    doc = isvc({"model": {"modelFormat": {"name": "sklearn"}, "volumeMounts": mounts}, "volumes": [{"name": "mine"}]})

    pod, _ = composed(doc)

    assert [one["name"] for one in pod.pod.spec["containers"]] == [SERVER]
    assert containers(pod)[SERVER]["volumeMounts"] == mounts


@pytest.mark.parametrize(("uri", "stored"), [("oci+native://r/m:1", ()), ("oci://r/m:1", (NATIVE,))])
def test_an_image_is_a_volume_where_that_is_asked_for(uri: str, stored: tuple[Document, ...]) -> None:
    pod, _ = composed(isvc(model(uri=uri)), *stored)

    (volume,) = pod.pod.spec["volumes"]
    assert volume == {"name": "kserve-oci-model", "image": {"reference": "r/m:1", "pullPolicy": "IfNotPresent"}}
    (mount,) = containers(pod)[SERVER]["volumeMounts"]
    assert (mount["mountPath"], mount["subPath"]) == ("/mnt/models", "models")


def test_a_sidecar_with_the_model_runs_as_the_server_does() -> None:
    pod, _ = composed(isvc(model(uri="oci://r/m:1")))

    found = containers(pod)
    users = {found[name]["securityContext"]["runAsUser"] for name in (SERVER, "modelcar", "modelcar-init")}
    assert users == {1010}
    assert pod.pod.spec["shareProcessNamespace"] is True
    assert {"name": "MODEL_INIT_MODE", "value": "async"} in found[SERVER]["env"]


def test_one_image_at_most_is_shown_by_a_sidecar() -> None:
    with pytest.raises(InvalidManifest, match=r"storageUris: one image at most .* write oci\+native://"):
        composed(_several(("oci://r/a", "/mnt/models/a"), ("oci://r/b", "/mnt/models/b")))


def test_an_address_of_no_known_kind_is_refused_as_kserve_does() -> None:
    with pytest.raises(InvalidManifest, match=r"StorageURI not supported: .* StorageUri \[ftp://a\]"):
        composed(isvc(model(uri="ftp://a")))


def test_a_place_is_given_once() -> None:
    with pytest.raises(InvalidManifest, match=r"must provide only one of storageUri and storage\.path"):
        composed(isvc(model(storage={"path": "a"})))
