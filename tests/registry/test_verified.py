"""Which files need no second reading."""

import os
from io import FileIO
from pathlib import Path

import pytest

from fairlead.registry import verified
from fairlead.registry.verified import Identity, Verified, identity_of
from support.registry_server import Clock

DIGEST = "sha256:1"


def identity(path: Path) -> Identity:
    with FileIO(path) as file:
        return identity_of(file)


def test_a_file_that_was_seen_is_known_for_an_hour(tmp_path: Path) -> None:
    clock = Clock()
    seen = Verified(clock)
    (tmp_path / "blob").write_bytes(b"1")
    found = identity(tmp_path / "blob")

    assert not seen.knows(DIGEST, found)
    seen.note(DIGEST, found)
    assert seen.knows(DIGEST, found)
    assert not seen.knows("sha256:2", found)
    clock.ahead_s = 3599
    assert seen.knows(DIGEST, found)
    clock.ahead_s = 3601
    assert not seen.knows(DIGEST, found)


def test_a_file_that_changed_or_is_another_is_not_known(tmp_path: Path) -> None:
    seen = Verified(Clock())
    blob, other = tmp_path / "blob", tmp_path / "other"
    for path in (blob, other):
        path.write_bytes(b"1")
    seen.note(DIGEST, identity(blob))

    assert not seen.knows(DIGEST, identity(other))
    os.utime(blob, ns=(0, 0))
    assert not seen.knows(DIGEST, identity(blob))


def test_no_more_are_remembered_than_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "_MOST", 2)
    seen = Verified(Clock())
    (tmp_path / "blob").write_bytes(b"1")
    found = identity(tmp_path / "blob")
    for digest in ("1", "2", "1", "3"):
        seen.note(digest, found)

    assert [seen.knows(digest, found) for digest in ("1", "2", "3")] == [True, False, True]
