"""An answer of a peer that is handed on while it comes, for what is not a message: text as it is generated, say.

One connection carries one answer, because its end is the only word by which a peer learns that nobody wants the rest.
"""

import asyncio
from typing import Protocol

import httptools


class Hearer(Protocol):
    """Hears the head, the pieces and the end; or that there will be no end."""

    def begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> None: ...
    def came(self, piece: bytes) -> None: ...
    def ended(self) -> None: ...
    def lost(self, error: Exception) -> None: ...


class PassedAnswer(asyncio.Protocol):
    """One connection with one request."""

    def __init__(self, hearer: Hearer) -> None:
        self._hearer = hearer
        self._headers: list[tuple[bytes, bytes]] = []
        self._parser = httptools.HttpResponseParser(self)
        self._has_length = False
        self._is_begun = False
        self._is_over = False

    def ask(self, data: bytes) -> None:
        """Send the request."""
        self._transport.write(data)

    def pause(self) -> None:
        """Let the peer wait."""
        if not self._is_over:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Let it go on."""
        if not self._is_over:
            self._transport.resume_reading()

    def leave(self) -> None:
        """Nobody wants the rest."""
        self._is_over = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream's transport is one

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._lose(ConnectionError(f"malformed HTTP response: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_over:
            return
        if exc is None and self._is_begun and not self._has_length:  # RFC 9112 section 6.3: its end is the answer's
            self.on_message_complete()
        else:
            self._lose(exc or ConnectionError("the connection ended before the answer did"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []
            return
        self._has_length = any(name in (b"content-length", b"transfer-encoding") for name, _ in self._headers)
        self._is_begun = True
        self._hearer.begun(status, self._headers)

    def on_body(self, piece: bytes) -> None:
        self._hearer.came(piece)

    def on_message_complete(self) -> None:
        if not self._is_begun:
            return
        self._is_over = True
        self._transport.abort()
        self._hearer.ended()

    def _lose(self, error: Exception) -> None:
        self._is_over = True
        self._transport.abort()
        self._hearer.lost(error)
