"""What may wait for a replica, and what may not."""

import pytest

from fairlead.backends.local.gateway.link import Link, Source
from fairlead.backends.local.gateway.pool import Pool
from fairlead.errors import FairleadError, Overloaded
from fairlead.plan import routing
from fairlead.protocols.exchange import Response

MIB = 1024 * 1024


class Request:
    """One that waits and does nothing else."""

    def __init__(self, size_bytes: int) -> None:
        self.head = b""
        self.body = bytes(size_bytes)
        self.waits = False

    def wait(self, limit_s: float) -> None:
        self.waits = True

    def depart(self, link: Link) -> None: ...
    def refuse(self, error: FairleadError) -> None: ...
    def move(self, pool: Pool) -> None: ...
    def arrived(self, response: Response) -> None: ...
    def began(self, status: int, headers: bytes, source: Source) -> None: ...
    def broken(self) -> None: ...
    def lost(self, *, was_sent: bool) -> None: ...


def test_large_bodies_that_wait_are_bounded_by_their_size_and_small_ones_by_their_number() -> None:
    pool = Pool("ns/m/main")
    pool.update(routing.Pool(queue_limit=4))
    first, second, small = Request(200 * MIB), Request(100 * MIB), Request(10)
    pool.submit(first)

    with pytest.raises(Overloaded) as caught:
        pool.submit(second)
    pool.submit(small)
    pool.withdraw(first)
    pool.submit(second)

    assert caught.value.after_s == 1.0
    assert (first.waits, second.waits, small.waits) == (True, True, True)
    assert pool.load.waiting == 2
