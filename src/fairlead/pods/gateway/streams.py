"""HTTP/2 to a pod: all calls over one connection, both bodies of each in pieces.

Calls that come before the pod has said how many it takes, or when it has as many, wait their turn here.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from fairlead.backends.local.gateway.link import Passenger
from fairlead.dataplane.net.h2_answers import read_lines
from fairlead.pods.gateway.exchanges import PodAnswer, header_lines
from fairlead.protocols import h2
from fairlead.protocols.exchange import Head, Headers, Response
from fairlead.protocols.h2_frames import MAX_ID, ErrorCode
from fairlead.protocols.h2_sending import Stream
from fairlead.protocols.hpack import HeaderBlock, encode

_FULL_BYTES = 64 * 1024
_FREE_BYTES = 16 * 1024


class Owner(Protocol):
    """The link that calls belong to."""

    def over(self, id: int) -> None: ...
    def calls_ended(self, connection: "Calls") -> None: ...


class Call(Stream):
    """One call from its headers to its outcome. It is the `Outgoing` of its request's body."""

    __slots__ = ("_calls", "_has_all", "_sent", "asked", "head", "is_full", "passenger", "source", "when_free")

    def __init__(self, calls: "Calls", asked: int, passenger: Passenger, head: Head) -> None:
        super().__init__(0, 0, 0)
        self._calls = calls
        self.asked = asked
        self.passenger = passenger
        self.head = head
        self.source: PodAnswer | None = None
        self.is_full = False
        self.when_free: Callable[[], None] | None = None
        self._sent: list[bytes] = []
        self._has_all = False

    def begun(self, id: int, credit: int, window: int) -> None:
        """It has a stream now: what was given before leaves."""
        self.id, self.credit, self.window = id, credit, window
        held, self._sent = self._sent, []
        for piece in held:
            self._calls.send(self, piece)
        if self._has_all:
            self._calls.send(self, b"", b"")

    def send(self, data: bytes) -> None:
        """Queue a piece."""
        if not data or self._has_all:
            return
        if not self.id:
            self._sent.append(data)
            self.is_full = True
            return
        self._calls.send(self, data)
        self.is_full = self.unsent_bytes > _FULL_BYTES
        self._calls.flush_soon()

    def end(self, trailers: bytes = b"") -> None:  # noqa: ARG002 (requests have none)
        """That was all."""
        if self._has_all:
            return
        self._has_all = True
        if self.id and self.id in self._calls.streams:
            self._calls.send(self, b"", b"")
            self._calls.flush_soon()

    def abort(self) -> None:
        """It will not be finished."""
        self._has_all = True
        self._calls.cancel(self)

    def has_room(self) -> None:
        """Some of what was queued has left."""
        if self.is_full and self.unsent_bytes < _FREE_BYTES:
            self.is_full = False
            if self.when_free is not None:
                self.when_free()


