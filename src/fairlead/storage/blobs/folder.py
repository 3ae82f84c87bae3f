"""Blobs as files of a folder. A blob is written beside its place, forced to the disk, and renamed into it."""

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from fairlead.errors import StorageError
from fairlead.storage.blobs.flushing import Flushing
from fairlead.storage.blobs.joining import JoinedParts
from fairlead.storage.blobs.store import Found, checked, missing
from fairlead.storage.blobs.streams import PIECE_BYTES, InOrder, in_thread

_DRAFT = ".part"
_ATTEMPTS = 5


class FolderStore:
    """A `BlobStore` below one folder, readable by its owner alone. Several processes may have it open."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self.parts = JoinedParts(self)
        self._root = root
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _translated(root, error) from error

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, size: int | None = None) -> int:
        path = self._path(key)
        draft = path.with_name(path.name + _DRAFT)
        try:
            written = await self._write(draft, chunks, size)
            await in_thread(_publish, draft, path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise _translated(path, error) from error
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return written

    async def size(self, key: str) -> int | None:
        try:
            return (await asyncio.to_thread(self._path(key).stat)).st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _translated(self._path(key), error) from error

    async def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        path = self._path(key)
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(start)
                left = end - start if end is not None else None
                while left is None or left > 0:
                    wanted = PIECE_BYTES if left is None else min(left, PIECE_BYTES)
                    if not (chunk := await in_thread(file.read, wanted)):
                        return
                    left = None if left is None else left - len(chunk)
                    yield chunk
        except FileNotFoundError as error:
            raise missing(key, self.name) from error
        except OSError as error:
            raise _translated(path, error) from error

    async def open(self, key: str) -> FileIO | None:
        path = self._path(key)
        try:
            return await asyncio.to_thread(FileIO, path)
        except FileNotFoundError as error:
            raise missing(key, self.name) from error
        except OSError as error:
            raise _translated(path, error) from error

    async def copy(self, key: str, to: str) -> None:
        path, target = self._path(key), self._path(to)
        draft = target.with_name(target.name + _DRAFT)
        try:
            await in_thread(_link, path, draft)
            await in_thread(_publish, draft, target)
        except FileNotFoundError as error:
            raise missing(key, self.name) from error
        except OSError as error:
            raise _translated(path, error) from error

    async def delete(self, key: str) -> None:
        path = self._path(key)
        await asyncio.to_thread(_remove, path)

    async def list(self, folder: str = "") -> AsyncIterator[Found]:
        top = self._path(folder) if folder else self._root
        for found in await asyncio.to_thread(self._below, top):
            yield found

    async def sign_get(self, key: str, *, expires_s: float) -> str:  # noqa: ARG002 - the protocol's signature
        return ""

    async def sign_put(self, key: str, *, expires_s: float) -> str:  # noqa: ARG002 - the protocol's signature
        return ""

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _write(self, draft: Path, chunks: AsyncIterator[bytes], size: int | None) -> int:
        written = 0
        self._refuse_larger(size or 0)
        with os.fdopen(_opened(draft), "wb", buffering=0) as file:
            flushing = Flushing(file)
            async with InOrder() as writing:
                async for chunk in chunks:
                    written += len(chunk)
                    await writing.do(_write_all, file, chunk, flushing, written)
                await writing.do(os.fsync, file.fileno())
                await writing.done()
        return written

    def _refuse_larger(self, size: int) -> None:
        """What cannot be stored is refused before its first byte."""
        if size > shutil.disk_usage(self._root).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._root))

    def _below(self, top: Path) -> Sequence[Found]:
        found: list[Found] = []
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder) / name
                # One that goes while we look was not meant to stay.
                with contextlib.suppress(FileNotFoundError):
                    facts = path.stat()
                    key = path.relative_to(self._root).as_posix().removesuffix(_DRAFT)
                    found.append(Found(key, facts.st_size, facts.st_mtime))
        return found

    def _path(self, key: str) -> Path:
        return self._root / checked(key)


def _opened(draft: Path) -> int:
    for _ in range(_ATTEMPTS):
        draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whoever deletes the folder's last blob at this moment takes the folder along.
        with contextlib.suppress(FileNotFoundError):
            return os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(draft))


def _write_all(file: BinaryIO, chunk: bytes, flushing: Flushing, reached: int) -> None:
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]
    flushing.reached(reached)


def _link(path: Path, draft: Path) -> None:
    """Files of blobs are replaced and never changed, so two names may have one."""
    draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    draft.hardlink_to(path)


def _publish(draft: Path, path: Path) -> None:
    draft.rename(path)
    # The name is safe once its folder is.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(path: Path) -> None:
    path.with_name(path.name + _DRAFT).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def _translated(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: {error.strerror or error}")
