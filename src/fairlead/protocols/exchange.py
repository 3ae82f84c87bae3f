"""One request and its answer as the data plane passes them around, whatever carried them.

The HTTP server, the frame link between gateway and worker, and the tests all speak these types and one
callable, so a surface neither knows nor cares how a request arrived.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec

Headers = list[tuple[bytes, bytes]]
"""Lower-case names and values in the order they came. Read it; never change it: requests share it."""


class Head(msgspec.Struct, eq=False):
    """Everything of a request before its body, read once for all requests that repeat it byte for byte.

    `length` is the body's size, -1 when it comes in chunks. `connection` is the Connection line that an answer must
    carry: nothing for a client that stays as HTTP/1.1 clients do. `note` belongs to whoever handles the requests of
    the server that made this head: what was worked out from the head alone can stay there for the next request.
    `is_streamed` says that the body is handed over in pieces, because the server's owner asked for it. `takes_chunks`
    is false for HTTP/1.0, whose answers of unknown length end with the connection.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    length: int = 0
    keeps_alive: bool = True
    connection: bytes = b""
    expects_continue: bool = False
    note: Any = None
    is_streamed: bool = False
    takes_chunks: bool = True


Streams = Callable[[Head], bool]
"""Names the requests whose bodies a server's owner wants in pieces. Asked once for each head that is new."""


class Incoming(Protocol):
    """A request's body that is still on its way, in pieces."""

    def listen(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        """Hear every piece from the first on, and then the end. Called once. If the sender goes away, the end never
        comes and the reply's `on_gone` is called instead."""

    def pause(self) -> None:
        """Let the sender wait, as soon as what is under way has arrived."""

    def resume(self) -> None:
        """Let it go on."""


class Outgoing(Protocol):
    """An answer's body in pieces. Everything is called from the loop's thread."""

    when_free: Callable[[], None] | None

    @property
    def is_full(self) -> bool:
        """Whether the receiver is slow: stop until `when_free` is called."""

    def send(self, data: bytes) -> None:
        """Queue a piece. After the client has gone it does nothing."""

    def end(self, trailers: bytes = b"") -> None:
        """That was all. `trailers` are complete header lines, for transports that have them (HTTP/2)."""

    def abort(self) -> None:
        """It cannot be finished: cut it, so that the receiver does not take what it has for all there is."""


class Request(msgspec.Struct, eq=False):
    """A whole request, or (with `incoming`, then `body` is empty) one whose body comes in pieces, which servers hand
    over only for the heads their owner named. Header names are lower case; `path` has no query and is percent-decoded
    only where a surface asks for it; `body` is as sent (content encodings are not undone). `headers` may be shared with
    other requests: it is read, never changed. `head` is set by servers that keep heads."""

    # A msgspec struct because one is made per request: 0.1 us against 0.3 us for a class with __init__.
    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes
    head: Head | None = None
    incoming: Incoming | None = None

    def header(self, name: bytes, default: bytes = b"") -> bytes:
        """The first value of a header; `name` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return default


class Response(NamedTuple):
    """A whole answer. `headers` is a block of complete lines, each ending in CRLF, without Content-Length,
    Connection, Date and Transfer-Encoding, which belong to whoever writes it on a connection. Lines whose name starts
    with `grpc-` are a call's outcome: HTTP/2 sends them as trailers."""

    status: int
    headers: bytes
    body: bytes


Reply = Callable[[Response], None]
"""Called once, from the event loop's thread, at any time after the handler was entered. What else a reply can do, its
class says."""


_NO_SLOTS: tuple[str, ...] = ()  # those of the classes that are replies hold `on_gone`; some have a base with slots


class LiveReply:
    """A reply whose asker may leave before it is called. A handler may put a callable into `on_gone`: it is called if
    nobody waits for the answer any more."""

    # A plain class and no protocol, because replies are asked what they are on every request: 0.03 us against 0.5 us.
    __slots__ = _NO_SLOTS
    on_gone: Callable[[], None] | None

    def __call__(self, response: Response) -> None:
        raise NotImplementedError

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer, or the rest of it."""
        raise NotImplementedError


class ServerReply(LiveReply):
    """What our servers hand out: an answer to it may also come in pieces, with `begin` instead of the call."""

    __slots__ = _NO_SLOTS

    def begin(self, status: int, headers: bytes) -> Outgoing:
        """Send the head of an answer now and its body in pieces."""
        raise NotImplementedError


def is_wanted(reply: Reply) -> bool:
    """Whether somebody still waits for an answer, as far as the reply can tell."""
    return not isinstance(reply, LiveReply) or reply.is_wanted


def when_gone(reply: Reply, call: Callable[[], None]) -> None:
    """Have `call` called if nobody waits for the answer any more and the reply can tell."""
    if isinstance(reply, LiveReply):
        reply.on_gone = call


Handler = Callable[[Request, Reply], None]
"""Takes a request and must see to it that `reply` is called exactly once. It does not block."""
ServerHandler = Callable[[Request, ServerReply], None]
"""What a server asks: any `Handler`, or one that counts on a server's replies."""
