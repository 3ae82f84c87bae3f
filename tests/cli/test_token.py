"""`fairlead token` and `fairlead user`, on a home where no server runs."""

import io
import shutil
from pathlib import Path

import pytest

from fairlead.cli import app
from support.accounts import empty_database


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home" / "registry"
    place.mkdir(parents=True)
    shutil.copy(empty_database(), place / "registry.db")
    monkeypatch.setenv("FAIRLEAD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = app.run(words)
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.slow
def test_create_prints_the_token_alone_and_list_never_does(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, token, about = said(
        capsys, "token", "create", "--name", "ci", "--scopes", "read_cluster,write_cluster", "--namespaces", "a",
        "--namespaces", "b", "--expires", "90d",
    )  # fmt: skip
    _, listed, _ = said(capsys, "token", "list")

    assert (code, token.count("\n"), token.startswith("flt_")) == (0, 1, True)
    assert "token ci of admin" in about
    assert token.strip() not in listed + about
    row = listed.splitlines()[1].split()
    assert row[:4] == ["ci", "admin", "read_cluster,write_cluster", "a,b"]
    assert all(token.strip().encode() not in path.read_bytes() for path in (home / "registry").iterdir())


@pytest.mark.slow
def test_a_token_is_revoked_by_its_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "token", "create", "--name", "ci")

    assert said(capsys, "token", "revoke", "ci")[0] == 0
    code, _, why = said(capsys, "token", "revoke", "ci")

    assert code == 1
    assert "there is no token ci" in why
    assert "There are no tokens" in said(capsys, "token", "list")[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("token", "create", "--scopes", "everything"), 1, "scopes: 'everything' is none; accepted are api"),
        (("token", "create", "--name", "No"), 1, "name: a DNS-1035 label"),
        (("token", "create", "--expires", "soon"), 2, "'soon' is no duration"),
        (("token", "create", "--user", "nobody"), 1, "get user nobody: record not found"),
        (("user", "role", "admin", "king"), 2, "king"),
        (("user", "disable", "admin"), 1, "user admin is the last who may do everything"),
    ],
)
def test_what_makes_no_sense_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, why: str
) -> None:
    got, out, err = said(capsys, *words)

    assert (got, out) == (code, "")
    assert why in err


@pytest.mark.slow
def test_people_are_added_changed_and_shut_out(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(capsys, "user", "add", "ada", "--email", "ada@example.com")[0] == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert said(capsys, "user", "passwd", "ada")[0] == 0
    assert said(capsys, "user", "role", "ada", "guest")[0] == 0
    assert said(capsys, "user", "role", "ada", "admin", "--cluster", "default")[0] == 0
    assert said(capsys, "token", "create", "--user", "ada")[0] == 0
    assert said(capsys, "user", "disable", "ada")[0] == 0

    _, listed, _ = said(capsys, "user", "list")

    rows = [line.split() for line in listed.splitlines()]
    assert rows[1] == ["admin", "-", "superuser", "admin", "active"]
    assert rows[2] == ["ada", "ada@example.com", "guest", "admin", "disabled"]
