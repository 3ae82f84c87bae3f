import asyncio
from collections.abc import Iterator

import pytest

from fairlead.backends.local import rpc
from fairlead.backends.local.client import SupervisorClient
from fairlead.backends.local.home import Home
from fairlead.errors import Conflict, NotReady
from fairlead.plan.status import ReplicaState
from support.supervising import replica_spec, short_home, supervisor, watched

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def home() -> Iterator[Home]:
    with short_home() as home:
        yield home


async def test_without_a_supervisor_calls_say_so(home: Home) -> None:
    async with SupervisorClient(home.supervisor_socket) as client:
        with pytest.raises(NotReady, match="the supervisor does not answer"):
            await client.kill("one")


async def test_a_client_that_was_there_first_connects_and_connects_again(home: Home) -> None:
    async with SupervisorClient(home.supervisor_socket) as client:
        changes = client.changes()
        for _ in range(2):
            async with supervisor(home):
                async with asyncio.timeout(20):
                    listing = await anext(changes)
                assert listing == rpc.Listing(id=listing.id, replicas=[]) if isinstance(listing, rpc.Listing) else False
                with pytest.raises(Conflict, match="there is no replica one"):
                    await client.kill("one")


async def test_bytes_that_make_no_sense_end_the_connection_and_nothing_else(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        reader, writer = await asyncio.open_unix_connection(home.supervisor_socket)
        writer.write(rpc.frame(b"nonsense"))
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await seen.client.start(replica_spec(home, "one"))

        await seen.until_state("one", ReplicaState.READY)