class Calls(h2.Connection, asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: Owner) -> None:
        super().__init__(is_client=True)
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._queued: deque[Call] = deque()
        self._is_greeted = False
        self._is_corked = False
        self._is_flush_due = False
        self._forgiven = self._loop.time()
        self.is_open = True

    def begin(self, id: int, passenger: Passenger, head: Head) -> Call:
        """Send a call as soon as the pod takes one; its body goes through what is given back."""
        call = Call(self, id, passenger, head)
        self._queued.append(call)
        self._fill()
        return call

    def cancel(self, call: Call) -> None:
        """Nobody waits for it any more."""
        if call in self._queued:
            self._queued.remove(call)
        elif call.id in self.streams:
            self.reset(call, ErrorCode.CANCEL)
            self.flush_soon()

    def close(self) -> None:
        """Hang up."""
        self.is_open = False
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def _fill(self) -> None:
        while self._queued and self._is_greeted and self.is_open and len(self.streams) < self.peer_streams:
            call = self._queued.popleft()
            id, self.next_id = self.next_id, self.next_id + 2
            self.is_open = self.next_id <= MAX_ID
            self.streams[id] = call
            call.id = id
            self.send_headers(call, encode(_headers(call.head)), ends=False)
            call.begun(id, self.options.stream_window, self.peer_initial_window)
            call.has_room()
        self.flush_soon()

    # The transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (all ends are one)
        self._transport = None
        self.is_open = False
        streams, self.streams = self.streams, {}
        waiting, self._queued = self._queued, deque()
        self._owner.calls_ended(self)
        for stream in streams.values():
            self.forget(stream)
            self._lose(cast(Call, stream), was_sent=True)
        for call in waiting:
            self._lose(call, was_sent=False)

    def data_received(self, data: bytes) -> None:
        self._is_corked = True
        self.feed(data)
        self._is_corked = False
        self._flush()
        now = self._loop.time()
        if now - self._forgiven > 1:
            self._forgiven = now
            self.forgive()
        if self.failure is not None:
            self.close()

    def pause_writing(self) -> None:
        self.hold()

    def resume_writing(self) -> None:
        self.release()
        self.flush_soon()

    # What the pod says.

    def make_stream(self, stream_id: int) -> Stream:
        raise AssertionError(f"a server began stream {stream_id}")  # The connection refuses that before.

    def on_headers(self, stream: Stream, block: HeaderBlock, *, ends: bool) -> None:
        call = cast(Call, stream)
        status = next((int(value) for name, value in block.headers if name == b":status"), 0)
        if 100 <= status < 200:
            return
        lines = header_lines([pair for pair in block.headers if pair[0] != b":status"])
        if call.source is None and ends:
            self._over(call)
            call.passenger.arrived(Response(status, lines, b""))
        elif call.source is None:
            source = call.source = PodAnswer()
            source.on_flow = lambda: self._flow(call, source)
            call.passenger.began(status, lines, source)
        elif ends:
            self._finish(call, lines)

    def on_data(self, stream: Stream, data: bytes, *, ends: bool) -> None:
        call = cast(Call, stream)
        if call.source is not None:
            call.source.feed(data)
        if ends:
            self._finish(call, b"")

    def on_reset(self, stream: Stream, code: ErrorCode | int, *, by_peer: bool) -> None:
        call = cast(Call, stream)
        if by_peer:
            self._owner.over(call.asked)
            self._lose(call, was_sent=code != ErrorCode.REFUSED_STREAM)
        self._fill()

    def on_goaway(self, last_id: int, code: int, words: bytes) -> None:  # noqa: ARG002 (the core's signature)
        self.is_open = False
        self._owner.calls_ended(self)
        unseen = [stream for id, stream in self.streams.items() if id > last_id]
        waiting, self._queued = self._queued, deque()
        for stream in unseen:
            self._drop(stream)
        for call in (*(cast(Call, stream) for stream in unseen), *waiting):
            self._lose(call, was_sent=False)

    def on_settings(self) -> None:
        self._is_greeted = True
        self._fill()

    def on_sent(self, stream: Stream) -> None:
        self.close_if_done(stream)

    def on_room(self, stream: Stream) -> None:
        cast(Call, stream).has_room()

    def _flow(self, call: Call, source: PodAnswer) -> None:
        if source.is_waiting:
            call.is_paused = True
        elif call.id in self.streams:
            self.resume(call)
            self.flush_soon()

    def _finish(self, call: Call, trailers: bytes) -> None:
        source = call.source
        if source is None:
            return
        self._over(call)
        source.trailers = trailers
        source.finish()

    def _over(self, call: Call) -> None:
        """It is answered, whatever more its client has to say."""
        if not call.is_done:
            self.reset(call, ErrorCode.NO_ERROR)
        self._owner.over(call.asked)
        self._fill()

    def _lose(self, call: Call, *, was_sent: bool) -> None:
        self._owner.over(call.asked)
        if call.source is not None:
            call.passenger.broken()
        else:
            call.passenger.lost(was_sent=was_sent)

    def flush_soon(self) -> None:
        """Write at the end of this turn, unless bytes are being read: that ends with a write."""
        if not self._is_corked and not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._transport is not None and not self._transport.is_closing() and self.out:
            self._transport.writelines(self.take_out())


def _headers(head: Head) -> Headers:
    authority = next((value for name, value in head.headers if name == b"host"), b"")
    path = head.path.encode("latin-1") + (b"?" + head.query if head.query else b"")
    first = [(b":method", head.method.encode("ascii")), (b":scheme", b"http"), (b":path", path)]
    if authority:
        first.append((b":authority", authority))
    lines = b"".join(b"%b: %b\r\n" % pair for pair in head.headers if pair[0] not in (b"host", b"te"))
    return [*first, *read_lines(lines), (b"te", b"trailers")]
