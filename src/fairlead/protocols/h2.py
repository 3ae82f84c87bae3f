"""An HTTP/2 connection without I/O, for either end (RFC 9113): bytes in, calls of the `on_` methods and bytes out.

Kept lean because a gRPC call is two frames in and three out: nothing is made per frame, and rules that no
well-behaved peer breaks are checked where they cost nothing. A peer that breaks one ends its connection (`failure`)
or its stream. What a peer could use to make work without doing any (resets, pings, settings, empty frames) is counted
between two calls of `forgive`, which the owner makes about once a second.

Left out on purpose: server push (refused), priorities (deprecated; read over), and CONNECT.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Final

from fairlead.errors import BadRequest
from fairlead.protocols import h2_frames as frames
from fairlead.protocols.h2_frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    FRAME,
    FRAME_BYTES,
    MAX_ID,
    MAX_WINDOW,
    PADDED,
    PREFACE,
    PRIORITIZED,
    ConnectionFailed,
    ErrorCode,
    Setting,
)
from fairlead.protocols.h2_sending import Sending, Stream
from fairlead.protocols.hpack import Decoder, HeaderBlock

__all__ = ["Connection", "Options", "Stream"]

_REMEMBERED_RESETS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an end offers and allows. The windows are large so that one message of a megabyte needs no round trip."""

    streams: int = 1000
    stream_window: int = 1024 * 1024
    connection_window: int = 4 * 1024 * 1024
    frame_bytes: int = 64 * 1024
    header_bytes: int = 64 * 1024
    continuations: int = 32
    resets: int = 2000
    idle_frames: int = 4000


class _Block:
    """A header block whose CONTINUATION frames have not all come."""

    __slots__ = ("flags", "pieces", "size", "stream_id")

    def __init__(self, stream_id: int, flags: int, piece: bytes) -> None:
        self.stream_id = stream_id
        self.flags = flags
        self.pieces = [piece]
        self.size = len(piece)


