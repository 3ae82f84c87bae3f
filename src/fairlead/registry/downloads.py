"""Downloads: the bytes of a version, checked against their digest on the way."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from io import FileIO

from fairlead.errors import NotFound, StorageError
from fairlead.registry.addresses import ADDRESS_S, Addresses
from fairlead.registry.asking import Asker, require
from fairlead.registry.callers import Verb
from fairlead.registry.db import blobs
from fairlead.registry.db.blobs import Blob
from fairlead.registry.db.engine import Database
from fairlead.registry.values import Version
from fairlead.registry.verified import Verified
from fairlead.storage.blobs.store import BlobStore
from fairlead.storage.blobs.streams import Digest, ahead


@dataclass(frozen=True, slots=True)
class Download:
    """Bytes on their way: how many there are in all, their digest, and those that were asked for. `open` gives the file
    that they all are, if they are one; `verified` are the files that need not be hashed again."""

    size: int
    digest: str
    chunks: AsyncIterator[bytes]
    open: Callable[[], Awaitable[FileIO | None]]
    verified: Verified


class Downloads:
    """Every method asks whether its caller may."""

    def __init__(self, database: Database, store: BlobStore, addresses: Addresses, clock: Callable[[], float]) -> None:
        self._verified = Verified(clock)
        self._database = database
        self._store = store
        self._addresses = addresses

    async def open(self, asker: Asker, version: Version, *, start: int = 0, end: int | None = None) -> Download:
        """The bytes from `start` and before `end`. Read whole, they end with StorageError instead of their last piece
        if they are not what was pushed. Raises NotFound for a version without bytes."""
        require(asker, Verb.VIEW, version.kind, version.tag)
        return self._download(await self._blob(version), start, end)

    async def presign(self, asker: Asker, version: Version) -> str:
        """An address from which the bytes may be had; one of ours is only a path."""
        require(asker, Verb.VIEW, version.kind, version.tag)
        blob = await self._blob(version)
        signed = await self._store.sign_get(blob.store_key, expires_s=ADDRESS_S)
        return signed or self._addresses.sign("GET", f"blobs/{blob.digest}", expires_s=ADDRESS_S)

    async def get_signed(self, digest: str, *, start: int = 0, end: int | None = None) -> Download:
        """The bytes at an address of ours."""
        async with self._database.read() as connection:
            blob = await blobs.find(connection, digest)
        if blob is None:
            raise NotFound(f"{digest}: record not found")
        return self._download(blob, start, end)

    async def _blob(self, version: Version) -> Blob:
        async with self._database.read() as connection:
            blob = await blobs.find(connection, version.digest) if version.digest else None
        if blob is None:
            raise NotFound(f"{version.kind} {version.tag} has no content here: record not found")
        return blob

    def _download(self, blob: Blob, start: int, end: int | None) -> Download:
        is_whole = not start and end is None
        chunks = self._whole(blob) if is_whole else self._store.read(blob.store_key, start=start, end=end)
        opened = partial(self._store.open, blob.store_key)
        return Download(blob.size_bytes, blob.digest, chunks, opened, self._verified)

    async def _whole(self, blob: Blob) -> AsyncIterator[bytes]:
        digest, kept = Digest(), b""
        async with ahead(self._store.read(blob.store_key)) as pieces:
            async for piece in digest.over(pieces):
                if kept:
                    yield kept
                kept = piece
        refuse_other(blob.digest, str(digest))
        if kept:
            yield kept


def refuse_other(digest: str, found: str) -> None:
    """Raise StorageError unless a blob's bytes are those that were pushed."""
    if found != digest:
        raise StorageError(f"{digest}: the store has other bytes than were pushed ({found})")
