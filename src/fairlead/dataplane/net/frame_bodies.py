"""Bodies in pieces on a frame connection, with the credit that keeps either end from sending more than the other can
pass on."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from fairlead.protocols.body_stream import BodyStream
from fairlead.protocols.frames import WINDOW_BYTES, data_prefix, encode_credit, encode_end, encode_reset

_GRANT_BYTES = WINDOW_BYTES // 2
"""Credit is given in no smaller portions while more is under way."""


class Link(Protocol):
    """What is needed of the connection."""

    def send(self, start: bytes, head: bytes, body: bytes | memoryview) -> None: ...


class FrameSource(BodyStream):
    """A body that arrives in frames. `trailers` are there when it is over."""

    __slots__ = ("_id", "_link", "_passed_bytes", "trailers")

    def __init__(self, link: Link, id: int) -> None:
        super().__init__()
        self._link = link
        self._id = id
        self._passed_bytes = 0
        self.trailers = b""
        self.on_flow = self._grant

    def feed(self, piece: bytes) -> None:
        """The next piece came."""
        self._passed_bytes += len(piece)
        super().feed(piece)
        if self._passed_bytes >= _GRANT_BYTES:
            self._grant()

    def _grant(self) -> None:
        if self._passed_bytes >= _GRANT_BYTES and not self.is_waiting and not self.is_finished:
            self._link.send(encode_credit(self._id, self._passed_bytes), b"", b"")
            self._passed_bytes = 0


class FrameSink:
    """The `Outgoing` of a body that leaves in frames. `on_over` is called when all of it has left, or was given up at
    this end."""

    __slots__ = ("_credit", "_held", "_id", "_is_ended", "_link", "_on_over", "_trailers", "is_full", "when_free")

    def __init__(self, link: Link | None, id: int, on_over: Callable[[], None]) -> None:
        self._link = link
        self._id = id
        self._on_over = on_over
        self._credit = WINDOW_BYTES
        self._held: deque[memoryview] = deque()
        self._is_ended = False
        self._trailers = b""
        self.is_full = False
        self.when_free: Callable[[], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the receiver waits for more."""
        return self._link is not None

    def send(self, data: bytes) -> None:
        """Queue a piece; what there is no credit for is held."""
        link = self._link
        if link is None or self._is_ended or not data:
            return
        if not self._held and len(data) <= self._credit:
            self._credit -= len(data)
            link.send(data_prefix(self._id, len(data)), b"", data)
        else:
            self._held.append(memoryview(data))
            self._send_held(link)
        if self._credit <= 0:
            self.is_full = True

    def end(self, trailers: bytes = b"") -> None:
        """That was all."""
        if self._is_ended or self._link is None:
            return
        self._is_ended = True
        self._trailers = trailers
        if not self._held:
            self._finish(self._link)

    def abort(self) -> None:
        """It will not be finished."""
        if self._link is not None:
            self._link.send(encode_reset(self._id), b"", b"")
            self._over()

    def abandon(self) -> None:
        """Nobody wants the rest."""
        self._link = None
        self._held.clear()

    def grant(self, size_bytes: int) -> None:
        """The receiver has passed on so many bytes."""
        self._credit += size_bytes
        link = self._link
        if link is None:
            return
        self._send_held(link)
        if self._held:
            return
        if self._is_ended:
            self._finish(link)
        elif self.is_full and self._credit > 0:
            self.is_full = False
            if self.when_free is not None:
                self.when_free()

    def _send_held(self, link: Link) -> None:
        held = self._held
        while held and self._credit > 0:
            piece = held.popleft()
            now = piece[: self._credit]
            if len(now) < len(piece):
                held.appendleft(piece[self._credit :])
            self._credit -= len(now)
            link.send(data_prefix(self._id, len(now)), b"", now)

    def _finish(self, link: Link) -> None:
        link.send(encode_end(self._id, self._trailers), b"", b"")
        self._over()

    def _over(self) -> None:
        self._link = None
        self._held.clear()
        self._on_over()
