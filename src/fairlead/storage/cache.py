"""Fetched models on disk, by what they hold: each file once, however many models and deployments share it.

    blobs/<sha256>          the bytes of one file, read-only
    files/<key>             which blob a version of one remote file is, so it is not fetched again
    snapshots/<digest>/     manifest.json, and content/ with hard links to blobs: what a worker sees as its model
    sources/<key>           the snapshot a source had when it was last listed
    pins/<key>              a model that stays; see pins.py
    partial/<key>           a download under way, or what was left of one that was killed
    locks/<key>, lock       one writer per remote file; everybody shares `lock` but `prune`

Everything appears by rename after fsync, so a crash leaves a complete thing or a partial one, never a wrong one.
"""

import errno
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from fairlead.errors import StorageError
from fairlead.storage import locks
from fairlead.storage.cloning import clone

_FOLDERS = ("blobs", "files", "snapshots", "sources", "pins", "partial", "locks")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

T = TypeVar("T")


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A file's content. `mtime_ns` is the blob's own: another one means that somebody wrote to it."""

    sha256: str
    size: int
    mtime_ns: int


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a snapshot."""

    path: str
    blob: Blob


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds, in the order of the paths."""

    files: tuple[File, ...]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot a source had, and the digest of the listing that led to it."""

    name: str
    listing: str
    snapshot: str


