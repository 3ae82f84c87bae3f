"""The admin socket of the gateway: tables in, statistics out.

A table is in force and on disk before the answer is sent, so what was acknowledged survives a kill. Whoever is at
the other end may come and go; requests do not notice.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from fairlead.backends.local.gateway.messages import (
    AskStats,
    FromGateway,
    GatewayStats,
    Publish,
    Published,
    Refused,
    ToGateway,
    read_message,
    write_message,
)
from fairlead.backends.local.gateway.switchboard import Switchboard
from fairlead.dataplane.listening import bind_unix
from fairlead.errors import BadRequest, ConfigError
from fairlead.plan.routing import RouteTable

log = logging.getLogger(__name__)


class TableFile:
    """The last table on disk, as JSON."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> RouteTable | None:
        """The table that was in force before, `None` when there is none. A broken file is reported and left alone:
        the control process will publish a new one."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=RouteTable)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.error("the table %s cannot be read (%s); nothing is served until one is published", self._path, error)
            return None

    def save(self, table: RouteTable) -> None:
        """Replace it at once, so that a reader finds the old table or the new one whole."""
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            fresh.write_bytes(msgspec.json.encode(table))
            fresh.replace(self._path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise ConfigError(f"the table cannot be written to {self._path}: {error.strerror or error}") from error


class Admin:
    """Serves the admin socket."""

    def __init__(self, switchboard: Switchboard, file: TableFile, *, stats: Callable[[], GatewayStats]) -> None:
        self._switchboard = switchboard
        self._file = file
        self._stats = stats
        self._server: asyncio.Server | None = None
        self._is_saved = True
        self._sessions: set[asyncio.StreamWriter] = set()

    async def listen(self, path: Path) -> None:
        """Take calls at this path."""
        self._server = await asyncio.start_unix_server(self._converse, sock=bind_unix(str(path)))

    def close(self) -> None:
        """Take no more calls."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._sessions):
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sessions.add(writer)
        try:
            while (body := await read_message(reader)) is not None:
                write_message(writer, self._answer(body))
                await writer.drain()
        except (ConnectionError, BadRequest) as error:
            log.warning("an admin connection ended: %s", error)
        finally:
            self._sessions.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, body: bytes) -> FromGateway:
        try:
            message = msgspec.msgpack.decode(body, type=ToGateway)
        except msgspec.DecodeError as error:
            return Refused(f"not a message for a gateway: {error}")
        if isinstance(message, AskStats):
            return self._stats()
        return self._publish(message)

    def _publish(self, message: Publish) -> FromGateway:
        if self._is_saved and message.table == self._switchboard.table:
            return Published()
        # Requests follow the table even when the disk is full; the publisher hears of it and tries again.
        self._switchboard.publish(message.table)
        self._is_saved = False
        try:
            self._file.save(message.table)
        except ConfigError as error:
            return Refused(f"the table is in force, but {error}")
        self._is_saved = True
        return Published()
