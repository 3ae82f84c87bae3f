"""What every kind of store promises the cache: a list of files, and their bytes from an offset.

Names come from strangers (object keys, headers, link targets), so this is also where a name is checked before it may
become a path: nothing is ever written outside its folder.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Protocol

from fairlead.errors import StorageError, StorageUnavailable

MOST_FILES = 100_000

# NAME_MAX and PATH_MAX of Linux; the cache's own prefix takes part of the latter.
_LONGEST_SEGMENT_BYTES = 255
_LONGEST_NAME_BYTES = 3000


class Packing(StrEnum):
    """What a fetched file stands for: itself, the files of the archive it is (or may turn out to be), or what a layer
    does to an image."""

    NONE = ""
    ARCHIVE = "archive"
    PERHAPS = "perhaps"
    LAYER = "layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a source. `path` is relative, with slashes. `size` is `None` when the store does not tell.

    `version` changes when the content does (an ETag, a generation, times and inode); empty means that nothing tells
    one version from the next, and then no earlier copy is trusted. `sha256` is what the bytes must hash to, where
    the store says so.
    """

    path: str
    size: int | None
    version: str
    sha256: str = ""
    packing: Packing = Packing.NONE


class Source(Protocol):
    """One place to copy from. `name` is canonical, holds no secret and is what the owner's patterns match;
    `identity` adds who asks, so that one tenant's copy is never handed to another who could not read the original."""

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> str: ...
    def entries(self) -> Sequence[Entry]: ...
    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The bytes of that version from `offset`. Raises `Changed` when the store has another version now, and
        `Restart` when it can only send the file from its beginning."""
        ...

    def clone(self, entry: Entry, target: Path) -> bool:
        """Make `target` a copy without moving bytes, if this place can."""
        ...

    def close(self) -> None: ...


class Changed(StorageUnavailable):
    """The file is not the one that was listed."""


class Restart(StorageUnavailable):
    """The store sends this file from its beginning only."""


def checked(name: str, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries in order of their paths. Raises StorageError when there are none, or when a path could leave the
    folder or cannot be a file name here."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    if not ordered:
        raise StorageError(f"{name}: nothing is there: no file has this name and no file lies under it")
    if len(ordered) > MOST_FILES:
        raise StorageError(f"{name}: more than {MOST_FILES} files lie there; name the model's own folder")
    for entry in ordered:
        check_path(name, entry.path)
    folders = {str(parent) for entry in ordered for parent in PurePosixPath(entry.path).parents}
    for before, entry in zip([None, *ordered], ordered, strict=False):
        if entry.path in folders:
            raise StorageError(f"{name}: {entry.path!r} is both a file and a folder, which no file system can hold")
        if before is not None and before.path == entry.path:
            raise StorageError(f"{name}: {entry.path!r} is listed twice")
    return tuple(ordered)


def check_path(name: str, path: str) -> None:
    """Refuse a name that is absolute, climbs, or cannot be written."""
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise StorageError(f"{name}: refused: the name {path!r} would leave the model's folder or has an empty part")
    if any(ord(char) < 32 or char == "\x7f" or 0xD800 <= ord(char) <= 0xDFFF for char in path):
        raise StorageError(f"{name}: refused: the name {path!r} holds control characters")
    if len(path.encode()) > _LONGEST_NAME_BYTES or any(len(s.encode()) > _LONGEST_SEGMENT_BYTES for s in segments):
        raise StorageError(f"{name}: refused: the name {path[:80]!r}… is too long for a file system")
