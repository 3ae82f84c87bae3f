"""Credentials by the names of a Secret's keys: values never come here."""

from typing import Any

import pytest

from fairlead.dialects.base import Document
from support.isvc import isvc, model
from support.kserve_cluster import settings_map
from support.kserve_pods import composed, containers


def _secret(name: str, *keys: str, **annotations: str) -> Document:
    metadata = {"name": name, "namespace": "models"}
    said = {f"serving.kserve.io/s3-{key}": value for key, value in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**metadata, "annotations": said},
        "data": dict.fromkeys(keys, ""),
    }


def _account(*secrets: str, name: str = "default", **annotations: str) -> Document:
    metadata = {"name": name, "namespace": "models", "annotations": annotations}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata,
        "secrets": [{"name": one} for one in secrets],
    }


def _env(*stored: Document, doc: Document | None = None) -> dict[str, Any]:
    """The variables of the init container: texts, and keys of Secrets as `secret/key`."""
    pod, _ = composed(doc or isvc(model()), *stored)
    found = {}
    for one in containers(pod)["storage-initializer"]["env"]:
        source = one.get("valueFrom", {}).get("secretKeyRef")
        found[one["name"]] = f"{source['name']}/{source['key']}" if source else one["value"]
    return {name: value for name, value in found.items() if not name.startswith("HF_HUB_") and "_XET_" not in name}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        (("awsAccessKeyID", "awsSecretAccessKey"), {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        (("AZ_CLIENT_ID", "AZ_TENANT_ID"), {"AZURE_CLIENT_ID", "AZURE_TENANT_ID"}),
        (("AZURE_ACCESS_TOKEN",), {"AZURE_ACCESS_TOKEN"}),
        (("AZURE_STORAGE_ACCESS_KEY",), {"AZURE_STORAGE_ACCESS_KEY"}),
        (("https-host", "headers"), {"FAIRLEAD_HEADERS_HOST", "FAIRLEAD_HEADERS"}),
        (("HDFS_NAMENODE", "USER_PROXY"), {"HDFS_NAMENODE", "USER_PROXY"}),
        (("HF_TOKEN",), {"HF_TOKEN"}),
        (("MODELSCOPE_API_TOKEN",), {"MODELSCOPE_API_TOKEN"}),
        (("GIT_USERNAME", "GIT_PASSWORD"), {"GIT_USERNAME", "GIT_PASSWORD"}),
        ((".dockerconfigjson",), {"DOCKER_AUTH_CONFIG"}),
        (("password",), set()),
        (("HF_TOKEN", "AWS_SECRET_ACCESS_KEY"), {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
    ],
)
def test_a_secret_is_what_its_first_known_key_says(keys: tuple[str, ...], expected: set[str]) -> None:
    assert set(_env(_account("mine"), _secret("mine", *keys))) == expected


def test_settings_of_a_store_are_the_secrets_and_then_the_installations() -> None:
    config = settings_map(credentials='{"s3": {"s3Region": "eu-west-1", "s3Endpoint": "elsewhere"}}')
    secret = _secret("s3", "AWS_SECRET_ACCESS_KEY", endpoint="minio:9000", usehttps="0", verifyssl="0")

    env = _env(config, _account("s3"), secret)

    assert env["AWS_ENDPOINT_URL"] == "http://minio:9000"
    assert (env["S3_ENDPOINT"], env["S3_USE_HTTPS"]) == ("minio:9000", "0")
    assert (env["AWS_DEFAULT_REGION"], env["S3_VERIFY_SSL"]) == ("eu-west-1", "0")


def test_a_role_takes_the_settings_without_keys() -> None:
    config = settings_map(credentials='{"s3": {"s3Region": "eu-west-1"}}')

    assert _env(config, _account(**{"eks.amazonaws.com/role-arn": "arn"})) == {"AWS_DEFAULT_REGION": "eu-west-1"}


def test_googles_file_is_mounted() -> None:
    stored = (_account("gcs"), _secret("gcs", "gcloud-application-credentials.json"))

    pod, _ = composed(isvc(model()), *stored)

    assert _env(*stored) == {"GOOGLE_APPLICATION_CREDENTIALS": "/var/secrets/gcloud-application-credentials.json"}
    assert {"name": "user-gcp-sa", "secret": {"secretName": "gcs"}} in pod.pod.spec["volumes"]


def test_several_secrets_add_up() -> None:
    stored = (_account("a", "b", "missing"), _secret("a", "HF_TOKEN"), _secret("b", "AWS_SECRET_ACCESS_KEY"))

    assert set(_env(*stored)) == {"HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_a_secret_that_the_service_names_replaces_those_of_its_account() -> None:
    doc = isvc(model(), annotations={"serving.kserve.io/storageSecretName": "mine"})

    env = _env(_account("other"), _secret("other", "HF_TOKEN"), _secret("mine", "AZURE_ACCESS_TOKEN"), doc=doc)

    assert env == {"AZURE_ACCESS_TOKEN": "mine/AZURE_ACCESS_TOKEN"}


def test_secrets_of_another_namespace_are_nobodys() -> None:
    theirs = _secret("mine", "HF_TOKEN")
    theirs["metadata"]["namespace"] = "theirs"

    assert _env(_account("mine"), theirs) == {}


def test_the_account_and_secrets_that_were_looked_at_are_mentioned() -> None:
    doc = isvc({**model(), "serviceAccountName": "reader"})

    pod, _ = composed(doc, _account("s3", name="reader"))

    assert {("ServiceAccount", "reader"), ("Secret", "s3")} <= set(pod.mentions)


@pytest.mark.parametrize(
    ("storage", "keys", "expected"),
    [
        ({"key": "a", "path": "m"}, ("a", "default"), {"STORAGE_CONFIG": "storage-config/a"}),
        ({"path": "m"}, ("a", "default"), {"STORAGE_CONFIG": "storage-config/default"}),
        (
            {"path": "m", "parameters": {"type": "s3", "bucket": "b"}},
            ("default", "default_s3"),
            {"STORAGE_CONFIG": "storage-config/default_s3", "STORAGE_OVERRIDE_CONFIG": '{"bucket":"b","type":"s3"}'},
        ),
        ({"path": "m", "parameters": {"type": "s3"}}, (), {"STORAGE_OVERRIDE_CONFIG": '{"type":"s3"}'}),
    ],
)
def test_a_store_is_an_entry_of_its_secret(storage: Any, keys: tuple[str, ...], expected: dict[str, str]) -> None:
    doc = isvc({"model": {"modelFormat": {"name": "sklearn"}, "storage": storage}})

    assert _env(_secret("storage-config", *keys), doc=doc) == expected


def test_an_entry_of_a_secret_that_cannot_be_seen_is_taken_on_trust() -> None:
    doc = isvc({"model": {"modelFormat": {"name": "sklearn"}, "storage": {"key": "a", "path": "/m"}}})

    pod, _ = composed(doc)

    assert _env(doc=doc) == {"STORAGE_CONFIG": "storage-config/a"}
    assert containers(pod)["storage-initializer"]["args"] == ["<scheme-placeholder>://m", "/mnt/models"]
