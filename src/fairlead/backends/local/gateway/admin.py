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

from fairlead.backends.local.gateway.demanding import Demands
from fairlead.backends.local.gateway.messages import (
    Admit,
    Amend,
    AskDemand,
    AskStats,
    Demand,
    FromGateway,
    GatewayStats,
    Publish,
    Published,
    Refused,
    Scales,
    Shown,
    ToGateway,
    Unknown,
    read_message,
    write_message,
)
from fairlead.backends.local.gateway.scale_metrics import Board
from fairlead.backends.local.gateway.switchboard import Switchboard
from fairlead.dataplane.net.listening import bind_unix
from fairlead.errors import BadRequest, ConfigError
from fairlead.plan.routing import RouteTable, amended

log = logging.getLogger(__name__)


_MIN_APPENDED_BYTES = 64 * 1024
_MOST_UNREAD_BYTES = 4 * 1024 * 1024


class TableFile:
    """The last table on disk: a line of JSON with all of it, and a line for each amendment since. Written whole again
    when the amendments are as long as the table."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole_bytes = self._appended_bytes = 0

    def load(self) -> RouteTable | None:
        """The table that was in force before, `None` when there is none. A broken file is reported and left alone:
        the control process will publish a new one."""
        try:
            whole, *amendments = self._path.read_bytes().split(b"\n")
            table = msgspec.json.decode(whole, type=RouteTable)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.error("the table %s cannot be read (%s); nothing is served until one is published", self._path, error)
            return None
        for line in filter(None, amendments):
            try:
                amendment = msgspec.json.decode(line, type=Amend)
            except msgspec.DecodeError:
                break  # cut off by a kill, so nobody was told that it is in force
            table = amended(table, changed=amendment.changed, gone=amendment.gone)
        return table

    def save(self, table: RouteTable) -> None:
        """Replace it at once, so that a reader finds the old table or the new one whole."""
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            line = msgspec.json.encode(table) + b"\n"
            fresh.write_bytes(line)
            fresh.replace(self._path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise self._unwritten(error) from error
        self._whole_bytes, self._appended_bytes = len(line), 0

    def amend(self, amendment: Amend, table: RouteTable) -> None:
        """Add an amendment of what was saved last; `table` is the result."""
        line = msgspec.json.encode(amendment) + b"\n"
        if self._appended_bytes + len(line) > max(_MIN_APPENDED_BYTES, self._whole_bytes):
            self.save(table)
            return
        try:
            # Not created: without the line that holds the table, an amendment means nothing.
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), "ab") as file:
                file.write(line)
        except OSError as error:
            raise self._unwritten(error) from error
        self._appended_bytes += len(line)

    def _unwritten(self, error: OSError) -> ConfigError:
        return ConfigError(f"the table cannot be written to {self._path}: {error.strerror or error}")


class Admin:
    """Serves the admin socket."""

    def __init__(
        self,
        switchboard: Switchboard,
        file: TableFile,
        demands: Demands,
        board: Board,
        *,
        stats: Callable[[], GatewayStats],
        admit: Callable[[Admit], None],
    ) -> None:
        self._switchboard = switchboard
        self._demands, self._board = demands, board
        self._file = file
        self._stats = stats
        self._admit = admit
        self._server: asyncio.Server | None = None
        self._is_saved = True
        self._mark = ""
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
                answer = self._answer(body)
                if answer is None:
                    await self._tell_demand(reader, writer)
                    return
                write_message(writer, answer)
                await writer.drain()
        except (ConnectionError, BadRequest) as error:
            log.warning("an admin connection ended: %s", error)
        finally:
            self._sessions.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _tell_demand(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Report demand until the other end hangs up, or does not read."""

        def tell(demand: Demand) -> None:
            if writer.transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
                writer.transport.abort()
            else:
                write_message(writer, demand)

        self._demands.listen(tell)
        try:
            await reader.read()
        finally:
            self._demands.leave(tell)

    def _answer(self, body: bytes) -> FromGateway | None:
        """The answer to one message; `None` for one that asks for reports."""
        try:
            message = msgspec.msgpack.decode(body, type=ToGateway)
        except msgspec.DecodeError as error:
            return Refused(f"not a message for a gateway: {error}")
        if isinstance(message, AskStats):
            return self._stats()
        if isinstance(message, AskDemand):
            return None
        if isinstance(message, Scales):
            self._board.show(message)
            return Shown()
        if isinstance(message, Admit):
            return self._let_in(message)
        return self._replace(message) if isinstance(message, Publish) else self._amend(message)

    def _let_in(self, message: Admit) -> FromGateway:
        try:
            self._admit(message)
        except ConfigError as error:
            return Refused(f"it is in force, but {error}")
        return Published()

    def _replace(self, message: Publish) -> FromGateway:
        table = message.table
        if self._is_saved and table == self._switchboard.table:
            self._mark = message.mark
            return Published()
        return self._publish(table, message.mark, lambda: self._file.save(table))

    def _amend(self, message: Amend) -> FromGateway:
        if not self._mark or message.since != self._mark:
            return Unknown()
        if not message.changed and not message.gone:
            self._mark = message.mark
            return Published()
        table = amended(self._switchboard.table, changed=message.changed, gone=message.gone)
        return self._publish(table, message.mark, lambda: self._file.amend(message, table))

    def _publish(self, table: RouteTable, mark: str, save: Callable[[], None]) -> FromGateway:
        # Requests follow the table even when the disk is full; the publisher hears of it and tries again.
        self._switchboard.publish(table)
        self._is_saved, self._mark = False, ""
        try:
            save()
        except ConfigError as error:
            return Refused(f"the table is in force, but {error}")
        self._is_saved, self._mark = True, mark
        return Published()
