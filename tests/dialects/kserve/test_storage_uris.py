import pytest

from fairlead.dialects.kserve.storage_uris import common_parent, is_mounted_already, supported_scheme, unsupported


@pytest.mark.parametrize(
    "uri",
    [
        "gs://bucket/model",
        "s3://bucket/model",
        "pvc://claim/model",
        "file:///srv/model",
        "https://acme.blob.core.windows.net/container/model",
        "http://example.com/model.joblib",
        "hdfs://user/model",
        "webhdfs://user/model",
        "oci://ghcr.io/acme/model:v1",
        "oci+native://ghcr.io/acme/model:v1",
        "oci+fetch://ghcr.io/acme/model:v1",
        "oci+modelcar://ghcr.io/acme/model:v1",
        "hf://owner/model",
        "/srv/model",
        "models/iris",
        "",
    ],
)
def test_known_schemes_and_paths_are_taken(uri: str) -> None:
    assert supported_scheme(uri)


@pytest.mark.parametrize("uri", ["ftp://host/model", "modelscope://owner/model", "GS://bucket/model", "://x"])
def test_other_schemes_are_refused_in_the_controllers_words(uri: str) -> None:
    assert not supported_scheme(uri)
    assert unsupported(uri) == (
        "StorageURI not supported: storageUri, must be one of: [gs://, s3://, pvc://, file://, https://, http://, "
        "hdfs://, webhdfs://, oci://, oci+native://, oci+fetch://, hf://] or match "
        "https://{}.blob.core.windows.net/{}/{} or be an absolute or relative local path. "
        f"StorageUri [{uri}] is not supported"
    )


def test_the_mounted_folder_is_nothing_to_fetch() -> None:
    assert is_mounted_already("/mnt/models")
    assert is_mounted_already("/mnt/models/iris")
    assert not is_mounted_already("/mnt/models-v2")


@pytest.mark.parametrize(
    ("mounts", "parent"),
    [
        (["/mnt/models"], "/mnt/models"),
        (["/mnt/models/base", "/mnt/models/adapters/a/"], "/mnt/models"),
        (["/mnt/models", "/mnt/models/extra"], "/mnt/models"),
        (["/a/x", "/b/x"], "/"),
    ],
)
def test_several_mounts_share_their_deepest_folder(mounts: list[str], parent: str) -> None:
    assert common_parent(mounts) == parent
