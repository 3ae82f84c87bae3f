"""The sending half of an HTTP/2 connection: what may leave now, and what waits for the peer's windows.

Bytes collect in `out`; whoever owns the connection takes them from there to a socket. While the socket is full
(`hold`) nothing of a body leaves. Streams that wait take turns of one frame, so that a large answer does not keep
small ones behind it (RFC 9113 sections 5.2 and 6.9).
"""

from abc import ABC, abstractmethod
from collections import deque

from fairlead.protocols.h2_frames import (
    CONTINUATION,
    DATA,
    DEFAULT_FRAME,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    FRAME,
    HEADERS,
    MAX_WINDOW,
)

# An empty HPACK block with this in front tells the peer that we never put anything into its table (RFC 7541 6.3).
_NO_TABLE = b"\x20"


class Stream:
    """One exchange. `credit` is what the peer may still send, `window` what we may; `ending` is what ends our side
    after all unsent bytes: a block of trailers, or nothing (b"")."""

    __slots__ = ("credit", "ending", "id", "is_done", "is_paused", "is_peer_done", "unsent", "unsent_bytes", "window")

    def __init__(self, id: int, credit: int, window: int) -> None:
        self.id = id
        self.credit = credit
        self.window = window
        self.is_done = False
        self.is_peer_done = False
        self.is_paused = False
        self.unsent: deque[memoryview] | None = None
        self.unsent_bytes = 0
        self.ending: bytes | None = None


class Sending(ABC):
    """See above. `is_plain` says that nothing stands against writing an answer's three frames in one go."""

    def __init__(self) -> None:
        self.out: list[bytes | memoryview] = []
        self.body_bytes_out = 0
        """How much of bodies is in `out`, for owners that would rather write than let it grow."""
        self.peer_window = DEFAULT_WINDOW
        self.peer_initial_window = DEFAULT_WINDOW
        self.peer_frame = DEFAULT_FRAME
        self.is_plain = True
        self._is_held = False
        self._must_empty_table = False
        self._waiting: dict[int, Stream] = {}

    @abstractmethod
    def on_sent(self, stream: Stream) -> None:
        """Everything of an answer or request has left."""

    @abstractmethod
    def on_room(self, stream: Stream) -> None:
        """Some of what waited has left and more may be given."""

    def take_out(self) -> list[bytes | memoryview]:
        """What is to be written now."""
        out, self.out = self.out, []
        self.body_bytes_out = 0
        return out

    def send_headers(self, stream: Stream, block: bytes, *, ends: bool) -> None:
        """Write a block of headers now. Bodies and trailers go through `send`."""
        if self._must_empty_table:
            self._must_empty_table = False
            block = _NO_TABLE + block
            self._note_plain()
        size = self.peer_frame
        flags = END_STREAM if ends else 0
        if len(block) <= size:
            self.out += (FRAME.pack(len(block) << 8 | HEADERS, flags | END_HEADERS, stream.id), block)
            return
        pieces = [block[at : at + size] for at in range(0, len(block), size)]
        for index, piece in enumerate(pieces):
            kind = CONTINUATION if index else HEADERS
            is_last = index == len(pieces) - 1
            mine = (flags if not index else 0) | (END_HEADERS if is_last else 0)
            self.out += (FRAME.pack(len(piece) << 8 | kind, mine, stream.id), piece)

    def send(self, stream: Stream, data: bytes, ending: bytes | None = None) -> None:
        """Queue a piece of a body. With `ending` it is the last: b"" ends the stream, else these are its trailers."""
        size = len(data)
        if stream.unsent is None and self._may_send(stream, size):
            if data or ending == b"":
                stream.window -= size
                self.peer_window -= size
                self._write_data(stream, data, is_last=ending == b"")
            if ending is not None:
                self._end(stream, ending)
            return
        if stream.unsent is None:
            stream.unsent = deque()
        if data:
            stream.unsent.append(memoryview(data))  # Cut into frames without copies.
            stream.unsent_bytes += size
        stream.ending = ending
        self._waiting[stream.id] = stream
        if not self._is_held:
            self.push(stream)

    def hold(self) -> None:
        """The socket is full."""
        self._is_held = True
        self._note_plain()

    def release(self) -> None:
        """It has room again."""
        self._is_held = False
        self._note_plain()
        self.pump()

    def pump(self) -> None:
        """Write what the windows allow, a frame for each waiting stream in turn."""
        is_moving = True
        while is_moving and self._waiting and self.peer_window > 0 and not self._is_held:
            is_moving = False
            for stream in list(self._waiting.values()):
                is_moving |= self._write_piece(stream)
        for stream in list(self._waiting.values()):
            if not stream.unsent_bytes:
                self._write_piece(stream)  # Only its end is due, and that needs no window.

    def forget(self, stream: Stream) -> None:
        """Drop what a stream still had to send."""
        self._waiting.pop(stream.id, None)
        stream.unsent = None
        stream.unsent_bytes = 0

    def resize_windows(self, size: int, streams: dict[int, Stream]) -> bool:
        """The peer chose another initial window, which moves those of open streams too; False if one overflows."""
        change = size - self.peer_initial_window
        self.peer_initial_window = size
        for stream in streams.values():
            stream.window += change
            if stream.window > MAX_WINDOW:
                return False
        return True

    def empty_table(self) -> None:
        """The peer made its header table smaller, which must be acknowledged in the next block."""
        self._must_empty_table = True
        self._note_plain()

    def _note_plain(self) -> None:
        self.is_plain = not self._is_held and not self._must_empty_table

    def _may_send(self, stream: Stream, size: int) -> bool:
        if self._is_held:
            return False
        return not size or (size <= stream.window and size <= self.peer_window and size <= self.peer_frame)

    def push(self, stream: Stream) -> None:
        """Write what may leave of one stream."""
        while self._write_piece(stream):
            pass

    def _write_piece(self, stream: Stream) -> bool:
        """Write one frame of a stream that waits; whether there may be another one."""
        unsent = stream.unsent
        if unsent is None or self._is_held:
            return False
        if unsent:
            room = min(stream.window, self.peer_window, self.peer_frame)
            if room <= 0:
                return False
            piece = self._cut(stream, unsent, room)
            stream.window -= len(piece)
            self.peer_window -= len(piece)
            self._write_data(stream, piece, is_last=not unsent and stream.ending == b"")
        elif stream.ending == b"":
            self._write_data(stream, b"", is_last=True)
        if unsent:
            self.on_room(stream)
            return True
        self.forget(stream)
        if stream.ending is not None:
            self._end(stream, stream.ending)
        else:
            self.on_room(stream)
        return False

    def _cut(self, stream: Stream, unsent: deque[memoryview], room: int) -> memoryview:
        """The next bytes, of one queued piece at most."""
        piece = unsent[0]
        if len(piece) <= room:
            unsent.popleft()
        else:
            unsent[0] = piece[room:]
            piece = piece[:room]
        stream.unsent_bytes -= len(piece)
        return piece

    def _write_data(self, stream: Stream, data: bytes | memoryview, *, is_last: bool) -> None:
        self.body_bytes_out += len(data)
        self.out += (FRAME.pack(len(data) << 8 | DATA, END_STREAM if is_last else 0, stream.id), data)

    def _end(self, stream: Stream, ending: bytes) -> None:
        if ending:
            self.send_headers(stream, ending, ends=True)
        stream.is_done = True
        self.on_sent(stream)
