"""One request on its way through the gateway: waiting, at a replica, answered.

Whatever ends it ends it once: an answer, the death of its replica, its deadline, or its client going away. An answer
that comes in pieces is passed on as it comes; from then on all that can be done about a failure is to cut it.
"""

from collections.abc import Callable

from fairlead.backends.local.gateway.link import Link, Source
from fairlead.backends.local.gateway.metering import Meter
from fairlead.backends.local.gateway.pool import Pool
from fairlead.backends.local.gateway.pouring import pour
from fairlead.backends.local.gateway.refusals import lateness, refusal, refusal_of
from fairlead.backends.local.gateway.trails import Trail
from fairlead.backends.local.gateway.wheel import Bucket, TimerWheel
from fairlead.errors import FairleadError, NotReady
from fairlead.protocols.exchange import Incoming, Outgoing, Response, ServerReply

CLIENT_CLOSED = 499
"""What is counted for a request whose client went away; nobody receives it."""

_RETRIED = frozenset({502, 503, 504})
_NO_TIME_S = 0.005


class Passage:
    """Implements what links, pools and the wheel ask of a request. `clock` is the loop's. With `incoming` the body
    follows in pieces; such a request is never sent twice."""

    __slots__ = (
        "_bucket",
        "_clock",
        "_id",
        "_incoming",
        "_link",
        "_meter",
        "_out",
        "_pool",
        "_reply",
        "_retries",
        "_started",
        "_timeout_s",
        "_trail",
        "_waits",
        "_wheel",
        "body",
        "head",
    )

    def __init__(
        self,
        reply: ServerReply,
        head: bytes,
        body: bytes,
        *,
        pool: Pool,
        meter: Meter,
        wheel: TimerWheel,
        clock: Callable[[], float],
        timeout_s: float | None,
        retries: int,
        incoming: Incoming | None = None,
        trail: Trail | None = None,
    ) -> None:
        self._trail = trail
        self._waits = False
        self.head = head
        self.body = body
        self._reply: ServerReply | None = reply
        self._pool = pool
        self._meter = meter
        self._wheel = wheel
        self._clock = clock
        self._started = started = clock()
        meter.begin(started)
        self._timeout_s = timeout_s
        self._retries = retries
        self._link: Link | None = None
        self._id = 0
        self._bucket: Bucket | None = None
        self._incoming = incoming
        self._out: Outgoing | None = None

    def submit(self) -> None:
        """Send it, or let it wait, or refuse it."""
        try:
            self._pool.submit(self)
        except FairleadError as error:
            self.refuse(error)

    # What the pool calls.

    def depart(self, link: Link) -> None:
        """A replica is there for it."""
        if self._trail is not None:
            self._trail.departed(link.name, self._clock() - self._started, had_to_wait=self._waits)
        if self._timeout_s is not None:
            self._expire_after(self._left_s(self._timeout_s))
        elif self._bucket is not None:
            self._forget_deadline()
        self._link = link
        if self._incoming is None:
            self._id = link.request(self)
        else:
            self._id, sink = link.open_stream(self)
            pour(self._incoming, sink, sink.end)

    def wait(self, limit_s: float) -> None:
        """No replica is there now; `expire` is called if none comes."""
        self._waits = True
        left_s = limit_s if self._timeout_s is None else min(limit_s, self._left_s(self._timeout_s))
        self._expire_after(left_s)

    def move(self, pool: Pool) -> None:
        """What it waited for is gone, and this has its place."""
        self._pool = pool
        self.submit()

    def refuse(self, error: FairleadError) -> None:
        """It cannot be served."""
        self._finish(refusal_of(self._pool.wanted.protocol, error))

    # What the link calls.

    def arrived(self, response: Response) -> None:
        """The replica answered."""
        if response.status in _RETRIED and self._retries > 0 and self._incoming is None:
            self._try_again()
        else:
            self._finish(response)

    def began(self, status: int, headers: bytes, source: Source) -> None:
        """The replica answers in pieces."""
        reply = self._reply
        if reply is None:
            return
        if self._trail is not None:
            headers = self._trail.lines(headers)
        self._out = out = reply.begin(status, headers)

        def end() -> None:
            if self._reply is not None:
                self._close(self._outcome(status, source.trailers))
                out.end(source.trailers)

        pour(source, out, end)

    def broken(self) -> None:
        """The replica gave up on the answer that it had begun."""
        if self._reply is not None:
            self._fail(502, f"{self._pool.name}: the replica broke off its answer")

    def lost(self, *, was_sent: bool) -> None:
        """The connection to its replica ended. What never left may be sent elsewhere without asking."""
        if self._reply is None:
            return
        is_whole = self._incoming is None and self._out is None
        if not was_sent and is_whole:
            self._link = None
            self.submit()
        elif self._retries > 0 and is_whole:
            self._try_again()
        else:
            self._fail(502, f"{self._pool.name}: the replica that held this request ended before it answered")

    # What the wheel and the client's connection call.

    def expire(self) -> None:
        """Its time is up."""
        self._bucket = None
        if self._reply is None:
            return
        timeout_s, pool = self._timeout_s, self._pool
        is_late = timeout_s is not None and (self._link is not None or self._left_s(timeout_s) <= _NO_TIME_S)
        words = lateness(pool.wanted.protocol, has_replica=self._link is not None or pool.is_busy)
        self._withdraw()
        if is_late or words:
            self._fail(504, words or f"{pool.name} did not answer within {timeout_s:g} s")
        else:
            waited_s = self._clock() - self._started
            self.refuse(NotReady(f"{pool.why_not_ready()}; waited {waited_s:.1f} s", after_s=1.0))

    def client_gone(self) -> None:
        """Nobody waits for the answer."""
        if self._reply is not None:
            self._withdraw()
            self._close(self._gone())

    def _gone(self) -> int | str:
        """What a request counts as whose client went away."""
        return CLIENT_CLOSED

    def _try_again(self) -> None:
        self._retries -= 1
        self._link = None
        self.submit()

    def _withdraw(self) -> None:
        if self._link is not None:
            self._link.cancel(self._id)
        else:
            self._pool.withdraw(self)

    def _fail(self, status: int, message: str) -> None:
        """Answer with an error, or cut the answer that was begun."""
        if self._out is None:
            self._finish(refusal(self._pool.wanted.protocol, status, message))
            return
        self._close(status)
        self._out.abort()

    def _outcome(self, status: int, trailers: bytes) -> int | str:  # noqa: ARG002 (for answers that have some)
        """What a streamed answer counts as."""
        return status

    def _finish(self, response: Response) -> None:
        reply = self._reply
        if reply is not None:
            if self._trail is not None:
                response = self._trail.answered(response)
            self._close(response.status)
            reply(response)

    def _close(self, status: int | str) -> None:
        self._reply = None
        duration_s = self._clock() - self._started
        self._meter.count(status, self._started, duration_s)
        if self._trail is not None:
            self._trail.closed(status, duration_s)
        if self._bucket is not None:
            self._forget_deadline()

    def _left_s(self, timeout_s: float) -> float:
        return self._started + timeout_s - self._clock()

    def _expire_after(self, delay_s: float) -> None:
        self._forget_deadline()
        self._bucket = self._wheel.add(self, delay_s)

    def _forget_deadline(self) -> None:
        if self._bucket is not None:
            self._bucket.discard(self)
            self._bucket = None
