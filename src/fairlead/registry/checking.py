"""Whether all that the registry says it has is there: every blob present, of its size, and, when asked, whole."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from fairlead.errors import FairleadError
from fairlead.registry.db import blobs
from fairlead.registry.db.engine import Database
from fairlead.registry.settling import INCOMING
from fairlead.storage.blobs.store import BlobStore
from fairlead.storage.blobs.streams import Digest

# An object that was stored while we looked, and whose row came after, is no finding.
_SETTLES_IN_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong. `tags` are the versions that it harms; `is_harmless`: it only takes space."""

    what: str
    message: str
    tags: tuple[str, ...] = ()
    is_harmless: bool = False


class Checker:
    """Looks, and changes nothing."""

    def __init__(self, database: Database, store: BlobStore, clock: Callable[[], float]) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    async def run(self, *, reads_all: bool = True) -> AsyncIterator[Finding]:
        """What is wrong, as it is found. With `reads_all` every byte is read and compared with its digest."""
        async with self._database.read() as connection:
            known = await blobs.known_keys(connection)
            listed = [blob async for blob in blobs.every(connection)]
        for blob in listed:
            if message := await self._wrong(blob, reads_all=reads_all):
                yield Finding(what=blob.digest, message=message, tags=await self._tags(blob.digest))
        async for found in self._store.list():
            settled = found.modified_at < self._clock() - _SETTLES_IN_S
            # What clients wrote where they may write is the collector's.
            is_incoming = found.key.startswith(f"{INCOMING}/")
            if settled and not is_incoming and found.key.partition(".parts-")[0] not in known:
                yield Finding(what=found.key, message=f"{found.size} bytes that no version has", is_harmless=True)

    async def _wrong(self, blob: blobs.Blob, *, reads_all: bool) -> str:
        try:
            size = await self._store.size(blob.store_key)
            if size is None:
                return f"missing: the store has no {blob.store_key}"
            if size != blob.size_bytes:
                return f"damaged: {size} bytes and not {blob.size_bytes}"
            return await self._damaged(blob) if reads_all else ""
        except FairleadError as error:
            return f"cannot be read: {error}"

    async def _damaged(self, blob: blobs.Blob) -> str:
        digest = Digest()
        async for _ in digest.over(self._store.read(blob.store_key)):
            pass
        return "" if str(digest) == blob.digest else f"damaged: its digest is {digest}"

    async def _tags(self, digest: str) -> tuple[str, ...]:
        async with self._database.read() as connection:
            return await blobs.tags_with(connection, digest)
