"""A reply that tells how it went: for access logs and traces, which want to know of every answer and change none."""

from collections.abc import Callable
from typing import NamedTuple

from fairlead.protocols.exchange import Outgoing, Response, ServerReply

CLIENT_CLOSED = 499
"""What counts as the status when nobody waited for an answer."""


class Outcome(NamedTuple):
    """What was sent. `headers` are those of the answer with its trailers."""

    status: int
    headers: bytes
    sent_bytes: int


class WatchedReply(ServerReply):
    """`done` is called once: when the answer is out, or nobody waits for one. `lines` are added to its headers."""

    def __init__(self, reply: ServerReply, done: Callable[[Outcome], None], lines: bytes = b"") -> None:
        self._reply = reply
        self._done: Callable[[Outcome], None] | None = done
        self._lines = lines
        self.on_gone: Callable[[], None] | None = None
        reply.on_gone = self._gone

    def __call__(self, response: Response) -> None:
        if self._lines:
            response = response._replace(headers=response.headers + self._lines)
        self._reply(response)
        self.finish(Outcome(response.status, response.headers, len(response.body)))

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer."""
        return self._reply.is_wanted

    def begin(self, status: int, headers: bytes) -> Outgoing:
        """An answer in pieces."""
        return _WatchedStream(self._reply.begin(status, headers + self._lines), self, status, headers)

    def finish(self, outcome: Outcome) -> None:
        """It is over."""
        done, self._done = self._done, None
        if done is not None:
            done(outcome)

    def _gone(self) -> None:
        if self.on_gone is not None:
            self.on_gone()
        self.finish(Outcome(CLIENT_CLOSED, b"", 0))


class _WatchedStream:
    """An answer's body whose bytes are counted."""

    def __init__(self, inner: Outgoing, reply: WatchedReply, status: int, headers: bytes) -> None:
        self._inner = inner
        self._reply = reply
        self._status = status
        self._headers = headers
        self._sent_bytes = 0

    @property
    def is_full(self) -> bool:
        """As `Outgoing` has it."""
        return self._inner.is_full

    @property
    def when_free(self) -> Callable[[], None] | None:
        """As `Outgoing` has it."""
        return self._inner.when_free

    @when_free.setter
    def when_free(self, call: Callable[[], None] | None) -> None:
        self._inner.when_free = call

    def send(self, data: bytes) -> None:
        self._sent_bytes += len(data)
        self._inner.send(data)

    def end(self, trailers: bytes = b"") -> None:
        self._inner.end(trailers)
        self._reply.finish(Outcome(self._status, self._headers + trailers, self._sent_bytes))

    def abort(self) -> None:
        self._inner.abort()
        self._reply.finish(Outcome(502, self._headers, self._sent_bytes))
