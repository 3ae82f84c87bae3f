import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import StorageError
from fairlead.storage.uris import (
    ClaimUri,
    FileUri,
    GitUri,
    HdfsUri,
    HttpUri,
    HubUri,
    ModelUri,
    OciUri,
    RegistryUri,
    RemoteUri,
    ShareUri,
    parse,
    without_secrets,
)


@pytest.mark.parametrize(
    ("uri", "remote", "bucket", "key"),
    [
        ("gs://seldon-models/v1.18/sklearn/iris", "gs", "seldon-models", "v1.18/sklearn/iris"),
        ("gs:seldon-models/iris", "gs", "seldon-models", "iris"),
        ("gcs://b/p", "gs", "b", "p"),
        ("s3://sklearn/iris/", "s3", "sklearn", "iris"),
        ("s3:sklearn/iris", "s3", "sklearn", "iris"),
        ("s3a://b//p/./q", "s3", "b", "p/q"),
        ("s3://bucket", "s3", "bucket", ""),
        ("azblob:container/p", "azblob", "container", "p"),
        ("azureblob:container/p", "azureblob", "container", "p"),
        ("az://container/p", "az", "container", "p"),
        ("abfs://container/p", "az", "container", "p"),
        ("minio:sklearn/iris", "minio", "sklearn", "iris"),
        ("my-store://a/b/c", "my-store", "a", "b/c"),
    ],
)
def test_a_remote_is_written_with_or_without_slashes(uri: str, remote: str, bucket: str, key: str) -> None:
    parsed = parse(uri)

    assert isinstance(parsed, RemoteUri)
    assert (parsed.remote, parsed.bucket, parsed.key) == (remote, bucket, key)


def test_both_spellings_of_a_remote_are_one_value() -> None:
    assert parse("s3:bucket/path") == parse("s3://bucket/path")
    assert str(parse("s3:bucket/path")) == "s3://bucket/path"


def test_an_absolute_path_on_a_remote_stays_absolute() -> None:
    parsed = parse("sftp:/srv/models/iris")

    assert isinstance(parsed, RemoteUri)
    assert (parsed.path, str(parsed)) == ("/srv/models/iris", "sftp:/srv/models/iris")


def test_azures_own_urls_name_account_and_container() -> None:
    https = parse("https://acme.blob.core.windows.net/models/ir%20is?sv=1&sig=abc")
    abfss = parse("abfss://models@acme.dfs.core.windows.net/iris")

    assert https == RemoteUri(
        remote="azblob", path="models/ir is", account="acme", host="acme.blob.core.windows.net", query="sv=1&sig=abc"
    )
    assert abfss == RemoteUri(remote="az", path="models/iris", account="acme", host="acme.blob.core.windows.net")


def test_an_azure_file_system_on_a_strangers_host_is_refused() -> None:
    with pytest.raises(StorageError, match="not a host of Azure storage"):
        parse("abfss://models@acme.example.com/iris")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/srv/models/iris", "/srv/models/iris"),
        ("models/iris", "models/iris"),
        ("./odd:name/iris", "odd:name/iris"),
        ("../models", "../models"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("file:/srv/a", "/srv/a"),
        ("file://localhost/srv/a", "/srv/a"),
    ],
)
def test_files_are_named_by_path_or_file_url(uri: str, path: str) -> None:
    parsed = parse(uri)

    assert isinstance(parsed, FileUri)
    assert str(parsed.path) == path


