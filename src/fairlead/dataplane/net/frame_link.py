"""One end of a frame connection, whichever end it is: frames in, and one write per turn of the event loop out.

Answers and requests come in bursts, so what is sent during one turn leaves together: one system call for the
burst, and the other end reads it as one batch. Bodies in pieces are kept here by the id of their request, because they
go the same way at both ends.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import cast

from fairlead.dataplane.net.frame_bodies import FrameSink, FrameSource
from fairlead.errors import BadRequest
from fairlead.protocols.frames import Frame, FrameDecoder, Kind, decode_credit

log = logging.getLogger(__name__)

_SMALL_BYTES = 64 * 1024


class FrameLink(asyncio.Protocol, ABC):
    """Subclasses implement `take` and `lost`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._decoder = FrameDecoder()
        self._out: list[bytes] = []
        self._handed_over: list[bytes] = []
        self._is_flush_due = False
        self.sources: dict[int, FrameSource] = {}
        self.sinks: dict[int, FrameSink] = {}

    @abstractmethod
    def take(self, frame: Frame) -> None:
        """A frame arrived."""

    @abstractmethod
    def lost(self, unsent: list[bytes]) -> None:
        """The connection ended; nothing more arrives, and `unsent` never left."""

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def take_piece(self, frame: Frame) -> None:
        """Take a frame about a body in pieces, except its first and its last."""
        if frame.kind == Kind.DATA:
            source = self.sources.get(frame.id)
            if source is not None:
                source.feed(frame.body)
        elif frame.kind == Kind.CREDIT:
            sink = self.sinks.get(frame.id)
            if sink is not None:
                sink.grant(decode_credit(frame))

    def drop_pieces(self, id: int) -> None:
        """Nothing more comes and goes of this request's bodies."""
        self.sources.pop(id, None)
        sink = self.sinks.pop(id, None)
        if sink is not None:
            sink.abandon()

    def send(self, start: bytes, head: bytes, body: bytes | memoryview) -> None:
        """Queue a frame for the end of this turn."""
        if len(body) <= _SMALL_BYTES:
            self._out.append(start + head + body)
        else:
            self._out += (start + head, bytes(body))
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Send what is queued and end the connection."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        unsent, self._out = self._out, []
        if isinstance(exc, BrokenPipeError):
            # The other end was gone before the last write, so the kernel took nothing of it.
            unsent = self._handed_over + unsent
        self._handed_over = []
        self.lost(unsent)

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._decoder.feed(data)
            # What is sent while these are taken leaves at the end of this very call, not one turn later.
            was_due, self._is_flush_due = self._is_flush_due, True
            for frame in frames:
                self.take(frame)
            self._is_flush_due = was_due
        except BadRequest as error:
            log.error("a frame connection is closed: %s", error)
            self.abort()
            return
        if self._out and not was_due:
            self._flush()

    def _flush(self) -> None:
        self._is_flush_due = False
        if not self._out or self._transport is None or self._transport.is_closing():
            return
        out, self._out = self._out, []
        self._handed_over = [] if self._transport.get_write_buffer_size() else out
        if len(out) == 1:
            self._transport.write(out[0])
        else:
            self._transport.writelines(out)
