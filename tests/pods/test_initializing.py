"""The init container: sources and folders as KServe and Seldon write them, credentials from its variables."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.pods.initializing import PLACEHOLDER, USAGE, initialize, located, pairs_of, variables_of
from support.instance import FAIRLEAD
from support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, s3_server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.put("models", "iris/model.joblib", b"weights")
        server.put("models", "iris/nested/settings.json", b"{}")
        yield server


def _run(*words: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    command = [str(FAIRLEAD), "storage-initializer", *words]
    return subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", [(), ("s3://a/b",), ("s3://a/b", "/x", "s3://c/d")])
def test_arguments_that_are_no_pairs_are_the_usage(words: tuple[str, ...]) -> None:
    with pytest.raises(StorageError) as refused:
        pairs_of(words)

    assert str(refused.value) == USAGE


def test_a_folder_gets_the_contents_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "source" / "deep").mkdir(parents=True)
    (tmp_path / "source" / "model.bin").write_bytes(b"1")
    (tmp_path / "source" / "deep" / "part").write_bytes(b"2")
    target = tmp_path / "mnt" / "models"

    initialize([(str(tmp_path / "source"), target)], {}, unpacks=True)

    assert _files(target) == {"model.bin": b"1", "deep/part": b"2"}
    assert sorted(path.name for path in target.iterdir()) == ["deep", "model.bin"]


def test_it_may_be_run_again_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "model.bin").write_bytes(b"new")
    target = tmp_path / "models"
    target.mkdir()
    (target / "model.bin").write_bytes(b"half")

    initialize([(str(tmp_path / "source"), target)], {}, unpacks=True)

    assert _files(target) == {"model.bin": b"new"}


def test_an_archive_alone_is_unpacked_unless_it_is_to_be_kept(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("inside.txt")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"ok"))
    uri = f"file://{tmp_path}/model.tgz"

    initialize([(uri, tmp_path / "unpacked")], {}, unpacks=True)
    initialize([(uri, tmp_path / "kept")], {}, unpacks=False)

    assert _files(tmp_path / "unpacked") == {"inside.txt": b"ok"}
    assert list(_files(tmp_path / "kept")) == ["model.tgz"]


def test_patterns_choose_among_the_files(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name in ("model.bin", "readme.md"):
        (tmp_path / "source" / name).write_bytes(b"1")

    env = {"STORAGE_IGNORE_PATTERNS": '["*.md"]'}
    initialize([(str(tmp_path / "source"), tmp_path / "models")], env, unpacks=True)

    assert list(_files(tmp_path / "models")) == ["model.bin"]


def test_what_is_at_its_place_already_is_left_alone(tmp_path: Path) -> None:
    initialize([("/mnt/models", tmp_path / "models")], {}, unpacks=True)

    assert not (tmp_path / "models").exists()


def test_a_store_s_entry_says_what_a_path_is_in() -> None:
    entry = {"type": "s3", "bucket": "models", "endpoint_url": "http://minio:9000", "access_key_id": "me"}
    env = {"STORAGE_CONFIG": json.dumps(entry)}

    uri, own = located(f"{PLACEHOLDER}iris", env)

    assert uri == "s3://models/iris"
    assert own["AWS_ENDPOINT_URL"] == "http://minio:9000"


def test_parameters_replace_the_entry_s_fields() -> None:
    env = {"STORAGE_CONFIG": '{"type": "s3", "bucket": "a"}', "STORAGE_OVERRIDE_CONFIG": '{"bucket": "b"}'}

    assert located(f"{PLACEHOLDER}iris", env)[0] == "s3://b/iris"


def test_an_address_that_is_complete_keeps_its_bucket() -> None:
    uri, own = located("s3://models/iris", {"STORAGE_CONFIG": '{"type": "s3", "region": "eu-west-1"}'})

    assert (uri, own["AWS_REGION"]) == ("s3://models/iris", "eu-west-1")


def test_a_bundle_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    env = {"CA_BUNDLE_CONFIGMAP_NAME": "corporate", "CA_BUNDLE_VOLUME_MOUNT_POINT": str(tmp_path)}

    with pytest.raises(StorageError, match=r"corporate, but .*cabundle.crt cannot be read"):
        initialize([(str(tmp_path), tmp_path / "models")], env, unpacks=True)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["s3://models/iris", "s3:models/iris"])
def test_a_remote_of_rclone_s_variables_is_read(s3: S3Server, tmp_path: Path, form: str) -> None:
    done = _run(form, str(tmp_path / "models"), env=s3.env())

    assert done.returncode == 0, done.stderr
    assert _files(tmp_path / "models") == {"model.joblib": b"weights", "nested/settings.json": b"{}"}


@pytest.mark.slow
def test_the_variables_of_kserve_s_secrets_are_read(s3: S3Server, tmp_path: Path) -> None:
    env = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_ENDPOINT_URL": s3.url}

    one, two = tmp_path / "one", tmp_path / "two"
    done = _run("s3://models/iris", str(one), "s3://models/iris/model.joblib", str(two), env=env)

    assert done.returncode == 0, done.stderr
    assert sorted(_files(one)) == ["model.joblib", "nested/settings.json"]
    assert sorted(_files(two)) == ["model.joblib"]


@pytest.mark.slow
def test_nothing_there_ends_with_one_and_a_reason_without_secrets(s3: S3Server, tmp_path: Path) -> None:
    why = tmp_path / "termination-log"
    env = {**s3.env(), "FAIRLEAD_TERMINATION_LOG": str(why)}

    done = _run("s3://models/nowhere", str(tmp_path / "models"), env=env)

    assert done.returncode == 1
    assert "Failed to fetch model. No model found in s3://models/nowhere" in done.stderr
    assert why.read_text() in done.stderr
    assert SECRET_KEY not in done.stderr + done.stdout


def test_headers_of_a_secret_are_for_the_server_that_it_names() -> None:
    given = {"FAIRLEAD_HEADERS_HOST": "models.example.com\n", "FAIRLEAD_HEADERS": '{"token": "x"}'}

    assert variables_of(given)["models.example.com-headers"] == '{"token": "x"}'
    assert variables_of({"FAIRLEAD_HEADERS_HOST": "models.example.com"}).keys() == {"FAIRLEAD_HEADERS_HOST"}
