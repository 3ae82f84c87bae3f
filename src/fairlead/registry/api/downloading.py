"""Downloads over the API: streamed, of known length, with their digest, and from any byte on."""

import base64
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from io import FileIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from fairlead.registry.api import direct, ranges, showing
from fairlead.registry.api.calls import Call, answer
from fairlead.registry.api.direct import Direct
from fairlead.registry.api.ranges import Range
from fairlead.registry.api.routing import Operation
from fairlead.registry.api.versions import SHAPES, named, place
from fairlead.registry.downloads import Download, refuse_other
from fairlead.registry.values import Kind, Version
from fairlead.registry.verified import identity_of
from fairlead.storage.blobs.streams import PIECE_BYTES, hashed

MEDIA = "application/octet-stream"
Opened = Callable[[int, int | None], Awaitable[Download]]


def operations(kind: Kind) -> Sequence[Operation]:
    """Those of one kind's versions."""
    one = place(kind)
    return [
        Operation(
            method="PATCH",
            path=f"{one}/presign_download_url",
            handler=partial(_presign, kind),
            name=f"presignDownloadOf{kind.title()}",
            about="Gives an address from which the bytes may be had for an hour, without a token.",
            tag="transfers",
            gives=SHAPES[kind].plain,
        ),
        Operation(
            method="GET",
            path=f"{one}/download",
            handler=partial(_download, kind),
            name=f"download{kind.title()}",
            about="Gives the bytes: an uncompressed tar, as it was pushed. One range may be asked for.",
            tag="transfers",
            media=MEDIA,
            statuses=(200, 206),
            refuses=(416,),
        ),
    ]


async def _presign(kind: Kind, call: Call) -> Response:
    version = await named(call, kind)
    # A model whose bytes are in another registry is complete and has none here: clients fetch those themselves.
    is_elsewhere = version.is_complete and not version.digest
    url = "" if is_elsewhere else call.absolute(await call.registry.downloads.presign(call.caller, version))
    return answer(await showing.version(call, version, presigned_download_url=url))


async def _download(kind: Kind, call: Call) -> Response:
    version = await named(call, kind)
    return await respond(call.request, partial(_opened, call, version))


async def _opened(call: Call, version: Version, start: int, end: int | None) -> Download:
    return await call.registry.downloads.open(call.caller, version, start=start, end=end)


class Poured(StreamingResponse):
    """Bytes of a download. Whatever ends it, what it reads from is closed then and there."""

    def __init__(self, download: Download, status: int, headers: dict[str, str]) -> None:
        super().__init__(download.chunks, status, headers, media_type=MEDIA)
        self._chunks = download.chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if isinstance(self._chunks, AsyncGenerator):
                await self._chunks.aclose()


class Sent(Response):
    """A whole file, sent by the connection itself while it is read a second time for its digest, unless that was seen
    lately. Its last bytes wait until it is known."""

    def __init__(self, file: FileIO, download: Download, through: Direct, headers: dict[str, str]) -> None:
        super().__init__(headers=headers, media_type=MEDIA)
        self._file = file
        self._download = download
        self._through = through

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        with self._file as file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if await self._pour(file):
                await send({"type": "http.response.body"})

    async def _pour(self, file: FileIO) -> bool:
        number, download, identity = file.fileno(), self._download, identity_of(file)
        if download.verified.knows(download.digest, identity):
            return await self._through.pour(number, 0, download.size)
        kept = min(download.size, PIECE_BYTES)
        async with hashed(file) as digest:
            if not await self._through.pour(number, 0, download.size - kept):
                return False
            refuse_other(download.digest, await digest)
        download.verified.note(download.digest, identity)
        return await self._through.pour(number, download.size - kept, kept)


async def respond(request: Request, opened: Opened) -> Response:
    """The bytes that are asked for, opened by where they begin and end."""
    whole = await opened(0, None)
    tag = f'"{whole.digest}"'
    told = {"accept-ranges": "bytes", "etag": tag, "digest": f"sha-256={_base64(whole.digest)}"}
    try:
        part = ranges.asked(request.headers, whole.size, tag)
    except ranges.Unsatisfiable:
        return Response(status_code=416, headers={**told, "content-range": f"bytes */{whole.size}"})
    if part is None:
        told["content-length"] = str(whole.size)
        through = direct.find(request.scope)
        file = await whole.open() if through else None
        return Sent(file, whole, through, told) if through and file else Poured(whole, 200, told)
    return await _partial(part, whole.size, opened, told)


async def _partial(part: Range, size: int, opened: Opened, told: dict[str, str]) -> Response:
    found = await opened(part.start, part.end)
    told |= {"content-length": str(part.end - part.start), "content-range": part.header(size)}
    return Poured(found, 206, told)


def _base64(digest: str) -> str:
    """RFC 3230 writes digests so."""
    return base64.b64encode(bytes.fromhex(digest.partition(":")[2])).decode()
