"""Requests that wait for the first replica, and those that wait for a place at one."""

import asyncio
import json
from dataclasses import replace

import pytest

from fairlead.plan.routing import Endpoint, Pool
from support.gateways import Bench, Worker, bench, service, until
from support.wire import Wire, post, wire_to

pytestmark = pytest.mark.anyio

ASK = post("/seldon/ns/iris/x")


def pool_of(
    *workers: Worker, wait_s: float = 5.0, queue_limit: int = 100, replica_limit: int = 100, each: int = 0
) -> Pool:
    return Pool(
        endpoints=tuple(worker.endpoint for worker in workers),
        wait_s=wait_s,
        queue_limit=queue_limit,
        replica_limit=replica_limit,
        replica_queue_limit=each,
        protocol="v2",
    )


def waiting(made: Bench) -> int:
    return sum(serving.pool.load.waiting for serving in made.gateway.switchboard.servings.values())


async def serve(made: Bench, pool: Pool, *, timeout_s: float | None = None) -> None:
    await made.serve(service("iris", {"default": pool}, timeout_s=timeout_s))


async def answers(wire: Wire, count: int) -> list[str]:
    return [(await wire.receive()).body.decode() for _ in range(count)]


async def test_those_who_wait_are_shared_out_over_all_replicas_that_come_together() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await serve(made, pool_of())
        await wire.send(ASK * 12)
        await until(lambda: waiting(made) == 12)
        workers = [await made.worker(name) for name in "abc"]

        await serve(made, pool_of(*workers))

        assert sorted(await answers(wire, 12)) == [*"aaaabbbbcccc"]


async def test_a_replica_that_cannot_be_reached_keeps_nobody_from_the_one_that_can() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await serve(made, pool_of())
        await wire.send(ASK * 3)
        await until(lambda: waiting(made) == 3)
        worker = await made.worker("w")
        pool = pool_of(worker)
        nobody = Endpoint(replica="n", frames=str(made.folder / "n.sock"))

        await made.serve(service("iris", {"default": replace(pool, endpoints=(*pool.endpoints, nobody))}))

        assert await answers(wire, 3) == ["w", "w", "w"]


async def test_a_replica_never_holds_more_than_its_limit_and_the_order_is_kept() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        worker = await made.worker("w")
        worker.holds = True
        await serve(made, pool_of(worker, replica_limit=1))
        await wire.send(b"".join(post(f"/seldon/ns/iris/{turn}") for turn in range(5)))

        for turn in range(5):
            await until(lambda: len(worker.held) == 1)
            assert [request.path for request in worker.requests] == [f"/{done}" for done in range(turn + 1)]
            assert waiting(made) == 4 - turn
            worker.held.pop()(worker.answer())

        assert await answers(wire, 5) == ["w"] * 5


async def test_each_replica_has_a_queue_of_its_own_once_there_are_some() -> None:
    async with bench() as made, wire_to(made.port) as wire, wire_to(made.port) as late:
        workers = [await made.worker(name) for name in "ab"]
        for worker in workers:
            worker.holds = True
        await serve(made, pool_of(*workers, replica_limit=1, each=2))
        await wire.send(ASK * 6)
        await until(lambda: waiting(made) == 4)

        refused = await late.ask(ASK)

        assert (refused.status, json.loads(refused.body)) == (503, {"error": "pending request queue full"})
        assert refused.headers["retry-after"] == "1"


async def test_what_waits_for_the_first_replica_is_bounded_too() -> None:
    async with bench() as made, wire_to(made.port) as wire, wire_to(made.port) as late:
        await serve(made, pool_of(queue_limit=2, each=1))
        await wire.send(ASK * 2)
        await until(lambda: waiting(made) == 2)

        refused = await late.ask(ASK)

        assert (refused.status, json.loads(refused.body)) == (503, {"error": "pending request queue full"})


async def test_who_waits_too_long_for_the_first_replica_is_told_so() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await serve(made, pool_of(wait_s=0.05))

        answer = await wire.ask(ASK)

        assert (answer.status, json.loads(answer.body)) == (504, {"error": "activator request timeout"})
        assert waiting(made) == 0


