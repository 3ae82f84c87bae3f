"""Models that lie on this machine: folders, single files, and paths inside a claim.

Which places may be read is the owner's decision (`LocalAccess`): anything on a laptop, some roots on a shared server.
Links are followed only to targets inside the same folder, and files are opened by the identity they were listed with,
so that swapping a file for a link between the two gains nothing.
"""

import difflib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from fairlead.errors import Forbidden, StorageError
from fairlead.storage.cloning import clone
from fairlead.storage.source import MOST_FILES, Changed, Entry, checked

_CHUNK_BYTES = 1024 * 1024
_SHOWN_NAMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAccess:
    """Which local paths manifests may name. `roots=None` allows any; relative paths start at `base`."""

    roots: tuple[Path, ...] | None = None
    base: Path

    def allowed(self, written: str, path: Path) -> Path:
        """The path with every link resolved. Raises Forbidden when it lies outside the roots."""
        real = Path(os.path.realpath(self.base / path))
        if self.roots is None or any(real.is_relative_to(os.path.realpath(root)) for root in self.roots):
            return real
        roots = ", ".join(str(root) for root in self.roots) or "none"
        raise Forbidden(f"{written}: local files may be read only under the folders the owner allows ({roots})")


class FolderSource:
    """A folder's contents, or one file. `path` is absolute and resolved; `within` is what links must not leave."""

    def __init__(self, path: Path, *, written: str, within: Path | None = None) -> None:
        self.path = path
        self.name = path.as_uri()
        self.identity = self.name
        self._written = written
        self._within = within
        self._files: dict[str, tuple[Path, os.stat_result]] = {}

    @property
    def is_folder(self) -> bool:
        """Whether the path is a folder (else it is one file, or missing)."""
        return self.path.is_dir()

    def entries(self) -> Sequence[Entry]:
        """List every file below, following links that stay inside."""
        if self._within is not None and not self.path.is_relative_to(self._within):
            raise StorageError(f"{self._written}: refused: a link leads out of the claim's folder")
        try:
            if self.is_folder:
                found = self._walk(self.path, "", ())
                self._files = dict(islice(found, MOST_FILES + 1))
            else:
                self._files = {self.path.name: (self.path, self._regular(self.path, self.path.name))}
        except (FileNotFoundError, NotADirectoryError):
            raise StorageError(self._missing()) from None
        except OSError as error:
            raise StorageError(f"{self._written}: {error.filename}: {error.strerror}") from error
        return checked(
            f"{self._written} ({self.path})",
            [Entry(path=path, size=info.st_size, version=_version(info)) for path, (_, info) in self._files.items()],
        )

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The file's bytes. Raises Changed when it is not, or no longer, the file that was listed."""
        with self._open(entry) as file:
            file.seek(offset)
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
            self._check(entry, os.fstat(file.fileno()))

    def clone(self, entry: Entry, target: Path) -> bool:
        """Share blocks with the original where the file system can."""
        with self._open(entry) as file:
            cloned = clone(file.fileno(), target)
            self._check(entry, os.fstat(file.fileno()))
        return cloned

    def close(self) -> None:
        """Nothing is held between calls."""

    def _walk(
        self, folder: Path, prefix: str, above: tuple[Path, ...]
    ) -> Iterator[tuple[str, tuple[Path, os.stat_result]]]:
        with os.scandir(folder) as children:
            names = sorted(child.name for child in children)
        for name in names:
            path = prefix + name
            real = Path(os.path.realpath(folder / name))
            if not real.is_relative_to(self.path):
                raise StorageError(
                    f"{self._written}: refused: {path!r} is a link to {real}, outside the folder; "
                    "copy the folder with its links resolved (cp -rL) and name the copy"
                )
            if not real.is_dir():
                yield path, (real, self._regular(real, path))
            elif real == folder or real in above:
                raise StorageError(f"{self._written}: refused: {path!r} is a link to a folder above it")
            else:
                yield from self._walk(real, f"{path}/", (*above, folder))

    def _regular(self, real: Path, path: str) -> os.stat_result:
        try:
            info = real.stat()
        except FileNotFoundError:
            if real == self.path or not self.path.is_dir():
                raise
            raise StorageError(f"{self._written}: {path!r} is a link to nothing ({real})") from None
        if not stat.S_ISREG(info.st_mode):
            raise StorageError(f"{self._written}: refused: {path!r} is not a regular file")
        return info

    @contextmanager
    def _open(self, entry: Entry) -> Iterator[BinaryIO]:
        real, _ = self._files[entry.path]
        try:
            descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError as error:
            raise StorageError(f"{self._written}: {real}: permission denied") from error
        except OSError as error:
            raise Changed(f"{self._written}: {entry.path} went away while it was copied") from error
        with os.fdopen(descriptor, "rb") as file:
            self._check(entry, os.fstat(descriptor))
            yield file

    def _check(self, entry: Entry, now: os.stat_result) -> None:
        if _version(now) != entry.version:
            raise Changed(f"{self._written}: {entry.path} changed while it was copied")

    def _missing(self) -> str:
        message = f"Local path {self._written} does not exist: there is no file or folder {self.path}"
        parent = self.path.parent
        while not parent.is_dir():
            parent = parent.parent
        if parent != self.path.parent:
            message += f"; the nearest folder that exists is {parent}"
        return message + _holds(parent, self.path.relative_to(parent).parts[0])


def _holds(folder: Path, wanted: str) -> str:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return ""
    if close := difflib.get_close_matches(wanted, names, n=3, cutoff=0.6):
        return f"; did you mean {' or '.join(close)}?"
    shown = [name for name in names if not name.startswith(".")]
    more = ", …" if len(shown) > _SHOWN_NAMES else ""
    return f"; it holds {', '.join(shown[:_SHOWN_NAMES])}{more}" if shown else "; it is empty"


def _version(info: os.stat_result) -> str:
    """ctime and inode catch what a restored mtime would hide."""
    return f"{info.st_dev:x}-{info.st_ino:x}-{info.st_size}-{info.st_mtime_ns}-{info.st_ctime_ns}"
