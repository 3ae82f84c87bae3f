"""obstore's real GCS and Azure clients against endpoints on this machine."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.cloud_blobs import CloudBlobs, cloud_blobs

MODEL = bytes(range(256)) * 4096
FILES = {"model.joblib": MODEL, "sub/labels.txt": b"a\nb\n", "z.txt": b"z"}


@pytest.fixture
def cloud() -> Iterator[CloudBlobs]:
    with cloud_blobs() as blobs:
        for name, content in FILES.items():
            blobs.put(f"models/iris/{name}", content)
        blobs.put("models/iris-other/model.joblib", b"not this one")
        yield blobs


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=Patience(attempts=2, first_pause_s=0.001, read_timeout_s=10))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def google(cloud: CloudBlobs, **options: str) -> dict[str, str]:
    values = {"TYPE": "google cloud storage", "ENDPOINT": cloud.url} | options
    return {f"RCLONE_CONFIG_GS_{name}": value for name, value in values.items()}


def azure(cloud: CloudBlobs, **options: str) -> dict[str, str]:
    values = {"TYPE": "azureblob", "ACCOUNT": "acme", "ENDPOINT": cloud.url} | options
    return {f"RCLONE_CONFIG_AZBLOB_{name}": value for name, value in values.items()}


class TestGoogle:
    @pytest.mark.parametrize("uri", ["gs://models/iris", "gs:models/iris/"])
    def test_a_public_bucket_needs_no_credentials(self, cloud: CloudBlobs, fetcher: Fetcher, uri: str) -> None:
        assert contents(fetcher.fetch(uri, env=google(cloud, ANONYMOUS="true"))) == FILES

    def test_one_object_is_copied_under_its_own_name(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        assert contents(fetcher.fetch("gs://models/iris/model.joblib", env=google(cloud))) == {"model.joblib": MODEL}

    def test_a_service_account_signs_for_itself(self, cloud: CloudBlobs, fetcher: Fetcher, tmp_path: Path) -> None:
        key = tmp_path / "key.pem"
        subprocess.run(f"openssl genrsa -out {key} 2048".split(), check=True, capture_output=True)
        account = {
            "type": "service_account",
            "client_email": "reader@acme.iam.gserviceaccount.com",
            "private_key_id": "1",
            "private_key": key.read_text(),
        }
        cloud.authorization = "Bearer ey"

        env = google(cloud, SERVICE_ACCOUNT_CREDENTIALS=json.dumps(account))

        assert contents(fetcher.fetch("gs://models/iris", env=env)) == FILES

    def test_an_access_token_is_sent_as_it_is(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        cloud.authorization = "Bearer the-token"

        assert contents(fetcher.fetch("gs://models/iris", env=google(cloud, ACCESS_TOKEN="the-token"))) == FILES

    def test_a_private_bucket_says_that_nothing_is_configured(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        cloud.authorization = "Bearer"

        with pytest.raises(StorageError) as caught:
            fetcher.fetch("gs://models/iris", env=google(cloud))
        assert "HTTP 403 AccessDenied: Anonymous callers may not." in str(caught.value)
        assert "requests were anonymous: no Google credentials are configured" in str(caught.value)

    def test_a_missing_bucket_fails_with_the_stores_words(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        with pytest.raises(StorageError, match=r"^gs://nope/iris: .*HTTP 404 NoSuchBucket: The bucket does not exist"):
            fetcher.fetch("gs://nope/iris", env=google(cloud))

    def test_a_cut_download_is_resumed_with_a_range(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        cloud.cut_at = 600_000

        assert contents(fetcher.fetch("gs://models/iris/model.joblib", env=google(cloud))) == {"model.joblib": MODEL}
        assert any(span.startswith("bytes=") for method, _, span in cloud.asked if method == "GET")

    def test_folder_markers_are_not_files(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        cloud.put("models/iris/", b"")
        cloud.put("models/iris/sub/", b"")

        assert contents(fetcher.fetch("gs://models/iris", env=google(cloud))) == FILES

    @pytest.mark.parametrize("key", ["../../evil", "a/../../evil", "/evil", "a//evil", "./evil"])
    def test_a_key_that_climbs_or_has_empty_parts_is_refused(
        self, cloud: CloudBlobs, fetcher: Fetcher, tmp_path: Path, key: str
    ) -> None:
        cloud.put(f"models/iris/{key}", b"evil")

        with pytest.raises(StorageError, match=r"^gs://models/iris: refused: "):
            fetcher.fetch("gs://models/iris", env=google(cloud))
        assert not list(tmp_path.rglob("evil*"))

    @pytest.mark.parametrize("key", ["new\nline", "x" * 300])
    def test_a_key_that_is_no_file_name_is_refused(self, cloud: CloudBlobs, fetcher: Fetcher, key: str) -> None:
        cloud.put(f"models/iris/{key}", b"evil")

        with pytest.raises(StorageError, match="refused"):
            fetcher.fetch("gs://models/iris", env=google(cloud))

    def test_a_key_that_is_file_and_folder_is_refused(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        cloud.put("models/iris/sub", b"a file")

        with pytest.raises(StorageError, match="'sub' is both a file and a folder"):
            fetcher.fetch("gs://models/iris", env=google(cloud))


class TestAzure:
    @pytest.mark.parametrize("uri", ["azblob://models/iris", "azblob:models/iris"])
    def test_an_account_key_signs_requests(self, cloud: CloudBlobs, fetcher: Fetcher, uri: str) -> None:
        cloud.authorization = "SharedKey acme:"

        assert contents(fetcher.fetch(uri, env=azure(cloud, KEY="c2VjcmV0LWtleQ=="))) == FILES

    def test_a_shared_access_signature_travels_in_the_query(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        cloud.query_has = "sig=abc%3D"
        env = azure(cloud, SAS_URL=f"{cloud.url}/?sv=2023-11-03&sig=abc%3D")

        assert contents(fetcher.fetch("azblob://models/iris", env=env)) == FILES

    def test_a_public_container_needs_no_credentials(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        assert contents(fetcher.fetch("azblob://models/iris/model.joblib", env=azure(cloud))) == {"model.joblib": MODEL}

    def test_a_refusal_shows_no_key_and_no_signature(self, cloud: CloudBlobs, fetcher: Fetcher) -> None:
        cloud.query_has = "sig=right"
        env = azure(cloud, SAS_URL=f"{cloud.url}/?sv=2023-11-03&sig=wrong-signature")

        with pytest.raises(StorageError, match="HTTP 403") as caught:
            fetcher.fetch("azblob://models/iris", env=env)
        assert "wrong-signature" not in str(caught.value)

    def test_tokens_of_the_process_do_not_replace_a_secrets_key(
        self, cloud: CloudBlobs, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AZURE_STORAGE_TOKEN", "owners-token")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "b3duZXJz")
        cloud.authorization = "SharedKey acme:"

        assert contents(fetcher.fetch("azblob://models/iris", env=azure(cloud, KEY="c2VjcmV0LWtleQ=="))) == FILES
