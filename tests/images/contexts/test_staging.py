"""Contexts that are the same for the same contents."""

import os
from pathlib import Path

import pytest

from fairlead.images.contexts.staging import copy_tree, settle
from fairlead.images.failures import BuildFailed


def make(folder: Path) -> Path:
    (folder / "sub" / "__pycache__").mkdir(parents=True)
    (folder / "sub" / "__pycache__" / "a.pyc").write_text("x")
    (folder / "sub" / "model.bin").write_bytes(b"model")
    (folder / "start.sh").write_text("#!/bin/sh\n")
    (folder / "start.sh").chmod(0o700)
    (folder / "link").symlink_to("sub/model.bin")
    return folder


def seen(folder: Path) -> dict[str, tuple[int, float]]:
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.stat().st_mtime) for path in paths}


def test_two_copies_have_equal_modes_and_one_time(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    copy_tree(source, tmp_path / "one")
    (source / "sub" / "model.bin").chmod(0o600)
    os.utime(source / "sub" / "model.bin", (5, 5))
    copy_tree(source, tmp_path / "two")
    for name in ("one", "two"):
        settle(tmp_path / name, 1_700_000_000)

    assert seen(tmp_path / "one") == seen(tmp_path / "two")
    assert seen(tmp_path / "one") == {
        "link": (0o644, 1_700_000_000),
        "start.sh": (0o755, 1_700_000_000),
        "sub": (0o755, 1_700_000_000),
        "sub/model.bin": (0o644, 1_700_000_000),
    }


def test_the_source_is_left_as_it_was(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    before = seen(source)

    copy_tree(source, tmp_path / "one")
    settle(tmp_path / "one", 0)

    assert seen(source) == before


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    (tmp_path / "elsewhere").write_text("secret")
    (source / "out").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BuildFailed, match="leads out of"):
        copy_tree(source, tmp_path / "one")


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    source = make(tmp_path / "source")
    (source / "sub" / "up").symlink_to("..")

    copy_tree(source, tmp_path / "one")

    assert (tmp_path / "one" / "sub" / "model.bin").exists()


def test_a_model_that_is_one_file_is_put_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"x")

    copy_tree(tmp_path / "model.joblib", tmp_path / "one")

    assert [path.name for path in (tmp_path / "one").iterdir()] == ["model.joblib"]
