"""Calls to a gRPC peer (a container, another service) over one multiplexed connection: bytes in and bytes out.

The connection is made by the first call, and again after it was lost. A call is sent a second time only when the peer
cannot have seen it: nobody listened, its stream came after the peer's farewell, or the peer refused the stream
unprocessed. Failures carry the sentences of Go's gRPC client, as clients of Seldon's orchestrator know them. There
are no pings: a connection on which a call's whole time passed in silence gets no further calls.
"""

import asyncio
import errno
import logging
import math
import os
from collections import deque

from fairlead.dataplane.graph.remote import PeerFailed
from fairlead.dataplane.net.grpc_link import GrpcAnswer, PeerCall, PeerConnection
from fairlead.dataplane.net.h2_deadlines import Deadlines
from fairlead.errors import FairleadError, GrpcCode
from fairlead.protocols.grpc import (
    GRPC,
    code_of,
    code_of_http,
    read_message,
    unquote_message,
    write_metadata,
)
from fairlead.protocols.h2_frames import ErrorCode
from fairlead.protocols.hpack import encode

__all__ = ["GrpcAnswer", "GrpcPeer", "PeerCall"]

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_PAUSE_S = 0.05
_SENDS = 7
_REFUSED_PAUSE_S = 0.005
_CONNECT_S = 10.0
_KEPT_STARTS = 256
_EARLY_S = 0.02
_DEADLINE = "context deadline exceeded"


