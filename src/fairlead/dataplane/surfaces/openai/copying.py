"""Requests to OpenAI's endpoints and their answers, for whoever watches the graph (payload loggers): a stream is shown
whole, when it has ended. What failed is not shown, as of every other request."""

import uuid
from collections.abc import Callable, Sequence

from fairlead.dataplane.graph.executor import Watcher
from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.surfaces.openai.telling import GONE
from fairlead.errors import BadRequest
from fairlead.protocols.exchange import Outgoing, Reply, Request, Response, ServerReply
from fairlead.protocols.message import Message
from fairlead.protocols.openai_events import MEDIA_TYPE
from fairlead.protocols.wire import JSON, Body


class Copying:
    """Shows a request now, and its answer through a reply that it puts around another."""

    def __init__(self, watchers: Sequence[Watcher], request: Request) -> None:
        self._watchers = watchers
        self._walk = Walk(str(uuid.uuid4()).encode(), request.headers)
        body = Body(request.body, request.header(b"content-type") or JSON, request.header(b"content-encoding"))
        for watcher in watchers:
            watcher.request(_parcel(body), self._walk)

    def around(self, reply: Reply) -> Reply:
        """The reply to answer with."""
        return _Streaming(reply, self._answered) if isinstance(reply, ServerReply) else _Copied(reply, self._answered)

    def _answered(self, status: int, data: bytes, kind: bytes) -> None:
        if status == 200:
            for watcher in self._watchers:
                watcher.response(_parcel(Body(data, kind)), self._walk)


def _parcel(body: Body) -> Parcel:
    return Parcel(bytes_=body, read=_unreadable)


def _unreadable() -> Message:
    raise BadRequest("a request of OpenAI's API is no message of a graph")


Answered = Callable[[int, bytes, bytes], None]


class _Copied:
    """A reply that takes whole answers."""

    def __init__(self, reply: Reply, answered: Answered) -> None:
        self._reply = reply
        self._answered = answered

    def __call__(self, response: Response) -> None:
        self._reply(response)
        kind = MEDIA_TYPE if MEDIA_TYPE in response.headers else JSON
        self._answered(response.status, response.body, kind)


class _Streaming(ServerReply):
    """One that takes streams too."""

    def __init__(self, reply: ServerReply, answered: Answered) -> None:
        self._whole = _Copied(reply, answered)
        self._server = reply
        self._answered = answered
        self.on_gone: Callable[[], None] | None = None
        reply.on_gone = self._gone

    def __call__(self, response: Response) -> None:
        self._whole(response)

    @property
    def is_wanted(self) -> bool:
        """As `LiveReply` has it."""
        return self._server.is_wanted

    def begin(self, status: int, headers: bytes) -> Outgoing:
        """An answer in pieces, with a copy of everything."""
        return _CopiedStream(self._server.begin(status, headers), status, self._answered)

    def _gone(self) -> None:
        if self.on_gone is not None:
            self.on_gone()


class _CopiedStream:
    """As `Outgoing`, with a copy of everything."""

    def __init__(self, inner: Outgoing, status: int, answered: Answered) -> None:
        self._inner = inner
        self._status = status
        self._answered = answered
        self._pieces: list[bytes] = []

    @property
    def is_full(self) -> bool:
        return self._inner.is_full

    @property
    def when_free(self) -> Callable[[], None] | None:
        return self._inner.when_free

    @when_free.setter
    def when_free(self, call: Callable[[], None] | None) -> None:
        self._inner.when_free = call

    def send(self, data: bytes) -> None:
        self._pieces.append(data)
        self._inner.send(data)

    def end(self, trailers: bytes = b"") -> None:
        self._inner.end(trailers)
        self._answered(self._status, b"".join(self._pieces), MEDIA_TYPE)

    def abort(self) -> None:
        self._inner.abort()
        self._answered(GONE, b"", MEDIA_TYPE)