async def test_who_waits_too_long_for_an_answer_or_a_place_is_told_so() -> None:
    async with bench() as made, wire_to(made.port) as first, wire_to(made.port) as second:
        worker = await made.worker("w")
        worker.holds = True
        await serve(made, pool_of(worker, replica_limit=1, wait_s=0.1), timeout_s=0.2)
        await first.send(ASK)
        await until(lambda: len(worker.held) == 1)

        queued = await second.ask(ASK)
        held = await first.receive()

    for answer in (queued, held):
        assert (answer.status, json.loads(answer.body)) == (504, {"error": "request timeout"})


async def test_a_replica_that_dies_as_it_comes_costs_only_what_it_was_sent() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await serve(made, pool_of())
        await wire.send(ASK * 3)
        await until(lambda: waiting(made) == 3)
        doomed = await made.worker("doomed")
        doomed.holds = True
        await serve(made, pool_of(doomed, replica_limit=1))
        await until(lambda: len(doomed.held) == 1)

        await doomed.die()
        lost = await wire.receive()
        assert waiting(made) == 2
        worker = await made.worker("w")
        await serve(made, pool_of(worker, replica_limit=1))

        assert lost.status == 502
        assert await answers(wire, 2) == ["w", "w"]


async def test_requests_that_come_while_others_are_shared_out_do_not_overtake_them() -> None:
    async with bench() as made, wire_to(made.port) as first, wire_to(made.port) as second:
        await serve(made, pool_of())
        await first.send(post("/seldon/ns/iris/1"))
        await until(lambda: waiting(made) == 1)
        worker = await made.worker("w")

        await serve(made, pool_of(worker))
        await asyncio.gather(first.receive(), second.ask(post("/seldon/ns/iris/2")))

        assert [request.path for request in worker.requests] == ["/1", "/2"]


@pytest.mark.parametrize("is_ready", [True, False])
async def test_who_waits_for_a_revision_that_is_replaced_is_served_by_the_next(is_ready: bool) -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await made.serve(service("iris", {"first": pool_of()}))
        await wire.send(b"".join(post(f"/seldon/ns/iris/{turn}") for turn in range(3)))
        await until(lambda: waiting(made) == 3)
        worker = await made.worker("w")

        await made.serve(service("iris", {"second": pool_of(worker) if is_ready else pool_of()}))
        await until(lambda: waiting(made) == (0 if is_ready else 3))
        await made.serve(service("iris", {"second": pool_of(worker)}))

        assert await answers(wire, 3) == ["w"] * 3
        assert [request.path for request in worker.requests] == ["/0", "/1", "/2"]


@pytest.mark.parametrize("refusal", ["", "first is scaled to zero replicas"])
async def test_who_waits_where_no_requests_go_any_more_is_served_where_they_go(refusal: str) -> None:
    async with bench() as made, wire_to(made.port) as wire:
        waking = {"first": pool_of(), "second": pool_of()}
        await made.serve(service("iris", waking, weights={"first": 100, "second": 0}))
        await wire.send(b"".join(post(f"/seldon/ns/iris/{turn}") for turn in range(3)))
        await until(lambda: waiting(made) == 3)

        # A roll-back that is taken back at once: the old revision is still in the table, and then it is not.
        kept = {"first": replace(pool_of(), refusal=refusal), "second": pool_of()}
        await made.serve(service("iris", kept, weights={"second": 100}))
        await made.serve(service("iris", {"second": pool_of()}))
        worker = await made.worker("w")
        await made.serve(service("iris", {"second": pool_of(worker)}))

        assert await answers(wire, 3) == ["w"] * 3


async def test_who_waits_for_a_service_that_is_removed_is_told_so() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await made.serve(service("iris", {"first": pool_of()}))
        await wire.send(ASK)
        await until(lambda: waiting(made) == 1)

        await made.serve()
        answer = await wire.receive()

        assert (answer.status, json.loads(answer.body)) == (503, {"error": "ns/iris/first was removed"})
