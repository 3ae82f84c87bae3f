import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import StorageError, StorageUnavailable
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.git_server import GitServer, git_server

if shutil.which("git") is None:
    pytest.skip("not run: no git program", allow_module_level=True)

pytestmark = pytest.mark.slow

QUICK = Patience(attempts=2, first_pause_s=0.001, read_timeout_s=5)
LOGIN = "Basic bWU6YS1wYXNzd29yZC10by1oaWRl"
SECRET = {"GIT_USERNAME": "me", "GIT_PASSWORD": "a-password-to-hide"}
MODEL = {"model.joblib": bytes(range(256)) * 40, "sub/é.json": b"{}"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "repositories") as server:
        server.commit("iris", MODEL)
        yield server


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=QUICK)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_of_the_default_branch_are_the_model(server: GitServer, fetcher: Fetcher) -> None:
    assert contents(fetcher.fetch(f"{server.url}/iris.git")) == MODEL


def test_an_unchanged_repository_costs_no_files_and_a_new_commit_is_seen(server: GitServer, fetcher: Fetcher) -> None:
    first = fetcher.fetch(f"{server.url}/iris.git")
    server.asked.clear()
    assert fetcher.fetch(f"{server.url}/iris.git") == first
    unchanged = len(server.asked)
    server.commit("iris", MODEL | {"model.joblib": b"retrained"})

    assert contents(fetcher.fetch(f"{server.url}/iris.git"))["model.joblib"] == b"retrained"
    assert len(server.asked) - unchanged > unchanged


def test_a_private_repository_opens_for_its_login(server: GitServer, fetcher: Fetcher) -> None:
    server.authorization = LOGIN

    assert contents(fetcher.fetch(f"{server.url}/iris.git", env=SECRET)) == MODEL


@pytest.mark.parametrize(
    ("env", "says"), [({}, "it asks for a login"), (SECRET | {"GIT_PASSWORD": "wrong-word"}, "were refused")]
)
def test_a_login_that_is_missing_or_wrong_is_named_and_not_shown(
    server: GitServer, fetcher: Fetcher, env: dict[str, str], says: str
) -> None:
    server.authorization = LOGIN

    with pytest.raises(StorageError, match=f"{says}: set GIT_USERNAME and GIT_PASSWORD") as caught:
        fetcher.fetch(f"{server.url}/iris.git", env=env)
    assert "wrong-word" not in str(caught.value)


def test_a_login_does_not_follow_a_redirect(server: GitServer, fetcher: Fetcher, tmp_path: Path) -> None:
    with git_server(tmp_path / "other") as stranger:
        stranger.commit("iris", MODEL)
        server.redirect_to = stranger.url
        with pytest.raises(StorageError, match="redirects are not followed"):
            fetcher.fetch(f"{server.url}/iris.git", env=SECRET)

    assert stranger.asked == []


def test_links_are_followed_inside_and_refused_outside(server: GitServer, fetcher: Fetcher) -> None:
    server.commit("links", {"v1/model.bst": b"w"}, {"model.bst": "v1/model.bst"})
    assert contents(fetcher.fetch(f"{server.url}/links.git")) == {"v1/model.bst": b"w", "model.bst": b"w"}

    for name, target, says in (
        ("out", "/etc/passwd", "a link out of the repository"),
        ("git", ".git/config", "a link out of the repository"),
        ("folder", "v1", "not a file"),
    ):
        server.commit(name, {"v1/model.bst": b"w"}, {"x": target})
        with pytest.raises(StorageError, match=says):
            fetcher.fetch(f"{server.url}/{name}.git")


def test_who_wants_to_stop_does_not_wait_for_git(server: GitServer, fetcher: Fetcher) -> None:
    server.before_answer = threading.Event().wait
    asked = iter([False, False])

    with pytest.raises(StorageUnavailable, match="was stopped"):
        fetcher.fetch(f"{server.url}/iris.git", should_stop=lambda: next(asked, True))


def test_a_pointer_to_large_file_storage_is_not_taken_for_a_model(server: GitServer, fetcher: Fetcher) -> None:
    server.commit("large", {"model.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"})

    with pytest.raises(StorageError, match="is kept in Git LFS"):
        fetcher.fetch(f"{server.url}/large.git")


def test_what_is_not_there_is_an_error_and_a_server_that_is_away_may_come_back(
    server: GitServer, fetcher: Fetcher
) -> None:
    with pytest.raises(StorageError, match="git: "):
        fetcher.fetch(f"{server.url}/absent.git")
    with pytest.raises(StorageUnavailable, match="git: "):
        fetcher.fetch("http://127.0.0.1:1/iris.git")
