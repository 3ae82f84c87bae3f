from typing import Any

import pytest

from fairlead.errors import InvalidManifest
from fairlead.plan.model import Artifact, EnvVar, KeyRef, Part, SecretEntry
from support.isvc import container, isvc, lowered, model, unit_of


def artifact(predictor: dict[str, Any], **annotations: str) -> Artifact:
    found = unit_of(isvc(predictor, annotations=annotations)).artifact
    assert found is not None
    return found


def test_a_model_is_fetched_with_the_credentials_of_its_account() -> None:
    assert artifact({**model(uri="s3://bucket/iris"), "serviceAccountName": "robot"}) == Artifact(
        uri="s3://bucket/iris", service_account="robot", unpacks=True
    )


def test_a_secret_may_be_named_in_place_of_an_accounts() -> None:
    named = {"serving.kserve.io/storageSecretName": "keys"}

    assert artifact(model(), **named).credential_secret == "keys"


def test_a_store_is_known_by_its_entry_in_a_secret() -> None:
    storage = {"key": "minio", "path": "models/iris", "parameters": {"bucket": "other"}}
    found = artifact({"model": {"modelFormat": {"name": "sklearn"}, "storage": storage}})

    assert found.entry == SecretEntry(
        secret="storage-config", key="minio", path="models/iris", parameters=(("bucket", "other"),)
    )


def test_several_models_lie_in_the_folder_above_them_all() -> None:
    uris = [{"uri": "s3://a/x", "mountPath": "/mnt/models/x"}, {"uri": "gs://b/y", "mountPath": "/mnt/models/y"}]
    found = artifact({"model": {"modelFormat": {"name": "sklearn"}}, "storageUris": uris})

    assert found.mount == "/mnt/models"
    assert found.parts == (
        Part(uri="s3://a/x", mount="/mnt/models/x"),
        Part(uri="gs://b/y", mount="/mnt/models/y"),
    )


def test_a_server_that_is_pointed_to_one_of_several_gets_that_one() -> None:
    uris = [{"uri": "s3://a/x", "mountPath": "/mnt/models/x"}, {"uri": "gs://b/y", "mountPath": "/mnt/models/y"}]
    args = ["--model_dir=/mnt/models/y/v2"]
    found = artifact({"model": {"modelFormat": {"name": "sklearn"}, "args": args}, "storageUris": uris})

    assert (found.uri, found.mount, found.parts) == ("gs://b/y/v2", "/mnt/models/y/v2", ())


def test_one_of_several_is_just_one() -> None:
    found = artifact({"model": {"modelFormat": {"name": "sklearn"}}, "storageUris": [{"uri": "s3://a/x"}]})

    assert (found.uri, found.mount, found.parts) == ("s3://a/x", "/mnt/models", ())


def test_a_claim_in_the_models_place_is_the_model() -> None:
    predictor = {
        **model(uri="/mnt/models", volumeMounts=[{"name": "m", "mountPath": "/mnt/models", "subPath": "iris/3"}]),
        "volumes": [{"name": "m", "persistentVolumeClaim": {"claimName": "shelf"}}],
    }

    assert artifact(predictor).uri == "pvc://shelf/iris/3"


def test_a_scheme_that_the_controller_does_not_know_is_refused_in_its_words() -> None:
    with pytest.raises(InvalidManifest, match=r"StorageUri \[ftp://a/b\] is not supported"):
        lowered(isvc(model(uri="ftp://a/b")))


def test_a_place_and_an_entry_are_one_too_many() -> None:
    with pytest.raises(InvalidManifest, match=r"must provide only one of storageUri and storage\.path"):
        lowered(isvc(model(storage={"path": "a"})))


def test_a_container_says_where_its_model_is_by_a_variable() -> None:
    assert artifact(container(env=[{"name": "STORAGE_URI", "value": "hf://org/model"}])).uri == "hf://org/model"


def test_a_container_without_a_model_has_none() -> None:
    assert unit_of(isvc(container())).artifact is None


def storage_container(name: str, prefix: str, *env: dict[str, Any], **fields: Any) -> dict[str, Any]:
    container = {"name": "storage-initializer", "image": "example.com/fetch:1", "env": list(env)}
    return {
        "kind": "ClusterStorageContainer",
        "metadata": {"name": name},
        "spec": {"container": container, "supportedUriFormats": [{"prefix": prefix}], **fields},
    }


TOKEN = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
ENDPOINT = {"name": "HF_ENDPOINT", "value": "https://hub.example.com"}


def fetching(predictor: dict[str, Any], *stored: dict[str, Any]) -> dict[str, EnvVar]:
    found = unit_of(isvc(predictor), *stored).artifact
    assert found is not None
    return {one.name: one for one in found.init_env}


def test_variables_of_the_container_that_would_fetch_a_model_hold_for_its_transfer() -> None:
    others = storage_container("a", "s3://", ENDPOINT), storage_container("c", "hf://", {"name": "X", "value": "late"})
    found = fetching(model(uri="hf://org/m"), *others, storage_container("b", "hf://", TOKEN, ENDPOINT))

    assert found["HF_TOKEN"].source == KeyRef(kind="Secret", name="hub", key="token")
    assert found["HF_ENDPOINT"].value == "https://hub.example.com"
    assert "X" not in found


def test_a_container_that_is_named_comes_before_others_and_one_that_is_disabled_does_not_count() -> None:
    first = storage_container("a", "hf://", ENDPOINT) | {"disabled": True}
    second, third = storage_container("b", "hf://", TOKEN), storage_container("c", "hf://", ENDPOINT)

    assert list(fetching(model(uri="hf://org/m"), first, second, third)) == ["HF_TOKEN"]
    named = {**model(uri="hf://org/m"), "storageContainerName": "c"}
    assert list(fetching(named, first, second, third)) == ["HF_ENDPOINT"]
