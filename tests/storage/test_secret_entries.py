import json
from collections.abc import Mapping

import pytest

from fairlead.errors import StorageError
from fairlead.storage.secret_entries import resolve

MINIO = {
    "type": "s3",
    "access_key_id": "me",
    "secret_access_key": "a-secret-to-hide",
    "endpoint_url": "http://minio:9000",
    "region": "eu-west-1",
    "bucket": "models",
    "verify_ssl": False,
}


def values(**entries: object) -> dict[str, bytes]:
    return {key: (entry if isinstance(entry, str) else json.dumps(entry)).encode() for key, entry in entries.items()}


def test_an_entry_and_a_path_make_a_uri_and_its_variables() -> None:
    uri, env = resolve(values(minio=MINIO), secret="storage-config", key="minio", path="/sklearn/iris")

    assert uri == "s3://models/sklearn/iris"
    assert env == {
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "a-secret-to-hide",
        "AWS_ENDPOINT_URL": "http://minio:9000",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "S3_VERIFY_SSL": "false",
    }


def test_parameters_replace_fields_of_the_entry() -> None:
    uri, env = resolve(
        values(minio=MINIO), secret="s", key="minio", path="iris", parameters={"bucket": "mine", "anonymous": "true"}
    )

    assert uri == "s3://mine/iris"
    assert env["awsAnonymousCredential"] == "true"


@pytest.mark.parametrize(
    ("keys", "parameters", "bucket"),
    [
        (("default_s3", "default"), {"type": "s3"}, "default_s3"),
        (("default",), {"type": "s3"}, "default"),
        (("default_s3", "default"), {}, "default"),
    ],
)
def test_without_a_key_the_stores_default_entry_is_meant(
    keys: tuple[str, ...], parameters: Mapping[str, str], bucket: str
) -> None:
    entries = values(**{key: {"type": "s3", "bucket": key} for key in keys})

    assert resolve(entries, secret="s", path="iris", parameters=parameters)[0] == f"s3://{bucket}/iris"


def test_parameters_alone_may_be_enough() -> None:
    assert resolve({}, secret="s", path="iris", parameters={"type": "s3", "bucket": "b"}) == ("s3://b/iris", {})


def test_a_hadoop_cluster_needs_no_bucket() -> None:
    entry = {"type": "webhdfs", "HDFS_NAMENODE": "http://n:9870", "bucket": "ignored"}

    assert resolve(values(h=entry), secret="s", key="h", path="user/me") == (
        "webhdfs://user/me",
        {"HDFS_NAMENODE": "http://n:9870"},
    )


@pytest.mark.parametrize(
    ("entries", "key", "says"),
    [
        (values(a=MINIO), "b", "specified storage key b not found in storage secret storage-config"),
        (values(a="{hush"), "a", "invalid json encountered in key a of storage secret storage-config: "),
        (values(a="[]"), "a", "invalid json encountered in key a of storage secret storage-config: "),
        (values(a={"bucket": "b"}), "a", "unable to determine storage type"),
        ({}, "", "unable to determine storage type"),
        (
            values(a={"type": "gs"}),
            "a",
            "storage type must be one of [s3, hdfs, webhdfs]. storage type [gs] is not supported",
        ),
        (
            values(a={"type": "s3"}),
            "a",
            "format [s3] requires a bucket but one wasn't found in storage data or parameters",
        ),
    ],
)
def test_what_cannot_be_used_is_said_in_kserves_words(entries: Mapping[str, bytes], key: str, says: str) -> None:
    with pytest.raises(StorageError) as caught:
        resolve(entries, secret="storage-config", key=key, path="iris")

    assert str(caught.value).startswith(says)
    assert "hush" not in str(caught.value)