class Connection(Sending):
    """See above. `out` holds what is to be written, beginning with the SETTINGS; the owner empties it."""

    def __init__(self, *, is_client: bool, options: Options | None = None) -> None:
        super().__init__()
        self.options: Final = options if options is not None else Options()
        self.is_client: Final = is_client
        self.streams: dict[int, Stream] = {}
        self.failure: ConnectionFailed | None = None
        self.last_id = 0
        """The highest stream that the peer began."""
        self.next_id = 1
        self.peer_streams = 100 if is_client else MAX_ID
        """How many streams the peer allows at once; a client must not assume much before it is told."""
        self.has_said_goaway = False
        self.has_moved = False
        """Whether a whole frame came since the owner last looked and cleared this."""
        self._partial = b""
        self._preface = b"" if is_client else PREFACE
        # The only kind of frame that may come now; -1 for any.
        self._only = frames.SETTINGS
        self._block: _Block | None = None
        self._decoder = Decoder(list_bytes=self.options.header_bytes)
        self._credit = self.options.connection_window
        self._window_step = self.options.connection_window // 2
        self._stream_step = self.options.stream_window // 2
        self._resets = 0
        self._idle_frames = 0
        self._reset_ids: dict[int, None] = {}
        self._greet()

    # What the owner implements.

    @abstractmethod
    def make_stream(self, stream_id: int) -> Stream:
        """A stream that the peer begins."""

    @abstractmethod
    def on_headers(self, stream: Stream, block: HeaderBlock, *, ends: bool) -> None:
        """A request's headers, a response's (also 1xx), or trailers: those come after data and end the stream."""

    @abstractmethod
    def on_data(self, stream: Stream, data: bytes, *, ends: bool) -> None:
        """A piece of a body."""

    @abstractmethod
    def on_reset(self, stream: Stream, code: ErrorCode | int, *, by_peer: bool) -> None:
        """The stream is over and forgotten; nothing was or will be sent on it any more."""

    def on_settings(self) -> None:
        """The peer's settings are in force."""

    def on_ping_ack(self, payload: bytes) -> None:
        """A ping of ours came back."""

    def on_goaway(self, last_id: int, code: int, words: bytes) -> None:
        """The peer takes no more streams; those of ours past `last_id` it never looked at."""

    # What the owner calls.

    @property
    def is_mid_frame(self) -> bool:
        """Whether a frame, a header block or the greeting began and its end has not come."""
        return bool(self._partial) or self._only >= 0

    @property
    def is_mid_data(self) -> bool:
        """Whether that frame is a piece of a body."""
        return self._partial[3:4] == b"\0"

    def feed(self, data: bytes) -> None:
        """Take bytes. After a connection error `failure` is set, GOAWAY is in `out`, and nothing more is read."""
        if self.failure is not None:
            return
        try:
            if self._preface:
                data = self._read_preface(data)
            elif self._partial:
                data = self._partial + data
            read = self._read_frames(data)
            self._partial = data[read:]
            if read:
                self.has_moved = True
        except ConnectionFailed as error:
            self._fail(error)
        except BadRequest as error:  # The header decoder's own.
            self._fail(ConnectionFailed(ErrorCode.COMPRESSION_ERROR, str(error)))

    def forgive(self) -> None:
        """A second or so has passed."""
        self._resets = self._idle_frames = 0

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End a stream at once."""
        self.out.append(frames.rst_stream(stream.id, code))
        self._remember_reset(stream.id)
        self._drop(stream)
        self.on_reset(stream, code, by_peer=False)

    def resume(self, stream: Stream) -> None:
        """A paused stream's data is wanted again (`is_paused` stops a peer when its window is used up)."""
        stream.is_paused = False
        if not stream.is_peer_done and stream.credit <= self._stream_step:
            self._give_credit(stream)

    def ping(self, payload: bytes) -> None:
        """Ask for a sign of life; eight bytes."""
        self.out.append(frames.frame(frames.PING, 0, 0, payload))

    def say_goaway(self, *, last_id: int | None = None, code: ErrorCode = ErrorCode.NO_ERROR, words: str = "") -> None:
        """Take no more streams past `last_id`, which is the highest seen if not given."""
        if last_id is None:
            self.has_said_goaway = True
            last_id = self.last_id
        self.out.append(frames.goaway(last_id, code, words))

    def close_if_done(self, stream: Stream) -> None:
        """Forget a stream that both ends have ended."""
        if stream.is_done and stream.is_peer_done:
            self.streams.pop(stream.id, None)

    # Frames in.

    def _greet(self) -> None:
        options = self.options
        values = {
            Setting.INITIAL_WINDOW_SIZE: options.stream_window,
            Setting.MAX_FRAME_SIZE: options.frame_bytes,
            Setting.MAX_HEADER_LIST_SIZE: options.header_bytes,
        }
        if self.is_client:
            self.out.append(PREFACE)
            values[Setting.ENABLE_PUSH] = 0
        else:
            values[Setting.MAX_CONCURRENT_STREAMS] = options.streams
        self.out.append(frames.settings(values))
        self.out.append(frames.window_update(0, options.connection_window - frames.DEFAULT_WINDOW))

    def _read_preface(self, data: bytes) -> bytes:
        expected = self._preface
        start = data[: len(expected)]
        if not expected.startswith(start):
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "the connection does not begin as HTTP/2 does")
        self._preface = expected[len(start) :]
        return data[len(start) :]

    def _read_frames(self, data: bytes) -> int:
        """Take the whole frames; the position after the last of them."""
        position = 0
        end = len(data)
        most = self.options.frame_bytes
        read = FRAME.unpack_from
        while end - position >= FRAME_BYTES:
            size, flags, stream_id = read(data, position)
            kind = size & 0xFF
            size >>= 8
            if size > most:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {size} bytes; {most} are allowed")
            after = position + FRAME_BYTES + size
            if after > end:
                break
            if self._only >= 0 and kind != self._only:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"a frame of kind {kind}, not {self._only}, came")
            if kind < _KINDS:
                _TAKERS[kind](self, flags, stream_id & MAX_ID, data[position + FRAME_BYTES : after])
            else:
                self._count_idle()
            position = after
        return position

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        credit = self._credit - size
        if credit < self._window_step:
            if credit < 0:
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "more data than the connection's window")
            self.out.append(frames.window_update(0, self.options.connection_window - credit))
            credit = self.options.connection_window
        self._credit = credit
        stream = self.streams.get(stream_id)
        if stream is None or stream.is_peer_done:
            self._refuse_data(stream_id, stream)
            return
        if flags & PADDED:
            payload = _unpadded(payload)
        ends = bool(flags & END_STREAM)
        stream.credit -= size
        if stream.credit < 0:
            self._break(stream, ErrorCode.FLOW_CONTROL_ERROR)
            return
        if ends:
            stream.is_peer_done = True
            if stream.is_done:
                self.streams.pop(stream_id, None)
        elif not payload:
            self._count_idle()
        elif stream.credit <= self._stream_step and not stream.is_paused:
            self._give_credit(stream)
        self.on_data(stream, payload, ends=ends)

    def _give_credit(self, stream: Stream) -> None:
        self.out.append(frames.window_update(stream.id, self.options.stream_window - stream.credit))
        stream.credit = self.options.stream_window

    def _refuse_data(self, stream_id: int, stream: Stream | None) -> None:
        if self._is_idle(stream_id):
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"data on stream {stream_id}, which nobody began")
        if stream is not None:
            self._break(stream, ErrorCode.STREAM_CLOSED)
        elif stream_id not in self._reset_ids:
            self._count_reset()
            self.out.append(frames.rst_stream(stream_id, ErrorCode.STREAM_CLOSED))

    def _take_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "headers on stream 0")
        if flags & PADDED:
            payload = _unpadded(payload)
        if flags & PRIORITIZED:
            if len(payload) < 5:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "a HEADERS frame ends within its priority")
            if int.from_bytes(payload[:4], "big") & MAX_ID == stream_id:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} depends on itself")
            payload = payload[5:]
        if flags & END_HEADERS:
            self._take_block(flags, stream_id, payload)
        else:
            self._block = _Block(stream_id, flags, payload)
            self._only = CONTINUATION

    def _take_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        block = self._block
        if block is None or block.stream_id != stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a CONTINUATION frame that continues nothing")
        block.pieces.append(payload)
        block.size += len(payload)
        if block.size > self.options.header_bytes or len(block.pieces) > self.options.continuations:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "a header block in too many or too large pieces")
        if flags & END_HEADERS:
            self._block = None
            self._only = -1
            self._take_block(block.flags, stream_id, b"".join(block.pieces))

    def _take_block(self, flags: int, stream_id: int, payload: bytes) -> None:
        block = self._decoder.decode(payload)
        ends = bool(flags & END_STREAM)
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self._begin(stream_id)
            if stream is None:
                return
        elif stream.is_peer_done:
            self._break(stream, ErrorCode.STREAM_CLOSED)
            return
        elif not self.is_client and not ends:
            self._break(stream, ErrorCode.PROTOCOL_ERROR)  # Trailers are the end.
            return
        if ends:
            stream.is_peer_done = True
            if stream.is_done:
                self.streams.pop(stream_id, None)
        self.on_headers(stream, block, ends=ends)

    def _begin(self, stream_id: int) -> Stream | None:
        """The stream of a request, or None if it is not to be looked at."""
        if stream_id in self._reset_ids:
            return None
        if self.is_client or not stream_id & 1:
            if self.is_client and not self._is_idle(stream_id):
                return None  # A late answer to what we have given up long ago.
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} is not the peer's to begin")
        if stream_id <= self.last_id:
            raise ConnectionFailed(ErrorCode.STREAM_CLOSED, f"stream {stream_id} is over or came too late")
        if self.has_said_goaway:
            self._remember_reset(stream_id)  # What belongs to it is read over too.
            return None
        self.last_id = stream_id
        if len(self.streams) >= self.options.streams:
            self._count_reset()
            self._remember_reset(stream_id)
            self.out.append(frames.rst_stream(stream_id, ErrorCode.REFUSED_STREAM))
            return None
        stream = self.streams[stream_id] = self.make_stream(stream_id)
        return stream

    def _take_priority(self, flags: int, stream_id: int, payload: bytes) -> None:  # noqa: ARG002 (one shape for all)
        if not stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a priority for stream 0")
        if len(payload) != 5 or int.from_bytes(payload[:4], "big") & MAX_ID == stream_id:
            code = ErrorCode.FRAME_SIZE_ERROR if len(payload) != 5 else ErrorCode.PROTOCOL_ERROR
            stream = self.streams.get(stream_id)
            if stream is None:
                raise ConnectionFailed(code, "a PRIORITY frame that cannot be right")
            self._break(stream, code)
            return
        self._count_idle()

    def _take_reset(self, flags: int, stream_id: int, payload: bytes) -> None:  # noqa: ARG002
        if len(payload) != 4:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "a RST_STREAM frame that is not four bytes long")
        if self._is_idle(stream_id):
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"a reset of stream {stream_id}, which nobody began")
        stream = self.streams.get(stream_id)
        if stream is None:
            self._count_idle()
            return
        self._count_reset()
        self._drop(stream)
        self.on_reset(stream, int.from_bytes(payload, "big"), by_peer=True)

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "settings for one stream")
        if self._only >= 0 and flags & ACK:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "the connection begins with an acknowledgement")
        if len(payload) % 6 or (flags & ACK and payload):
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "a SETTINGS frame of a wrong length")
        self._count_idle()
        self._only = -1
        if flags & ACK:
            return
        for at in range(0, len(payload), 6):
            self._apply(int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big"))
        self.out.append(frames.frame(frames.SETTINGS, ACK, 0))
        self.pump()
        self.on_settings()

    def _apply(self, key: int, value: int) -> None:
        if key == Setting.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW or not self.resize_windows(value, self.streams):
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
        elif key == Setting.MAX_FRAME_SIZE:
            if not frames.DEFAULT_FRAME <= value <= frames.MAX_FRAME:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"a frame size of {value} bytes")
            self.peer_frame = value
        elif key == Setting.MAX_CONCURRENT_STREAMS:
            if self.is_client:
                self.peer_streams = value
        elif key == Setting.HEADER_TABLE_SIZE:
            if value < 4096:
                self.empty_table()
        elif key == Setting.ENABLE_PUSH and (value > 1 or (value and self.is_client)):
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"a wish for pushes of {value}")

    def _take_push(self, flags: int, stream_id: int, payload: bytes) -> None:  # noqa: ARG002
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "pushes are not taken")

    def _take_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a ping on a stream")
        if len(payload) != 8:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "a ping that is not eight bytes long")
        if flags & ACK:
            self.on_ping_ack(payload)
        else:
            self._count_idle()
            self.out.append(frames.frame(frames.PING, ACK, 0, payload))

    def _take_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:  # noqa: ARG002
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a farewell on a stream")
        if len(payload) < 8:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "a GOAWAY frame that is too short")
        self._count_idle()
        last_id = int.from_bytes(payload[:4], "big") & MAX_ID
        self.on_goaway(last_id, int.from_bytes(payload[4:8], "big"), payload[8:])

    def _take_window(self, flags: int, stream_id: int, payload: bytes) -> None:  # noqa: ARG002
        if len(payload) != 4:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "a WINDOW_UPDATE frame that is not four bytes long")
        size = int.from_bytes(payload, "big") & MAX_WINDOW
        if not stream_id:
            if not size:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a window grows by nothing")
            self.peer_window += size
            if self.peer_window > MAX_WINDOW:
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window grows too large")
            self.pump()
            return
        if self._is_idle(stream_id):
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"a window for stream {stream_id}, which nobody began")
        stream = self.streams.get(stream_id)
        if stream is None:
            return
        stream.window += size
        if not size or stream.window > MAX_WINDOW:
            self._break(stream, ErrorCode.FLOW_CONTROL_ERROR if size else ErrorCode.PROTOCOL_ERROR)
        else:
            self.push(stream)

    # The ends of streams and of the connection.

    def _is_idle(self, stream_id: int) -> bool:
        """Whether nobody ever began it. Stream 0 counts as such."""
        if stream_id & 1 and not self.is_client:
            return stream_id > self.last_id and stream_id not in self._reset_ids
        return stream_id >= self.next_id or not stream_id & 1

    def _break(self, stream: Stream, code: ErrorCode) -> None:
        """The peer broke a rule on one stream."""
        self._count_reset()
        self.reset(stream, code)

    def _drop(self, stream: Stream) -> None:
        self.forget(stream)
        stream.is_done = stream.is_peer_done = True
        self.streams.pop(stream.id, None)

    def _remember_reset(self, stream_id: int) -> None:
        """Frames that were under way when we reset a stream are no mistake of the peer's."""
        if len(self._reset_ids) >= _REMEMBERED_RESETS:
            del self._reset_ids[next(iter(self._reset_ids))]
        self._reset_ids[stream_id] = None

    def _count_reset(self) -> None:
        self._resets += 1
        if self._resets > self.options.resets:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "streams are reset too often")

    def _count_idle(self) -> None:
        self._idle_frames += 1
        if self._idle_frames > self.options.idle_frames:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def _fail(self, error: ConnectionFailed) -> None:
        self.failure = error
        self._partial = b""
        self.say_goaway(code=error.code, words=str(error))


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a frame that is all padding")
    return payload[1 : len(payload) - payload[0]]


# By the number of the kind; functions rather than bound methods, so that a connection does not hold itself.
_TAKERS = (
    Connection._take_data,
    Connection._take_headers,
    Connection._take_priority,
    Connection._take_reset,
    Connection._take_settings,
    Connection._take_push,
    Connection._take_ping,
    Connection._take_goaway,
    Connection._take_window,
    Connection._take_continuation,
)
_KINDS = len(_TAKERS)