class GrpcPeer:
    """One peer's address. All calls must come from the loop's thread."""

    def __init__(self, host: str, port: int, *, limit_bytes: int) -> None:
        self._host = host
        self._port = port
        self._limit_bytes = limit_bytes
        self._connection: PeerConnection | None = None
        self._all: set[PeerConnection] = set()
        self._calls: set[PeerCall] = set()
        self._waiting: deque[PeerCall] = deque()
        self._connecting: asyncio.Task[None] | None = None
        self._deadlines = Deadlines()
        self._starts: dict[str, bytes] = {}

    def call(self, path: str, metadata: list[tuple[bytes, bytes]], message: bytes, timeout_s: float | None) -> PeerCall:
        """Call a method by its path (`/package.Service/Method`) with one message. `metadata` has `-bin` values as
        they are, not in base64. The timeout covers everything from here to the answer."""
        block = self._start(path)
        if metadata:
            block += encode(write_metadata(metadata))
        call = PeerCall(self, path, block, message)
        self._calls.add(call)
        if timeout_s is not None:
            call.due = asyncio.get_running_loop().time() + timeout_s
            self._deadlines.watch(self, call.due)
        self._enter(call)
        return call

    def close(self) -> None:
        """Drop every connection; calls under way fail."""
        for call in list(self._calls):
            self.give_up(call, GrpcCode.CANCELLED, "the worker is stopping")
        if self._connecting is not None:
            self._connecting.cancel()
        self._deadlines.forget(self)
        for connection in list(self._all):
            connection.close()
        self._all.clear()
        self._connection = None

    # What connections and calls report.

    def settle(self, call: PeerCall) -> None:
        """A call's answer is whole."""
        try:
            answer = self._read(call)
        except FairleadError as error:
            self.fail(call, GrpcCode.INTERNAL, str(error))
            return
        now = asyncio.get_running_loop().time()
        if answer.code is GrpcCode.DEADLINE_EXCEEDED and call.due and now > call.due - _EARLY_S:
            # Both ends watch the same deadline; which of them is first must not matter.
            self.fail(call, GrpcCode.DEADLINE_EXCEEDED, _DEADLINE)
            return
        self._calls.discard(call)
        _resume(call, answer, None)

    def fail(self, call: PeerCall, code: GrpcCode, words: str) -> None:
        """A call gets no answer."""
        self._calls.discard(call)
        if not call.is_settled:
            error = PeerFailed(f"{call.what} at {self._host}:{self._port}: {words}")
            error.grpc = code
            _resume(call, None, error)

    def give_up(self, call: PeerCall, code: GrpcCode, words: str) -> None:
        """We want no answer any more."""
        if call.is_settled:
            return
        self.fail(call, code, words)
        self.withdraw(call)

    def withdraw(self, call: PeerCall) -> None:
        """Tell the peer that a call, which is settled, need not be answered."""
        self._calls.discard(call)
        stream = call.stream
        if stream is not None and stream.id in stream.connection.streams:
            stream.connection.reset(stream, ErrorCode.CANCEL)
            stream.connection.flush_soon()

    def send_again(self, call: PeerCall, words: str, *, is_paused: bool = False) -> None:
        """The peer has certainly not looked at this call."""
        call.restart()
        call.attempts += 1
        if call.attempts >= _SENDS:
            self.fail(call, GrpcCode.UNAVAILABLE, words)
        elif is_paused:
            pause_s = _REFUSED_PAUSE_S * 2**call.attempts
            asyncio.get_running_loop().call_later(pause_s, self._enter, call)
        else:
            self._enter(call)

    def forget(self, connection: PeerConnection) -> None:
        """No further calls on this connection."""
        if self._connection is connection:
            self._connection = None
            if self._waiting:
                self._connect()
        if not connection.streams:
            self._all.discard(connection)

    def fill(self, connection: PeerConnection) -> None:
        """Begin the calls that waited, as far as the peer allows."""
        waiting = self._waiting
        while waiting and connection.has_room:
            call = waiting.popleft()
            if not call.is_settled:
                connection.begin(call)
        if waiting and not connection.is_open:
            self.forget(connection)

    def expire(self, now: float) -> float:
        """End the calls whose time is up; when the next one's is."""
        earliest = math.inf
        for call in list(self._calls):
            if not call.due:
                continue
            if call.due > now:
                earliest = min(earliest, call.due)
                continue
            stream = call.stream
            self.give_up(call, GrpcCode.DEADLINE_EXCEEDED, _DEADLINE)
            if stream is not None and stream.connection.heard == call.heard:
                self.forget(stream.connection)
                stream.connection.stop()
        return earliest

    # Connecting.

    def _enter(self, call: PeerCall) -> None:
        if call.is_settled:
            return
        connection = self._connection
        if connection is not None and connection.has_room and not self._waiting:
            connection.begin(call)
            return
        self._waiting.append(call)
        if connection is None or not connection.is_open:
            self._connect()

    def _connect(self) -> None:
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._open())
            self._connecting.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting = None
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            waiting, self._waiting = self._waiting, deque()
            words = f'connection error: desc = "transport: Error while dialing: {self._dial_words(error)}"'
            for call in waiting:
                self.fail(call, GrpcCode.UNAVAILABLE, words)
        elif self._connection is not None:
            self.fill(self._connection)
        elif self._waiting:
            self._connect()

    async def _open(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with asyncio.timeout(_CONNECT_S):
                    connection = await self._greet()
            except ConnectionRefusedError:
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(attempt * _PAUSE_S)  # A container that starts again is back in a moment.
            else:
                self._connection = connection if connection.is_open else None
                return

    async def _greet(self) -> PeerConnection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: PeerConnection(self, self._limit_bytes), self._host, self._port
        )
        self._all.add(connection)
        try:
            await connection.greeted
        except BaseException:
            connection.close()
            self._all.discard(connection)
            raise
        return connection

    def _dial_words(self, error: BaseException) -> str:
        if isinstance(error, EOFError):
            return str(error)
        if isinstance(error, TimeoutError):
            return f"dial tcp {self._host}:{self._port}: i/o timeout"
        code = getattr(error, "errno", None)
        if code in errno.errorcode and code is not None:
            return f"dial tcp {self._host}:{self._port}: connect: {os.strerror(code).lower()}"
        return f"dial tcp: lookup {self._host}: {error}"

    def _start(self, path: str) -> bytes:
        """The headers that all calls of a method share."""
        block = self._starts.get(path)
        if block is None:
            if len(self._starts) >= _KEPT_STARTS:
                self._starts.clear()
            block = self._starts[path] = encode(
                [
                    (b":method", b"POST"),
                    (b":scheme", b"http"),
                    (b":path", path.encode()),
                    (b":authority", f"{self._host}:{self._port}".encode()),
                    (b"te", b"trailers"),
                    (b"content-type", GRPC),
                    (b"grpc-accept-encoding", b"identity,deflate,gzip"),
                ]
            )
        return block

    def _read(self, call: PeerCall) -> GrpcAnswer:
        headers = call.headers
        found = dict(headers)
        number = found.get(b"grpc-status")
        if number is None:
            status = found.get(b":status", b"")
            http = int(status) if status.isdigit() else 0
            code = code_of_http(http)
            words = (
                f"unexpected HTTP status code received from server: {http}" if http != 200 else "no grpc-status came"
            )
            return GrpcAnswer(code, words, b"", headers)
        code = code_of(number)
        message = unquote_message(found.get(b"grpc-message", b""))
        if code is not GrpcCode.OK:
            return GrpcAnswer(code, message, b"", headers)
        encoding = found.get(b"grpc-encoding", b"")
        body = read_message(b"".join(call.pieces), encoding=encoding, limit_bytes=self._limit_bytes)
        return GrpcAnswer(code, message, body, headers)


def _resume(call: PeerCall, answer: GrpcAnswer | None, error: Exception | None) -> None:
    """Settle a call. What goes on from there is no business of the connection, nor are its mistakes."""
    try:
        call.settle(answer, error)
    except Exception:
        log.exception("what waited for %s failed", call.what)
