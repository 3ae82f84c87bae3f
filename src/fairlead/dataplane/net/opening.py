"""Which HTTP a new connection speaks: decided once by ALPN or by its first bytes, so that no request pays for it."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from fairlead.protocols.h2_frames import PREFACE

H2 = "h2"
ALPN = (H2, "http/1.1")


class Client(Protocol):
    """A connection as its server sees it."""

    def check(self, now: float) -> None: ...
    def close_if_idle(self) -> None: ...
    def abort(self) -> None: ...


class Clients(Protocol):
    """What a connection needs of the server's book of clients."""

    def enter(self, connection: Client) -> None: ...
    def leave(self, connection: Client) -> None: ...


class Opening(asyncio.Protocol):
    """A connection until it is known what it speaks."""

    __slots__ = ("_begun_s", "_clients", "_first", "_idle_s", "_since", "_transport", "make_http1", "make_http2")

    def __init__(
        self,
        clients: Clients,
        *,
        make_http1: Callable[[], asyncio.Protocol],
        make_http2: Callable[[], asyncio.Protocol],
        idle_s: float,
        begun_s: float,
    ) -> None:
        self._clients = clients
        self._begun_s = begun_s
        self._idle_s = idle_s
        self._first = b""
        self._since = 0.0
        self._transport: asyncio.Transport
        self.make_http1 = make_http1
        self.make_http2 = make_http2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._clients.enter(self)
        secure = transport.get_extra_info("ssl_object")
        if secure is not None and secure.selected_alpn_protocol() == H2:
            self._become(self.make_http2())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._clients.leave(self)

    def data_received(self, data: bytes) -> None:
        first = self._first + data
        if first.startswith(PREFACE):
            self._become(self.make_http2(), first)
        elif PREFACE.startswith(first):
            self._first = first
        else:
            self._become(self.make_http1(), first)

    def _become(self, protocol: asyncio.Protocol, first: bytes = b"") -> None:
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        self._clients.leave(self)
        if first:
            protocol.data_received(first)

    def check(self, now: float) -> None:
        """A client that says nothing may wait; one that began to speak may not."""
        if not self._since:
            self._since = now
        elif now - self._since > (self._begun_s if self._first else self._idle_s):
            self._transport.close()

    def close_if_idle(self) -> None:
        """Nothing is under way yet."""
        self._transport.close()

    def abort(self) -> None:
        """End it."""
        self._transport.abort()
