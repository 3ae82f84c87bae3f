import asyncio
import socket

import pytest

from fairlead.dataplane.net.frame_link import FrameLink
from fairlead.protocols.frames import Frame, request_prefix
from support.loops import BOTH_LOOPS, LOOP_NAMES

pytestmark = pytest.mark.anyio


class Listening(FrameLink):
    """A link that remembers how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

    def take(self, frame: Frame) -> None: ...

    def lost(self, unsent: list[bytes]) -> None:
        self.unsent.set_result(unsent)


@pytest.mark.parametrize("anyio_backend", BOTH_LOOPS, ids=LOOP_NAMES)
async def test_what_is_written_to_a_peer_that_is_gone_counts_as_never_sent() -> None:
    ours, theirs = socket.socketpair()
    _, link = await asyncio.get_running_loop().create_connection(Listening, sock=ours)

    theirs.close()
    link.send(request_prefix(1, b"head", b"body"), b"head", b"body")
    unsent = await asyncio.wait_for(link.unsent, 10)

    assert len(unsent) == 1