class Cache:
    """The folder of all that. Several processes may use the same one at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in _FOLDERS:
            (root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)

    def in_use(self) -> AbstractContextManager[None]:
        """Keep `prune` away for as long as this is held."""
        return locks.shared(self.root / "lock")

    @contextmanager
    def writing(self, key: str, *, waiting: Callable[[], None]) -> Iterator[Path]:
        """Be the only one who downloads `key`; yields the path of its partial file (which may exist)."""
        with locks.held(self.root / "locks" / key, waiting=waiting):
            partial = self.partial(key)
            if partial.exists():
                # Its last writer may have died in `adopt`, after the file was made read-only.
                partial.chmod(0o600)
            yield partial

    def partial(self, key: str) -> Path:
        """Where the download of `key` is collected. What an earlier boot left is not gone on with: after a power
        failure a file can have its length and not its bytes."""
        return self.root / "partial" / f"{key}-{_boot()}"

    def known(self, key: str, *, thorough: bool = False) -> Blob | None:
        """The content of a remote file that was fetched before, if it is still here and sound."""
        blob = self.record(self.root / "files" / key, Blob)
        return blob if blob is not None and self._is_sound(self._blob_path(blob.sha256), blob, thorough) else None

    def adopt(self, partial: Path, sha256: str, *, key: str = "") -> Blob:
        """Make a complete download a blob, and remember it as the content of `key` unless that is empty."""
        target = self._blob_path(sha256)
        size = partial.stat().st_size
        if (there := self._stat_blob(target, sha256)) and there.size == size and _digest(target) == sha256:
            partial.unlink()
            blob = there
        else:
            partial.chmod(0o444)
            _sync(partial)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            partial.replace(target)
            _sync(target.parent)
            blob = Blob(sha256=sha256, size=size, mtime_ns=target.stat().st_mtime_ns)
        if key:
            self.keep(self.root / "files" / key, blob)
        return blob

    def blob(self, blob: Blob) -> Path:
        """The file that holds a blob's bytes, not to be written to."""
        return self._blob_path(blob.sha256)

    def snapshot(self, files: Sequence[tuple[str, Blob]], *, thorough: bool = False) -> str:
        """Build the folder of these files unless a sound one exists; returns its digest."""
        manifest = Manifest(files=tuple(File(path=path, blob=blob) for path, blob in files))
        digest = _manifest_digest(manifest)
        target = self.root / "snapshots" / digest
        if self._intact(target, thorough=thorough):
            return digest
        building = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
        try:
            self._fill(building, manifest)
            self._swap(building, target, thorough=thorough)
        except OSError as error:
            raise no_room(error, self.root) or StorageError(f"the model cache cannot be written: {error}") from error
        finally:
            remove_tree(building)
        return digest

    def content(self, digest: str) -> Path:
        """The folder a worker sees as its model."""
        return self.root / "snapshots" / digest / "content"

    def manifest(self, digest: str) -> Manifest | None:
        """What a snapshot holds; `None` if it is missing or unreadable."""
        return self.record(self.root / "snapshots" / digest / "manifest.json", Manifest)

    def seen(self, source_key: str) -> Seen | None:
        """What a source held when it was last listed."""
        return self.record(self.root / "sources" / source_key, Seen)

    def remember(self, source_key: str, seen: Seen) -> None:
        """Record what a source holds now."""
        self.keep(self.root / "sources" / source_key, seen)

    def use(self, digest: str, *, thorough: bool = False) -> Path | None:
        """The content folder of a snapshot, marked as used now; `None` if it is missing or damaged.

        Names, sizes and times of all files are compared every time; the bytes are read again where a time differs,
        or everywhere when `thorough`.
        """
        folder = self.root / "snapshots" / digest
        if not self._intact(folder, thorough=thorough):
            return None
        os.utime(folder / "manifest.json")
        return folder / "content"

    def _intact(self, folder: Path, *, thorough: bool) -> bool:
        manifest = self.manifest(folder.name)
        if manifest is None or _manifest_digest(manifest) != folder.name:
            return False
        content = folder / "content"
        if {file.path for file in manifest.files} != set(_names(content)):
            return False
        return all(self._is_sound(content / file.path, file.blob, thorough) for file in manifest.files)

    def _is_sound(self, path: Path, blob: Blob, thorough: bool) -> bool:
        try:
            info = path.stat(follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if info.st_size != blob.size:
            return False
        if info.st_mtime_ns == blob.mtime_ns and not thorough:
            return True
        if _digest(path) != blob.sha256:
            return False
        os.utime(path, ns=(info.st_atime_ns, blob.mtime_ns))
        return True

    def _fill(self, folder: Path, manifest: Manifest) -> None:
        content = folder / "content"
        content.mkdir()
        for file in manifest.files:
            target = content / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(self._blob_path(file.blob.sha256), target)
            os.utime(target, ns=(file.blob.mtime_ns, file.blob.mtime_ns))
        for below in sorted(content.rglob("*"), reverse=True):
            if below.is_dir():
                _seal(below)
        _seal(content)
        (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
        _sync(folder / "manifest.json")
        _sync(folder)

    def _swap(self, building: Path, target: Path, *, thorough: bool) -> None:
        """Put a finished folder in place. A damaged one steps aside: who has its files open keeps them."""
        building.chmod(0o700)
        while True:
            try:
                building.rename(target)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                if self._intact(target, thorough=thorough):
                    return
                aside = Path(tempfile.mkdtemp(prefix=".old-", dir=target.parent))
                target.rename(aside / "was")
                remove_tree(aside)
            else:
                _sync(target.parent)
                return

    def _blob_path(self, sha256: str) -> Path:
        return self.root / "blobs" / sha256[:2] / sha256

    def _stat_blob(self, path: Path, sha256: str) -> Blob | None:
        try:
            info = path.stat()
        except FileNotFoundError:
            return None
        return Blob(sha256=sha256, size=info.st_size, mtime_ns=info.st_mtime_ns)

    def record(self, path: Path, kind: type[T]) -> T | None:
        """A small file of ours; `None` if it is missing or unreadable."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return None

    def keep(self, path: Path, value: msgspec.Struct) -> None:
        """Write a small file of ours, whole or not at all."""
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(value))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError as error:
            Path(name).unlink(missing_ok=True)
            raise no_room(error, self.root) or error from error


@functools.cache
def _boot() -> str:
    """Names this boot of the machine, where the system tells."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return "any"


class DiskFull(StorageError):
    """The disk of the cache has no room for the model."""


def no_room(error: OSError, root: Path) -> DiskFull | None:
    """The error a person can act on, if the disk is why writing failed."""
    if error.errno not in _FULL:
        return None
    free = shutil.disk_usage(root).free
    return DiskFull(
        f"the model cache {root} cannot hold the model: {os.strerror(error.errno or 0)} ({free >> 20} MiB free); "
        "free some space, or put FAIRLEAD_HOME on a larger disk"
    )


def remove_tree(folder: Path) -> None:
    """Remove a folder whose parts may be read-only. Missing is fine."""
    if not folder.exists():
        return
    for below, _, _ in os.walk(folder):
        Path(below).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _link(blob: Path, target: Path) -> None:
    try:
        target.hardlink_to(blob)
    except OSError as error:
        # Too many links to one inode, or a file system without them.
        if error.errno not in (errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV):
            raise
        with blob.open("rb") as file:
            if not clone(file.fileno(), target):
                shutil.copyfile(blob, target)
        target.chmod(0o444)
        _sync(target)


def _seal(folder: Path) -> None:
    _sync(folder)
    folder.chmod(0o555)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest_digest(manifest: Manifest) -> str:
    """Paths and contents only: the same model from two places is one snapshot."""
    seed = hashlib.sha256()
    for file in manifest.files:
        seed.update(f"{file.blob.sha256} {file.blob.size} {file.path}\n".encode())
    return seed.hexdigest()


def _names(content: Path) -> Iterator[str]:
    for folder, _, files in os.walk(content):
        for name in files:
            yield PurePosixPath(os.path.relpath(os.path.join(folder, name), content)).as_posix()  # noqa: PTH118
