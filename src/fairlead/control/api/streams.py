"""Answers that go on: they end when their source ends, when their time is over, or when the client goes away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.types import Receive, Scope, Send


class Stream:
    """An ASGI answer that sends each chunk as it comes.

    Notices a client that left while there is nothing to send, so that a quiet watch does not outlive its watcher.
    """

    def __init__(self, chunks: AsyncGenerator[bytes], *, media_type: str, timeout_s: float | None = None) -> None:
        self._chunks = chunks
        self._media_type = media_type
        self._timeout_s = timeout_s

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self._media_type.encode()), (b"cache-control", b"no-cache, private")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait((sending, leaving), timeout=self._timeout_s, return_when=asyncio.FIRST_COMPLETED)
            is_gone = leaving.done()
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error
        if not is_gone:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
