"""Copies for shadows: sent and forgotten. The client never waits for one, and never learns how it went.

A copy is not worth waiting for: with no replica ready, or one that holds a queue's worth of requests already, it is
dropped and counted.
"""

from fairlead.backends.local.gateway.grpc_passage import is_fault
from fairlead.backends.local.gateway.link import Link, Source
from fairlead.backends.local.gateway.metering import Meter
from fairlead.backends.local.gateway.pool import Pool
from fairlead.backends.local.gateway.wheel import TimerWheel
from fairlead.protocols.exchange import Response

_PATIENCE_S = 60.0
"""A shadow that has not answered by then has failed; its answer must not be waited for until the end of time."""


class _Copy:
    """One copy on its way."""

    __slots__ = ("_bucket", "_id", "_link", "_meter", "body", "head")

    def __init__(self, head: bytes, body: bytes, *, meter: Meter, link: Link, wheel: TimerWheel) -> None:
        self.head = head
        self.body = body
        self._meter = meter
        self._link = link
        self._bucket = wheel.add(self, _PATIENCE_S)
        self._id = link.request(self)

    def arrived(self, response: Response) -> None:
        """The answer is dropped; whether it was one counts."""
        self._bucket.discard(self)
        if is_fault(response):
            self._meter.mirror_failures += 1

    def began(self, status: int, headers: bytes, source: Source) -> None:  # noqa: ARG002 (nobody reads them)
        """The answer comes in pieces, which go nowhere."""
        source.listen(lambda _: None, lambda: self.arrived(Response(status, source.trailers, b"")))

    def broken(self) -> None:
        """Its replica gave up on the answer."""
        self.lost(was_sent=True)

    def lost(self, *, was_sent: bool) -> None:  # noqa: ARG002 (a copy is not sent twice)
        """Its replica ended."""
        self._bucket.discard(self)
        self._meter.mirror_failures += 1

    def expire(self) -> None:
        """It takes too long."""
        self._link.cancel(self._id)
        self._meter.mirror_failures += 1


def send_copy(head: bytes, body: bytes, *, pool: Pool, meter: Meter, wheel: TimerWheel) -> None:
    """Send a copy of a request to a pool, if a replica can take it now."""
    meter.mirrored += 1
    link = pool.choose()
    if link is None or len(link.open) >= pool.wanted.queue_limit:
        meter.mirror_failures += 1
        return
    _Copy(head, body, meter=meter, link=link, wheel=wheel)
