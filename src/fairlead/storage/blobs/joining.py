"""Uploads in parts for stores that know none: each part is a blob, and joining them reads one after the other."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from fairlead.errors import BadRequest
from fairlead.storage.blobs.store import Part, checked

if TYPE_CHECKING:
    from fairlead.storage.blobs.store import BlobStore

_MOST_PARTS = 10_000


class JoinedParts:
    """`Parts` over any store. Parts are not signed for: they come through whoever has the store."""

    def __init__(self, store: "BlobStore") -> None:
        self._store = store

    async def begin(self, key: str) -> str:  # noqa: ARG002 - the protocol's signature
        return secrets.token_hex(8)

    async def sign(self, key: str, upload_id: str, number: int, *, expires_s: float) -> str:  # noqa: ARG002
        return ""

    async def receive(self, key: str, upload_id: str, number: int, chunks: AsyncIterator[bytes]) -> str:
        """The ETag is the quoted md5, as S3's is; it is kept beside the part to know it by."""
        if not 1 <= number <= _MOST_PARTS:
            raise BadRequest(f"part {number}: parts are numbered from 1 to {_MOST_PARTS}")
        digest = hashlib.md5(usedforsecurity=False)
        await self._store.put(_part(key, upload_id, number), _hashed(chunks, digest.update))
        etag = f'"{digest.hexdigest()}"'
        await self._store.put(_etag(key, upload_id, number), _once(etag.encode()))
        return etag

    async def join(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        if await self._store.size(key) is not None:
            return
        ordered = sorted(parts)
        if not ordered or len({part.number for part in ordered}) != len(ordered):
            raise BadRequest("an upload in parts is completed with a list of its parts, each once")
        for part in ordered:
            await self._refuse_other(key, upload_id, part)
        await self._store.put(key, self._all(key, upload_id, ordered))

    async def drop(self, key: str, upload_id: str) -> None:
        # Parts come in any order, and the numbers of those that came are not kept; what is left is found by its key.
        async for found in self._store.list(_folder(key, upload_id)):
            await self._store.delete(found.key)

    async def _refuse_other(self, key: str, upload_id: str, part: Part) -> None:
        if await self._store.size(_etag(key, upload_id, part.number)) is None:
            raise BadRequest(f"part {part.number} was not uploaded")
        stored = b"".join([chunk async for chunk in self._store.read(_etag(key, upload_id, part.number))]).decode()
        if stored.strip('"') != part.etag.strip('"'):
            raise BadRequest(f"part {part.number} is {stored} and not {part.etag}")

    async def _all(self, key: str, upload_id: str, parts: Sequence[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            async for chunk in self._store.read(_part(key, upload_id, part.number)):
                yield chunk


async def _hashed(chunks: AsyncIterator[bytes], update: Callable[[bytes], None]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        await asyncio.to_thread(update, chunk)
        yield chunk


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _folder(key: str, upload_id: str) -> str:
    return checked(f"{key}.parts-{upload_id}")


def _part(key: str, upload_id: str, number: int) -> str:
    return f"{_folder(key, upload_id)}/{number:05}"


def _etag(key: str, upload_id: str, number: int) -> str:
    return f"{_part(key, upload_id, number)}.etag"
