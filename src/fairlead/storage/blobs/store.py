"""What a store of blobs promises, whatever it is made of.

A blob appears under its key whole or not at all, and is never changed, only deleted: whoever replaces one puts another
under a new key. Bytes move in streams, so that a blob's size is nobody's memory.
"""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from io import FileIO
from typing import NamedTuple, Protocol

from fairlead.errors import StorageError

_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(/[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)*")


@dataclass(frozen=True, slots=True)
class Found:
    """A blob in a listing."""

    key: str
    size: int
    modified_at: float


class Part(NamedTuple):
    """A part that was stored; `etag` is what the store said of it, quotes included."""

    number: int
    etag: str


class Parts(Protocol):
    """A blob that comes in parts, in any order and by several connections at once."""

    async def begin(self, key: str) -> str:
        """The id of a new upload in parts."""
        ...

    async def sign(self, key: str, upload_id: str, number: int, *, expires_s: float) -> str:
        """An address to which anybody may PUT one part; empty if parts have to come through `receive`."""
        ...

    async def receive(self, key: str, upload_id: str, number: int, chunks: AsyncIterator[bytes]) -> str:
        """Store one part, in place of an earlier one of that number; its ETag."""
        ...

    async def join(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the blob of these parts. Raises BadRequest for parts that are not there. It may be done again."""
        ...

    async def drop(self, key: str, upload_id: str) -> None:
        """Forget the upload and its parts, if they are there."""
        ...


class BlobStore(Protocol):
    """A place for blobs. Raises StorageError, and StorageUnavailable when the same call may work later."""

    @property
    def name(self) -> str:
        """Where it is, for messages."""
        ...

    @property
    def parts(self) -> Parts:
        """How blobs come in parts."""
        ...

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, size: int | None = None) -> int:
        """Store what comes and say how much it was; nothing if `chunks` raises. `size` helps when it is known."""
        ...

    async def size(self, key: str) -> int | None:
        """A blob's size; `None` if there is none of that key."""
        ...

    def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """A blob's bytes, from `start` and before `end`."""
        ...

    async def open(self, key: str) -> FileIO | None:
        """A blob as an open file, where blobs are files of this machine; `None` elsewhere."""
        ...

    async def copy(self, key: str, to: str) -> None:
        """Store a blob's bytes under another key too, without fetching them."""
        ...

    async def delete(self, key: str) -> None:
        """Delete a blob, and what an interrupted `put` left of it, if they are there."""
        ...

    def list(self, folder: str = "") -> AsyncIterator[Found]:
        """Every blob, or those whose keys begin with `folder` and a slash; in no order, with what an interrupted `put`
        left."""
        ...

    async def sign_get(self, key: str, *, expires_s: float) -> str:
        """An address from which anybody may GET a blob; empty if the store has no such thing."""
        ...

    async def sign_put(self, key: str, *, expires_s: float) -> str:
        """An address to which anybody may PUT a blob; empty if the store has no such thing."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


def checked(key: str) -> str:
    """A key as it is. Keys are ours, so one that could lead elsewhere is a mistake or worse."""
    if not _KEY.fullmatch(key):
        raise StorageError(f"{key!r} cannot be the key of a blob")
    return key


def missing(key: str, name: str) -> StorageError:
    return StorageError(f"{name}: there is no blob {key}")