def test_claims_and_web_files_are_recognised() -> None:
    assert parse("pvc://models/iris/v1") == ClaimUri(claim="models", path="iris/v1")
    assert parse("pvc:models") == ClaimUri(claim="models", path="")
    assert parse("https://example.com/m/model.joblib?x=1") == HttpUri(url="https://example.com/m/model.joblib?x=1")
    assert parse("http:example.com/model.bst") == HttpUri(url="http://example.com/model.bst")


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("fairlead://iris:v1", RegistryUri(name="iris", tag="v1")),
        ("fairlead://models/iris", RegistryUri(name="iris")),
        ("fairlead:iris:latest", RegistryUri(name="iris")),
        ("fairlead://bentos/iris_classifier:a.b-c", RegistryUri(name="iris_classifier", tag="a.b-c", is_bento=True)),
        ("fairlead://Iris:V1", RegistryUri(name="iris", tag="v1")),
    ],
)
def test_the_registrys_models_and_bentos_go_by_tag(uri: str, parsed: RegistryUri) -> None:
    assert parse(uri) == parsed
    assert parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("s3://", "names no bucket"),
        ("gs:", "names no bucket"),
        ("s3://bucket/../other", "'..' is not accepted"),
        ("pvc://claim/../../etc", "'..' is not accepted"),
        ("pvc:///x", "names no claim"),
        ("file://", "names no path"),
        ("file://server/share", "names a file of the host 'server'"),
        ("https:///x", "names no host"),
        ("http://host:port/x", "not a URL"),
        (":s3,provider=Minio:bucket/x", "inside the URI"),
        ("s3,provider=Minio:bucket/x", "not a name for a remote"),
        ("s3://bucket/a\nb", "control characters"),
        ("fairlead://", "not a name of the registry; write fairlead://<model>"),
        ("fairlead://team/iris:v1", "not a name of the registry"),
        ("fairlead://iris:", "not a name of the registry"),
        ("modelscope://owner/model", "ModelScope repositories cannot be used as a source"),
        ("hf://model", r"Invalid Hugging Face URI format. Expected 'hf://owner/model\[:revision\]', got 'hf://model'"),
        ("hf://owner/model/file", "Invalid Hugging Face URI format"),
        ("hf://owner/model:", "Invalid Hugging Face URI format"),
        ("oci://", "names no image"),
        ("https://me:hush@example.com/models.git", "a login does not belong into the URL of a git repository"),
        ("https://acme.file.core.windows.net/", "names no file share"),
        ("hdfs://user/../../etc", "'..' is not accepted"),
    ],
)
def test_what_cannot_be_a_source_says_why_and_what_is_accepted(uri: str, says: str) -> None:
    with pytest.raises(StorageError, match=says):
        parse(uri)


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("hf://owner/model", HubUri(repository="owner/model")),
        ("hf://owner/model.v2:refs/pr/1", HubUri(repository="owner/model.v2", revision="refs/pr/1")),
        ("oci://ghcr.io/acme/iris:v1", OciUri(reference="ghcr.io/acme/iris:v1")),
        ("oci+native://acme/iris", OciUri(reference="acme/iris")),
        ("oci+fetch://acme/iris", OciUri(reference="acme/iris")),
        ("oci+modelcar://acme/iris", OciUri(reference="acme/iris")),
        ("https://example.com/acme/iris.git", GitUri(url="https://example.com/acme/iris.git")),
        ("hdfs://user/me/iris", HdfsUri(scheme="hdfs", path="user/me/iris")),
        ("webhdfs:///user/me/iris/", HdfsUri(scheme="webhdfs", path="user/me/iris")),
        (
            "https://acme.file.core.windows.net/share/ir%20is?sv=1",
            ShareUri(account="acme", host="acme.file.core.windows.net", path="share/ir is", query="sv=1"),
        ),
    ],
)
def test_hubs_registries_repositories_clusters_and_shares_are_recognised(uri: str, parsed: ModelUri) -> None:
    assert parse(uri) == parsed


def test_shown_urls_hold_no_signature_and_no_password() -> None:
    shown = str(parse("https://user:pa$$@example.com/m.bin?X-Amz-Signature=abc#part"))

    assert shown == "https://example.com/m.bin"
    assert without_secrets("see http://a/b?sig=1 and http://c/d?sig=2") == "see http://a/b and http://c/d"


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_with_a_storage_error(text: str) -> None:
    try:
        parsed = parse(text)
    except StorageError:
        return
    assert ".." not in str(parsed).split("/") or isinstance(parsed, FileUri | HttpUri)
