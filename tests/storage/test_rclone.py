import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import Forbidden, MissingExtra, StorageError, StorageUnavailable
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.s3 import serving

MODEL = bytes(range(256)) * 4096
PASSWORD = "a-password-that-must-never-be-shown"


@pytest.fixture(scope="module")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A store obstore does not speak; the value is the Secret for it."""
    root = tmp_path_factory.mktemp("webdav")
    (root / "iris" / "sub").mkdir(parents=True)
    (root / "iris" / "model.joblib").write_bytes(MODEL)
    (root / "iris" / "sub" / "labels, and more.txt").write_bytes(b"a\n")
    (root / "empty").mkdir()
    listening = re.compile(r"WebDav Server started on \[(http://127\.0\.0\.1:\d+)/?\]")
    with serving(["webdav", "--user", "me", "--pass", PASSWORD, str(root)], listening) as url:
        yield {
            "RCLONE_CONFIG_DAV_TYPE": "webdav",
            "RCLONE_CONFIG_DAV_URL": url,
            "RCLONE_CONFIG_DAV_USER": "me",
            "RCLONE_CONFIG_DAV_PASS": obscured(PASSWORD),
        }


def obscured(password: str) -> str:
    """How rclone wants passwords in its configuration."""
    import subprocess

    from support.s3 import rclone_program

    words = [rclone_program(), "obscure", password]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=Patience(attempts=2, first_pause_s=0.001, read_timeout_s=10))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_folder_of_another_kind_of_remote_is_copied(fetcher: Fetcher, webdav: dict[str, str]) -> None:
    fetched = fetcher.fetch("dav:iris", env=webdav)

    assert contents(fetched) == {"model.joblib": MODEL, "sub/labels, and more.txt": b"a\n"}
    assert fetcher.fetch("dav://iris/", env=webdav) == fetched


@pytest.mark.slow
def test_one_file_is_copied_under_its_own_name(fetcher: Fetcher, webdav: dict[str, str]) -> None:
    assert contents(fetcher.fetch("dav:iris/model.joblib", env=webdav)) == {"model.joblib": MODEL}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("uri", "change", "kind", "says"),
    [
        ("dav:nope", {}, StorageError, "directory not found|nothing is there"),
        ("dav:empty", {}, StorageError, "nothing is there"),
        ("dav:iris", {"PASS": ""}, StorageError, "401"),
        ("dav:iris", {"URL": "http://127.0.0.1:1"}, StorageUnavailable, "connection refused"),
    ],
)
def test_a_failure_holds_the_uri_and_rclones_words(
    fetcher: Fetcher, webdav: dict[str, str], uri: str, change: dict[str, str], kind: type[Exception], says: str
) -> None:
    env = webdav | {f"RCLONE_CONFIG_DAV_{name}": value for name, value in change.items()}

    with pytest.raises(kind, match=says) as caught:
        fetcher.fetch(uri, env=env)
    assert str(caught.value).startswith(f"dav://{uri.removeprefix('dav:')}: ")
    assert webdav["RCLONE_CONFIG_DAV_PASS"] not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_without_rclone_the_error_names_the_extra(
    fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    env = {"RCLONE_CONFIG_DAV_TYPE": "webdav", "RCLONE_CONFIG_DAV_URL": "http://files.example"}

    with pytest.raises(MissingExtra, match=r"remotes of type 'webdav'.*pip install 'fairlead\[rclone\]'"):
        fetcher.check("dav:iris", env=env)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"TYPE": "alias", "REMOTE": "/etc"}, "RCLONE_CONFIG_X_TYPE: remotes of type 'alias' can read local files"),
        ({"TYPE": "local"}, "'local' can read local files"),
        ({"TYPE": "sftp", "HOST": "h", "KEY_FILE": "/home/owner/.ssh/id"}, "RCLONE_CONFIG_X_KEY_FILE: names a local"),
    ],
)
def test_remotes_cannot_reach_local_files_where_those_are_restricted(
    tmp_path: Path, env: dict[str, str], says: str
) -> None:
    fetcher = Fetcher(tmp_path / "cache", allowed_roots=[])

    with pytest.raises(Forbidden, match=says):
        fetcher.check("x:model", env={f"RCLONE_CONFIG_X_{name}": value for name, value in env.items()})


@pytest.mark.slow
def test_the_owners_own_configuration_and_environment_stay_out(
    fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "home" / ".config" / "rclone" / "rclone.conf"
    config.parent.mkdir(parents=True)
    config.write_text("[secretbox]\ntype = local\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RCLONE_CONFIG_SECRETBOX_TYPE", "local")
    env = {"RCLONE_CONFIG_X_TYPE": "alias", "RCLONE_CONFIG_X_REMOTE": f"secretbox:{tmp_path / 'home'}"}

    with pytest.raises(StorageError, match="secretbox"):
        fetcher.fetch("x:.", env=env)
    assert "RCLONE_CONFIG_SECRETBOX_TYPE" in os.environ
