"""What is behind addresses that we signed: uploads and their parts to put, blobs to get."""

import re
from collections.abc import AsyncIterator, Mapping

from fairlead.errors import NotFound
from fairlead.registry.addresses import Addresses
from fairlead.registry.downloads import Download, Downloads
from fairlead.registry.uploads import Uploads

_UPLOAD = re.compile(r"uploads/([0-9a-z]+)(?:/parts/(\d{1,5}))?")
_BLOB = re.compile(r"blobs/(sha256:[0-9a-f]{64})")


class Objects:
    """Nobody is asked who they are: whoever has an address may use it."""

    def __init__(self, addresses: Addresses, uploads: Uploads, downloads: Downloads) -> None:
        self._addresses = addresses
        self._uploads = uploads
        self._downloads = downloads

    async def put(self, what: str, query: Mapping[str, str], chunks: AsyncIterator[bytes], length: int | None) -> str:
        """Store what comes; its ETag. Raises Forbidden for an address that we did not sign, or that is too old."""
        self._addresses.check("PUT", what, query)
        match = _UPLOAD.fullmatch(what)
        if match is None:
            raise NotFound(f"{what}: record not found")
        if match[2]:
            return await self._uploads.put_part(match[1], int(match[2]), chunks, length)
        return await self._uploads.put_signed(match[1], chunks, length)

    async def get(self, what: str, query: Mapping[str, str], *, start: int = 0, end: int | None = None) -> Download:
        """The bytes. Raises Forbidden as `put` does."""
        self._addresses.check("GET", what, query)
        match = _BLOB.fullmatch(what)
        if match is None:
            raise NotFound(f"{what}: record not found")
        return await self._downloads.get_signed(match[1], start=start, end=end)
