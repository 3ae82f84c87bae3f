"""Who leads: elections against the API server double, with clocks that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.connecting import connect, find_config
from fairlead.backends.kubernetes.operator.leading import Election
from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.operating import micro_clock
from support.cluster import Cluster, Fault, running_cluster
from support.operators import FOLLOWED, install, options, reconciles, running_operator, sdep, until

pytestmark = pytest.mark.anyio


class Clock:
    """Time passes when somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        yield running


Candidate = Callable[[str, Clock], Election]


@pytest.fixture
async def candidate(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Candidate]:
    async with _client(cluster, tmp_path) as api:

        def make(identity: str, clock: Clock) -> Election:
            return Election(
                api=api,
                namespace="default",
                name="lease",
                identity=identity,
                now=clock,
                clock=micro_clock,
                sleep=clock.sleep,
            )

        yield make


@asynccontextmanager
async def _client(cluster: Cluster, folder: Path) -> AsyncIterator[Api]:
    client = connect(find_config(cluster.write_kubeconfig(folder)), timeout_s=5.0)
    try:
        loop = asyncio.get_running_loop()
        yield Api(client, Bucket(1000.0, 1000, loop.time), Meter())
    finally:
        await client.aclose()


def holder(cluster: Cluster) -> str:
    return str(cluster.get("Lease", "lease")["spec"]["holderIdentity"])


async def test_the_first_one_leads_and_the_second_waits_until_the_lease_is_old(
    cluster: Cluster, candidate: Candidate
) -> None:
    clock = Clock()
    one, two = candidate("one", Clock()), candidate("two", clock)
    assert await one.attempt()
    assert not await two.attempt()

    clock.now_s += 14.9
    assert not await two.attempt()
    clock.now_s += 0.2
    assert await two.attempt()

    assert holder(cluster) == "two"
    assert cluster.get("Lease", "lease")["spec"]["leaseTransitions"] == 1


async def test_a_lease_that_is_renewed_does_not_grow_old(candidate: Candidate) -> None:
    clock = Clock()
    one, two = candidate("one", Clock()), candidate("two", clock)
    await one.attempt()
    for _ in range(5):
        assert not await two.attempt()
        clock.now_s += 10.0
        await one.attempt()
    assert not await two.attempt()


async def test_a_leader_that_cannot_renew_stops_before_anybody_else_may_lead(
    cluster: Cluster, candidate: Candidate
) -> None:
    clock = Clock()
    one = candidate("one", clock)
    await one.win()
    cluster.faults.add(Fault.UNAVAILABLE, kinds="Lease")
    began_s = clock.now_s

    await one.hold()

    assert 8.0 <= clock.now_s - began_s <= 12.0


async def test_a_leader_whose_lease_was_taken_stops_at_once(cluster: Cluster, candidate: Candidate) -> None:
    clock = Clock()
    one = candidate("one", clock)
    await one.win()
    lease = cluster.get("Lease", "lease")
    await cluster.replace({**lease, "spec": {**lease["spec"], "holderIdentity": "two"}})
    began_s = clock.now_s

    await one.hold()

    assert clock.now_s - began_s <= 2.0


async def test_a_lease_that_was_let_go_is_free_at_once(candidate: Candidate) -> None:
    one, two = candidate("one", Clock()), candidate("two", Clock())
    await one.win()

    await one.release()

    assert await two.attempt()


@pytest.mark.slow
async def test_one_of_two_operators_works_and_the_other_takes_over(cluster: Cluster) -> None:
    await install(cluster)
    elected = options(elects=True)
    async with AsyncExitStack() as first_ends, AsyncExitStack() as second_ends:
        first = await first_ends.enter_async_context(running_operator(cluster, FOLLOWED, elected))
        await cluster.create(sdep())
        await until(lambda: reconciles(first) >= 1)
        second = await second_ends.enter_async_context(running_operator(cluster, FOLLOWED, elected))
        await until(lambda: second.world().list("SeldonDeployment"))
        assert reconciles(second) == 0

        await first_ends.aclose()

        await until(lambda: reconciles(second) >= 1)
