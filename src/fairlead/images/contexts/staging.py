"""Lays out the folder that an image is made of, always the same for the same contents: plain modes, one time, no links
that lead out. Builders keep times and modes, so what differs here differs in the image."""

import os
import shutil
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from fairlead.images.failures import BuildFailed

_SKIPPED = frozenset(("__pycache__", ".git", ".venv", ".DS_Store"))
_FILE, _PROGRAM, _FOLDER = 0o644, 0o755, 0o755


def copy_tree(source: Path, target: Path, *, without: Collection[str] = ()) -> None:
    """Copy a folder's files, or one file into a folder. `without` are names at the top that stay behind. Links inside
    of the source are followed; one that leads out of it is refused."""
    if source.is_file():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / source.name)
        return
    root = source.resolve()
    for path, relative in _files(source, without):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise BuildFailed(f"{path} is a link that leads out of {source}; put the file itself there")
        made = target / relative
        if path.is_dir():
            made.mkdir(parents=True, exist_ok=True)
            continue
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, made)
        made.chmod(_PROGRAM if path.stat().st_mode & stat.S_IXUSR else _FILE)


def settle(folder: Path, epoch: int) -> None:
    """Give everything below one time and the modes that images have. The last thing that is done to a context."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.chmod(_FOLDER)
        else:
            path.chmod(_PROGRAM if path.stat().st_mode & stat.S_IXUSR else _FILE)
        os.utime(path, (epoch, epoch))
    os.utime(folder, (epoch, epoch))


def _files(source: Path, without: Collection[str]) -> Iterator[tuple[Path, Path]]:
    """Everything below, sorted, with its path inside. Loops of links are walked into once."""
    seen: set[Path] = set()

    def walk(folder: Path) -> Iterator[tuple[Path, Path]]:
        real = folder.resolve()
        if real in seen:
            return
        seen.add(real)
        for path in sorted(folder.iterdir()):
            relative = path.relative_to(source)
            if path.name in _SKIPPED or str(relative) in without:
                continue
            yield path, relative
            if path.is_dir():
                yield from walk(path)

    yield from walk(source)
