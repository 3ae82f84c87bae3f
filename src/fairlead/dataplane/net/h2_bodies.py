"""Bodies in pieces on an HTTP/2 connection of the server: a request's as it arrives, an answer's as it leaves."""

from collections.abc import Callable
from typing import Protocol

from fairlead.dataplane.net.h2_answers import read_lines
from fairlead.protocols.h2_frames import ErrorCode
from fairlead.protocols.h2_sending import Stream
from fairlead.protocols.hpack import encode

_FULL_BYTES = 64 * 1024
_FREE_BYTES = 16 * 1024


class Carrier(Protocol):
    """What a body needs of its connection."""

    def send(self, stream: Stream, data: bytes, ending: bytes | None = None) -> None: ...
    def resume(self, stream: Stream) -> None: ...
    def reset(self, stream: Stream, code: ErrorCode) -> None: ...
    def flush_soon(self) -> None: ...


class StreamedBody:
    """A request's body on its way to a handler (`Incoming`). What comes before somebody listens is kept: at most the
    stream's window, which is not renewed until then."""

    __slots__ = ("_carrier", "_has_ended", "_kept", "_on_data", "_on_end", "_stream")

    def __init__(self, carrier: Carrier, stream: Stream) -> None:
        self._carrier = carrier
        self._stream = stream
        self._kept: list[bytes] = []
        self._has_ended = False
        self._on_data: Callable[[bytes], None] | None = None
        self._on_end: Callable[[], None] | None = None
        stream.is_paused = True

    def listen(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        """Hear the pieces and the end."""
        self._on_data, self._on_end = on_data, on_end
        kept, self._kept = self._kept, []
        self.resume()
        for piece in kept:
            on_data(piece)
        if self._has_ended:
            on_end()

    def pause(self) -> None:
        """Renew the window no more."""
        self._stream.is_paused = True

    def resume(self) -> None:
        """Renew it."""
        self._carrier.resume(self._stream)
        self._carrier.flush_soon()

    def take(self, data: bytes, *, ends: bool) -> None:
        """A piece came."""
        self._has_ended = ends
        if self._on_data is None or self._on_end is None:
            if data:
                self._kept.append(data)
            return
        if data:
            self._on_data(data)
        if ends:
            self._on_end()


class StreamedAnswer:
    """An answer on its way to the client (`Outgoing`). Full means that windows or the socket do not take more now."""

    __slots__ = ("_carrier", "_has_body", "_stream", "_trailers", "is_full", "is_open", "when_free")

    def __init__(self, carrier: Carrier, stream: Stream, trailers: bytes, *, has_body: bool) -> None:
        self._carrier = carrier
        self._stream = stream
        self._trailers = trailers
        self._has_body = has_body
        self.is_open = True
        self.is_full = False
        self.when_free: Callable[[], None] | None = None

    def send(self, data: bytes) -> None:
        """Queue a piece."""
        if not self.is_open or not data or not self._has_body:
            return
        self._carrier.send(self._stream, data)
        self.is_full = self._stream.unsent_bytes > _FULL_BYTES
        self._carrier.flush_soon()

    def end(self, trailers: bytes = b"") -> None:
        """That was all."""
        if not self.is_open:
            return
        self.is_open = False
        if not self._has_body:
            return  # The headers were the end.
        self._carrier.send(self._stream, b"", self._trailers + encode(read_lines(trailers)))
        self._carrier.flush_soon()

    def abort(self) -> None:
        """Cut it: the client must not take what it has for all there is."""
        if self.is_open:
            self.is_open = False
            self._carrier.reset(self._stream, ErrorCode.INTERNAL_ERROR)
            self._carrier.flush_soon()

    def on_room(self) -> None:
        """Some of what was queued has left."""
        if self.is_full and self.is_open and self._stream.unsent_bytes < _FREE_BYTES:
            self.is_full = False
            if self.when_free is not None:
                self.when_free()
