import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import StorageError, StorageUnavailable
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.web_files import FileServer, Served, file_server

QUICK = Patience(attempts=3, first_pause_s=0.001, read_timeout_s=5)
MODELS = "/api/v1/model_repositories/iris/models"
TOKEN = "s3cret-token-of-the-registry"


def archive(**files: bytes) -> bytes:
    """A tar as BentoML's clients send it: members begin with `./`, and the folder itself is one."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


ARCHIVE = archive(model=b"weights" * 50_000, notes=b"of the model")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def fetcher(tmp_path: Path, server: FileServer) -> Fetcher:
    mine = {"FAIRLEAD_REGISTRY_URL": f"{server.url}/", "FAIRLEAD_REGISTRY_TOKEN": TOKEN}
    return Fetcher(tmp_path / "cache", patience=QUICK, defaults=mine)


def put(server: FileServer, version: str, content: bytes = ARCHIVE, *, place: str = MODELS, **said: Any) -> None:
    """A complete version, as our registry describes one."""
    described = {
        "version": version,
        "upload_status": "success",
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "archive_bytes": len(content),
        **said,
    }
    server.files[f"{place}/{version}"] = Served(json.dumps(described).encode())
    server.files[f"{place}/{version}/download"] = Served(content, etag="")
    server.files[place] = Served(json.dumps({"items": [described]}).encode())


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_its_unpacked_archive_and_the_token_is_shown(server: FileServer, fetcher: Fetcher) -> None:
    put(server, "v1")

    assert tree(fetcher.fetch("fairlead://iris:v1")) == {"model": b"weights" * 50_000, "notes": b"of the model"}
    assert {
        asked.headers.get("X-Yatai-Api-Token", asked.headers.get("X-yatai-api-token")) for asked in server.asked
    } == {TOKEN}


@pytest.mark.parametrize("uri", ["fairlead://iris", "fairlead://iris:latest", "fairlead://models/iris"])
def test_without_a_version_the_newest_complete_one_is_meant(server: FileServer, fetcher: Fetcher, uri: str) -> None:
    put(server, "v2")
    listed = [{"version": "v3", "upload_status": "uploading"}, {"version": "v2", "upload_status": "success"}]
    server.files[MODELS] = Served(json.dumps({"items": listed}).encode())

    assert "model" in tree(fetcher.fetch(uri))


def test_a_bento_has_repositories_of_its_own(server: FileServer, fetcher: Fetcher) -> None:
    put(server, "v1", place="/api/v1/bento_repositories/iris/bentos")

    assert "model" in tree(fetcher.fetch("fairlead://bentos/iris:v1"))


def test_what_has_not_changed_is_not_downloaded_again(server: FileServer, fetcher: Fetcher) -> None:
    put(server, "v1")
    first = fetcher.fetch("fairlead://iris:v1")
    del server.files[f"{MODELS}/v1/download"]

    assert fetcher.fetch("fairlead://iris:v1") == first


def test_a_broken_transfer_goes_on_where_it_broke(server: FileServer, fetcher: Fetcher) -> None:
    put(server, "v1")
    served = server.files[f"{MODELS}/v1/download"]
    served.cut_at, served.cuts = 100_000, 1

    assert "model" in tree(fetcher.fetch("fairlead://iris:v1"))


def test_bytes_that_are_not_the_versions_are_refused(server: FileServer, fetcher: Fetcher) -> None:
    put(server, "v1", digest=f"sha256:{'0' * 64}")

    with pytest.raises((StorageError, StorageUnavailable), match="fairlead://iris:v1"):
        fetcher.fetch("fairlead://iris:v1")


def test_a_registry_that_tells_no_digest_is_asked_again_when_an_upload_ended_later(
    server: FileServer, fetcher: Fetcher
) -> None:
    put(server, "v1", digest=None, archive_bytes=None, upload_finished_at="2024-01-01T00:00:00Z")
    fetcher.fetch("fairlead://iris:v1")
    other = archive(model=b"retrained")
    put(server, "v1", other, digest=None, archive_bytes=None, upload_finished_at="2024-01-02T00:00:00Z")

    assert tree(fetcher.fetch("fairlead://iris:v1")) == {"model": b"retrained"}


def test_a_version_that_is_not_there_is_named(server: FileServer, fetcher: Fetcher) -> None:
    with pytest.raises(StorageError, match=r"fairlead://iris:v9: the registry at http://127\S+ has no such version"):
        fetcher.fetch("fairlead://iris:v9")


def test_the_old_word_for_what_is_not_there_is_understood(server: FileServer, fetcher: Fetcher) -> None:
    server.files[f"{MODELS}/v9"] = Served(b'{"error": "get model: record not found"}', status=400)

    with pytest.raises(StorageError, match="has no such version"):
        fetcher.fetch("fairlead://iris:v9")


def test_a_version_that_is_being_pushed_is_worth_waiting_for(server: FileServer, fetcher: Fetcher) -> None:
    put(server, "v1", upload_status="uploading")

    with pytest.raises(StorageUnavailable, match="not complete yet"):
        fetcher.fetch("fairlead://iris:v1")


def test_an_upload_that_failed_says_why(server: FileServer, fetcher: Fetcher) -> None:
    put(server, "v1", upload_status="failed", upload_finished_reason="the client went away")

    with pytest.raises(StorageError, match="its upload failed: the client went away; push it again"):
        fetcher.fetch("fairlead://iris:v1")


def test_without_a_registry_the_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="FAIRLEAD_REGISTRY_URL says where it answers"):
        Fetcher(tmp_path).fetch("fairlead://iris:v1")


def test_our_token_is_not_given_to_a_registry_that_a_secret_names(server: FileServer, tmp_path: Path) -> None:
    put(server, "v1")
    mine = {"FAIRLEAD_REGISTRY_URL": "http://127.0.0.1:1", "FAIRLEAD_REGISTRY_TOKEN": TOKEN}
    fetcher = Fetcher(tmp_path / "cache", patience=QUICK, defaults=mine)

    fetcher.fetch("fairlead://iris:v1", env={"FAIRLEAD_REGISTRY_URL": server.url})

    assert not any(TOKEN in asked.headers.values() for asked in server.asked)


def test_what_answers_otherwise_is_no_registry(server: FileServer, fetcher: Fetcher) -> None:
    server.files[f"{MODELS}/v1"] = Served(b"<html>welcome</html>")

    with pytest.raises(StorageError, match="does not answer as a registry does"):
        fetcher.fetch("fairlead://iris:v1")
