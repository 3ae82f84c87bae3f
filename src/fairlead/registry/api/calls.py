"""One call as an operation sees it: who asks, what for, and the registry that answers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from fairlead.errors import BadRequest, ClientGone, DeadlineExceeded, TooLarge, Unauthorized
from fairlead.registry import listing
from fairlead.registry.api import direct
from fairlead.registry.api.errors import unreadable
from fairlead.registry.callers import Caller
from fairlead.registry.service import Registry
from fairlead.registry.values import ListQuery
from fairlead.storage.blobs.streams import PIECE_BYTES

MAX_BODY_BYTES = 16 << 20
BODY_TIMEOUT_S = 60.0
# A client that sends nothing for so long has gone, or means to keep a place occupied.
STREAM_TIMEOUT_S = 120.0
_T = TypeVar("_T")


class Call:
    """A request to one operation."""

    def __init__(self, request: Request, registry: Registry, caller: Caller | None) -> None:
        self.request = request
        self.registry = registry
        self._caller = caller

    @property
    def caller(self) -> Caller:
        """Who asks. An operation that is public has none."""
        if self._caller is None:
            raise Unauthorized("username in cookie is empty")
        return self._caller

    def path(self, name: str) -> str:
        """A part of the address."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str:
        """A value of the query; empty when it is not there."""
        return self.request.query_params.get(name, "")

    def is_asked(self, name: str) -> bool:
        """Whether the query says yes to something. Raises BadRequest for what is neither yes nor no."""
        text = self.query(name).lower()
        if text not in ("", "true", "false", "1", "0"):
            raise BadRequest(f"{name} is {text[:40]!r}; it must be true or false")
        return text in ("true", "1")

    def absolute(self, address: str) -> str:
        """An address that we signed, which is a path, as the client reaches it; one of a store's as it is."""
        base = self.registry.config.public_url or str(self.request.base_url)
        return base.rstrip("/") + address if address.startswith("/") else address

    def list_query(self) -> ListQuery:
        """What a list is asked for."""
        params = self.request.query_params
        return listing.parse(
            params.get("q", ""),
            start=params.get("start", ""),
            count=params.get("count", ""),
            search=params.get("search", ""),
            me=self.caller.user.name,
        )

    async def body(self, shape: type[_T]) -> _T:
        """The body as a value. What it says beyond the shape is passed over; no body is an empty object."""
        body = await self._whole_body()
        try:
            return msgspec.json.decode(body or b"{}", type=shape)
        except msgspec.DecodeError as error:
            raise unreadable(error) from error
        except UnicodeDecodeError as error:
            raise BadRequest("the body of the request is not UTF-8") from error
        except RecursionError as error:
            raise BadRequest("the body of the request is nested too deeply") from error

    async def _whole_body(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for chunk in self.request.stream():
                    size += len(chunk)
                    if size > MAX_BODY_BYTES:
                        raise TooLarge(f"the body of the request is larger than {MAX_BODY_BYTES} bytes")
                    chunks.append(chunk)
        except TimeoutError as error:
            raise DeadlineExceeded(f"the request's body did not arrive within {BODY_TIMEOUT_S:.0f} seconds") from error
        except ClientDisconnect as error:
            raise ClientGone from error
        return b"".join(chunks)

    @property
    def length(self) -> int | None:
        """How many bytes the body has, if the client said so."""
        text = self.request.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in pieces as they come. Raises ClientGone when it ends early, and for a client that has stopped."""
        offered = direct.find(self.request.scope)
        pieces = aiter(offered.pieces(PIECE_BYTES) if offered else self.request.stream())
        while True:
            try:
                async with asyncio.timeout(STREAM_TIMEOUT_S):
                    piece = await anext(pieces, None)
            except (ClientDisconnect, ConnectionError, TimeoutError) as error:
                raise ClientGone from error
            if piece is None:
                return
            if piece:
                yield piece


def answer(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON. Creations are answered with 200 too: clients take anything else for a failure."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def nothing() -> Response:
    """Done, and nothing to say."""
    return Response(status_code=200)
