"""How many requests a replica works on at once, for manifests that say so.

What is over the limit waits its turn, what is over the queue is refused at once with a time to come back: a client can
go elsewhere, and a queue that only grows helps nobody. Questions without a body (health, metadata, metrics) are never
held up.
"""

import math
from collections import deque
from collections.abc import Callable

from fairlead.errors import Overloaded
from fairlead.plan.model import Limits
from fairlead.protocols.exchange import Outgoing, Request, Response, ServerHandler, ServerReply
from fairlead.protocols.grpc import failure_of, is_grpc

Refuse = Callable[[int, str], Response]

_GRPC_QUESTIONS = ("/grpc.health.", "/grpc.reflection.")


class Limiter:
    """A handler around a worker's own."""

    def __init__(
        self, handler: ServerHandler, limits: Limits, refuse: Refuse, *, refused: Callable[[], None] = lambda: None
    ) -> None:
        self._handler = handler
        self._refused = refused
        self._limits = limits
        self._refuse = refuse
        self._running = 0
        self._waiting: deque[tuple[Request, ServerReply]] = deque()

    def __call__(self, request: Request, reply: ServerReply) -> None:
        """Take one request, now or in its turn."""
        if request.method in ("GET", "HEAD", "OPTIONS") or request.path.startswith(_GRPC_QUESTIONS):
            self._handler(request, reply)
        elif self._running < self._limits.concurrency:
            self._start(request, reply)
        elif len(self._waiting) < self._limits.waiting:
            self._waiting.append((request, reply))
        else:
            error = Overloaded(f"{len(self._waiting)} requests wait already, the most allowed", after_s=1.0)
            self._refused()
            if is_grpc(request.header(b"content-type")):
                reply(failure_of(error))
                return
            refused = self._refuse(error.http, str(error))
            line = b"Retry-After: %d\r\n" % math.ceil(error.after_s or 1)
            reply(refused._replace(headers=refused.headers + line))

    def _start(self, request: Request, reply: ServerReply) -> None:
        self._running += 1
        self._handler(request, _Held(reply, self._ended))

    def _ended(self) -> None:
        self._running -= 1
        while self._waiting and self._running < self._limits.concurrency:
            request, reply = self._waiting.popleft()
            if reply.is_wanted:
                self._start(request, reply)


class _Held(ServerReply):
    """A reply that gives its place back when the answer is out, or nobody waits for it."""

    def __init__(self, reply: ServerReply, ended: Callable[[], None]) -> None:
        self._reply = reply
        self._ended: Callable[[], None] | None = ended
        self.on_gone: Callable[[], None] | None = None
        reply.on_gone = self._gone

    def __call__(self, response: Response) -> None:
        self._reply(response)
        self._give_back()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for the answer."""
        return self._reply.is_wanted

    def begin(self, status: int, headers: bytes) -> Outgoing:
        """An answer in pieces; its place is free again when it ends."""
        return _HeldStream(self._reply.begin(status, headers), self._give_back)

    def _gone(self) -> None:
        if self.on_gone is not None:
            self.on_gone()
        self._give_back()

    def _give_back(self) -> None:
        if self._ended is not None:
            ended, self._ended = self._ended, None
            ended()


class _HeldStream:
    """An answer's body that tells when it ends."""

    def __init__(self, inner: Outgoing, ended: Callable[[], None]) -> None:
        self._inner = inner
        self._ended = ended

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
        self._inner.send(data)

    def end(self, trailers: bytes = b"") -> None:
        self._inner.end(trailers)
        self._ended()

    def abort(self) -> None:
        self._inner.abort()
        self._ended()
