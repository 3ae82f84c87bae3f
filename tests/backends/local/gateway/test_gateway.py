"""Requests through a gateway to workers, over real sockets."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from fairlead.plan.model import ComponentName, HeaderMatch, Route, Target
from fairlead.plan.routing import Endpoint, Pool
from fairlead.protocols.exchange import Response
from support.gateways import Bench, bench, pool, service, until
from support.loops import BOTH_LOOPS, LOOP_NAMES
from support.wire import Received, Wire, get, post, wire_to

pytestmark = pytest.mark.anyio


@pytest.fixture(params=BOTH_LOOPS, ids=LOOP_NAMES)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


async def ask(made: Bench, data: bytes) -> Received:
    async with wire_to(made.port) as wire:
        return await wire.ask(data)


def info(received: Received) -> str:
    """The sentence in a Seldon failure body."""
    body = json.loads(received.body)
    assert body["status"]["code"] == received.status
    assert body["status"]["status"] == "FAILURE"
    text = body["status"]["info"]
    assert isinstance(text, str)
    return text


def waiting(made: Bench) -> int:
    return sum(serving.pool.load.waiting for serving in made.gateway.switchboard.servings.values())


async def test_a_request_reaches_the_worker_with_its_path_rewritten_and_its_headers() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        answer = await ask(
            made,
            post(
                "/seldon/ns/iris/api/v1.0/predictions?q=1", b"{}", "Seldon-Puid: p", "Connection: X-Hop", "X-Hop: 1",
                "TE: trailers", "Keep-Alive: 5", "Upgrade: h2c", "Proxy-Authorization: x",
            ),
        )  # fmt: skip

    (request,) = worker.requests
    assert (answer.status, answer.headers["x-worker"], answer.body) == (200, "w", b"w")
    assert (request.method, request.path, request.query, request.body) == (
        "POST",
        "/api/v1.0/predictions",
        b"q=1",
        b"{}",
    )
    assert request.headers == [
        (b"host", b"localhost"),
        (b"seldon-puid", b"p"),
        (b"x-forwarded-prefix", b"/seldon/ns/iris"),
    ]


async def test_the_prefix_that_a_proxy_before_us_took_off_comes_first() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        await ask(made, get("/seldon/ns/iris/x", "X-Forwarded-Prefix: /outer/"))

    assert worker.requests[0].header(b"x-forwarded-prefix") == b"/outer/seldon/ns/iris"


@pytest.mark.parametrize(("weights", "expected"), [((75, 25), (75, 25)), ((100, 0), (100, 0)), ((1, 3), (25, 75))])
async def test_shares_are_exact(weights: tuple[int, int], expected: tuple[int, int]) -> None:
    async with bench() as made:
        main, canary = await made.worker("main"), await made.worker("canary")
        pools = {"main": pool(main), "canary": pool(canary)}
        await made.serve(service("iris", pools, weights={"main": weights[0], "canary": weights[1]}))

        async with wire_to(made.port) as wire:
            answers = Counter([(await wire.ask(post("/seldon/ns/iris/x"))).body for _ in range(100)])

    assert (answers[b"main"], answers[b"canary"]) == expected


async def test_a_canary_keeps_its_share_when_the_main_component_is_not_ready() -> None:
    async with bench() as made:
        canary = await made.worker("canary")
        pools = {"main": pool(wait_s=0), "canary": pool(canary)}
        await made.serve(service("iris", pools, weights={"main": 50, "canary": 50}))

        async with wire_to(made.port) as wire:
            answers = Counter([(await wire.ask(post("/seldon/ns/iris/x"))).status for _ in range(20)])

    assert answers == {200: 10, 503: 10}


async def test_shares_go_on_where_they_were_when_something_else_in_the_table_changes() -> None:
    async with bench() as made:
        main, canary = await made.worker("main"), await made.worker("canary")
        split = service("iris", {"main": pool(main), "canary": pool(canary)}, weights={"main": 9, "canary": 1})
        answers: Counter[bytes] = Counter()

        async with wire_to(made.port) as wire:
            for number in range(20):
                await made.serve(split, service(f"other-{number}", {"default": pool(main)}))
                answers[(await wire.ask(post("/seldon/ns/iris/x"))).body] += 1

    assert answers == {b"main": 18, b"canary": 2}


async def test_headers_choose_between_routes() -> None:
    async with bench() as made:
        one, two = await made.worker("one"), await made.worker("two")
        plain = Route(path_prefix="/m/", targets=(Target(component=ComponentName("one"), weight=1),))
        special = Route(
            path_prefix="/m/",
            headers=(HeaderMatch(name="X-Beta", value="yes"),),
            targets=(Target(component=ComponentName("two"), weight=1),),
        )
        await made.serve(service("m", {"one": pool(one), "two": pool(two)}, routes=(plain, special)))

        answers = [await ask(made, get("/m/")), await ask(made, get("/m/", "x-beta: yes"))]

    assert [answer.body for answer in answers] == [b"one", b"two"]


async def test_the_replica_with_fewer_open_requests_is_chosen() -> None:
    async with bench() as made:
        busy, free = await made.worker("busy"), await made.worker("free")
        busy.holds = free.holds = True
        await made.serve(service("iris", {"default": pool(busy, free)}))
        async with wire_to(made.port) as a, wire_to(made.port) as b:
            await a.send(get("/seldon/ns/iris/x"))
            await b.send(get("/seldon/ns/iris/x"))
            await until(lambda: len(busy.held) == len(free.held) == 1)
            free.release()
            answers = [(await ask(made, get("/seldon/ns/iris/x"))).body for _ in range(5)]

    assert answers == [b"free"] * 5


async def test_requests_wait_in_order_until_a_replica_is_ready() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool()}))
        async with wire_to(made.port) as wire:
            await wire.send(b"".join(get(f"/seldon/ns/iris/{number}") for number in range(5)))
            await until(lambda: waiting(made) == 5)
            worker = await made.worker("late")
            await made.serve(service("iris", {"default": pool(worker)}))
            answers = [await wire.receive() for _ in range(5)]

    assert [answer.status for answer in answers] == [200] * 5
    assert [request.path for request in worker.requests] == [f"/{number}" for number in range(5)]


async def test_an_endpoint_that_is_listed_before_it_listens_is_dialled_until_it_does() -> None:
    async with bench() as made:
        later = Endpoint(replica="later", frames=str(made.folder / "later.sock"))
        await made.serve(service("iris", {"default": Pool(endpoints=(later,), wait_s=5)}))
        async with wire_to(made.port) as wire:
            await wire.send(get("/seldon/ns/iris/x"))
            await until(lambda: waiting(made) == 1)
            await made.worker("later")
            answer = await wire.receive()

    assert answer.body == b"later"


@pytest.mark.slow
async def test_a_request_that_waited_in_vain_is_told_why() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool(wait_s=0.1)}))

        answer = await ask(made, get("/seldon/ns/iris/x"))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "ns/iris/default has no ready replica; waited 0.1 s" in info(answer)


async def test_a_pool_that_refuses_says_so_at_once_also_to_those_who_wait() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool()}))
        async with wire_to(made.port) as wire:
            await wire.send(get("/seldon/ns/iris/x"))
            await until(lambda: waiting(made) == 1)
            await made.serve(service("iris", {"default": pool(refusal="the model is corrupt")}))
            waited = await wire.receive()
            at_once = await wire.ask(get("/seldon/ns/iris/x"))

    assert (waited.status, at_once.status) == (503, 503)
    assert (info(waited), info(at_once)) == ("the model is corrupt", "the model is corrupt")


async def test_a_full_queue_is_overloaded() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool(queue_limit=2)}))
        async with wire_to(made.port) as waiters:
            await waiters.send(get("/seldon/ns/iris/1") + get("/seldon/ns/iris/2"))
            await until(lambda: waiting(made) == 2)
            answer = await ask(made, get("/seldon/ns/iris/3"))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "2 requests wait already" in info(answer)


@pytest.mark.slow
async def test_a_client_that_goes_away_leaves_the_queue() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool()}))
        async with wire_to(made.port) as wire:
            await wire.send(get("/seldon/ns/iris/x"))
            await until(lambda: waiting(made) == 1)
            wire.writer.transport.abort()

            await until(lambda: waiting(made) == 0)


@pytest.mark.slow
async def test_a_client_that_goes_away_cancels_its_request_at_the_worker() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        worker.holds = True
        await made.serve(service("iris", {"default": pool(worker)}))
        gone = asyncio.Event()
        async with wire_to(made.port) as wire:
            await wire.send(get("/seldon/ns/iris/x"))
            await until(lambda: bool(worker.held))
            setattr(worker.held[0], "on_gone", gone.set)  # noqa: B010 (a plain Reply has no such attribute)
            wire.writer.transport.abort()
            await asyncio.wait_for(gone.wait(), 5)


@pytest.mark.slow
async def test_a_route_with_a_timeout_answers_504_and_cancels() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        worker.holds = True
        await made.serve(service("iris", {"default": pool(worker)}, timeout_s=0.1))

        answer = await ask(made, get("/seldon/ns/iris/x"))
        worker.release()
        again = await ask(made, get("/seldon/ns/iris/x"))

    assert (answer.status, info(answer)) == (504, "ns/iris/default did not answer within 0.1 s")
    assert again.status == 200


@pytest.mark.slow
async def test_waiting_counts_towards_the_timeout() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool(wait_s=30)}, timeout_s=0.1))

        answer = await ask(made, get("/seldon/ns/iris/x"))

    assert answer.status == 504


async def test_a_worker_that_dies_fails_the_requests_it_held_and_the_next_go_elsewhere() -> None:
    async with bench() as made:
        doomed, other = await made.worker("doomed"), await made.worker("other")
        doomed.holds = other.holds = True
        await made.serve(service("iris", {"default": pool(doomed, other)}))
        async with wire_to(made.port) as a, wire_to(made.port) as b:
            await a.send(get("/seldon/ns/iris/x"))
            await b.send(get("/seldon/ns/iris/x"))
            await until(lambda: len(doomed.held) == len(other.held) == 1)
            await doomed.die()
            other.release()
            answers = [await a.receive(), await b.receive()]
            next_ones = [(await a.ask(get("/seldon/ns/iris/x"))).body for _ in range(3)]

    assert sorted(answer.status for answer in answers) == [200, 502]
    failed = next(answer for answer in answers if answer.status == 502)
    assert "the replica that held this request ended before it answered" in info(failed)
    assert next_ones == [b"other"] * 3


async def test_requests_after_the_death_of_the_only_worker_wait_for_the_next() -> None:
    async with bench() as made:
        first = await made.worker("w")
        await made.serve(service("iris", {"default": pool(first)}))
        async with wire_to(made.port) as wire:
            await first.die()
            await until(lambda: made.gateway.stats().pools[0].ready == 0)
            await wire.send(get("/seldon/ns/iris/x"))
            await until(lambda: waiting(made) == 1)
            await made.worker("w")
            answer = await wire.receive()

    assert (answer.status, answer.body) == (200, b"w")


async def test_a_route_that_allows_retries_asks_another_replica() -> None:
    async with bench() as made:
        doomed, other = await made.worker("doomed"), await made.worker("other")
        doomed.holds = True
        await made.serve(service("iris", {"default": pool(doomed, other)}, retries=1))
        async with wire_to(made.port) as wire:
            answers = []
            for number in range(2):
                await wire.send(get("/seldon/ns/iris/x"))
                await until(lambda number=number: bool(doomed.held) or len(other.requests) > number)  # type: ignore[misc]  # a lambda with a default
                if doomed.held:
                    await doomed.die()
                answers.append(await wire.receive())

    assert [(answer.status, answer.body) for answer in answers] == [(200, b"other")] * 2


@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (2, 3)])
async def test_a_gateway_error_from_a_worker_is_retried_as_often_as_the_route_allows(retries: int, asked: int) -> None:
    async with bench() as made:
        worker = await made.worker("w")
        worker.status = 503
        await made.serve(service("iris", {"default": pool(worker)}, retries=retries))

        answer = await ask(made, get("/seldon/ns/iris/x"))

    assert (answer.status, answer.body, len(worker.requests)) == (503, b"w", asked)


async def test_a_mirror_gets_a_copy_and_its_answer_is_dropped() -> None:
    async with bench() as made:
        main, shadow = await made.worker("main"), await made.worker("shadow")
        pools = {"main": pool(main), "shadow": pool(shadow)}
        await made.serve(service("iris", pools, mirrors={"shadow": 100}))

        answer = await ask(made, post("/seldon/ns/iris/x", b"payload"))
        await until(lambda: bool(shadow.requests))

    assert answer.body == b"main"
    assert (shadow.requests[0].path, shadow.requests[0].body) == ("/x", b"payload")


async def test_a_mirror_gets_its_percentage_and_its_failures_harm_nobody() -> None:
    async with bench() as made:
        main, shadow = await made.worker("main"), await made.worker("shadow")
        shadow.status = 500
        pools = {"main": pool(main), "shadow": pool(shadow), "gone": pool()}
        await made.serve(service("iris", pools, mirrors={"shadow": 20, "gone": 100}))

        async with wire_to(made.port) as wire:
            statuses = {(await wire.ask(post("/seldon/ns/iris/x"))).status for _ in range(50)}
            await until(lambda: len(shadow.requests) == 10)
            metrics = (await wire.ask(get("/-/metrics"))).body.decode()

    assert statuses == {200}
    labels = 'kind="SeldonDeployment",namespace="ns",outcome="failed",service="iris"'
    assert f'fairlead_gateway_mirrored_total{{component="shadow",{labels}}} 10.0' in metrics
    assert f'fairlead_gateway_mirrored_total{{component="gone",{labels}}} 50.0' in metrics


async def client(wire: Wire, answers: list[Received], stop: asyncio.Event) -> None:
    """Ask again and again, and leave when told to."""
    while not stop.is_set():
        answers.append(await wire.ask(post("/seldon/ns/iris/x", b"x")))
        if answers[-1].headers.get("connection") == "close":
            return


async def test_switching_tables_and_draining_workers_under_load_drops_no_request() -> None:
    answers: list[Received] = []
    async with bench() as made:
        old = await made.worker("w0")
        await made.serve(service("iris", {"default": pool(old)}))
        stop = asyncio.Event()
        async with asyncio.timeout(30), wire_to(made.port) as a, wire_to(made.port) as b, wire_to(made.port) as c:
            clients = [asyncio.ensure_future(client(wire, answers, stop)) for wire in (a, b, c)]
            for number in range(1, 6):
                seen = len(answers)
                await until(lambda seen=seen: len(answers) > seen + 20)  # type: ignore[misc]  # a lambda's default
                new = await made.worker(f"w{number}")
                await made.serve(service("iris", {"default": pool(old, new)}))
                await made.serve(service("iris", {"default": pool(new)}))
                await old.server.drain(10)
                old = new
            stop.set()
            await asyncio.gather(*clients)

    assert {answer.status for answer in answers} == {200}
    assert {answer.body.decode() for answer in answers} == {f"w{number}" for number in range(6)}


async def test_a_worker_that_drains_before_the_table_says_so_drops_no_request() -> None:
    answers: list[Received] = []
    async with bench() as made:
        leaving, staying = await made.worker("leaving"), await made.worker("staying")
        await made.serve(service("iris", {"default": pool(leaving, staying)}))
        stop = asyncio.Event()
        async with asyncio.timeout(30), wire_to(made.port) as a, wire_to(made.port) as b:
            clients = [asyncio.ensure_future(client(wire, answers, stop)) for wire in (a, b)]
            await until(lambda: len(answers) > 20)
            await leaving.server.drain(10)
            seen = len(answers)
            await until(lambda: len(answers) > seen + 20)
            stop.set()
            await asyncio.gather(*clients)

    assert {answer.status for answer in answers} == {200}


@pytest.mark.slow
async def test_a_draining_gateway_answers_everything_it_was_asked() -> None:
    answers: list[Received] = []
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))
        stop = asyncio.Event()
        async with asyncio.timeout(30), wire_to(made.port) as a, wire_to(made.port) as b, wire_to(made.port) as c:
            clients = [asyncio.ensure_future(client(wire, answers, stop)) for wire in (a, b, c)]
            await until(lambda: len(answers) > 20)
            await asyncio.gather(made.gateway.drain(10), *clients)

    assert {answer.status for answer in answers} == {200}


async def test_in_flight_requests_finish_when_their_service_is_removed() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        worker.holds = True
        await made.serve(service("iris", {"default": pool(worker)}))
        async with wire_to(made.port) as wire:
            await wire.send(get("/seldon/ns/iris/x"))
            await until(lambda: bool(worker.held))
            await made.serve()
            worker.release()
            answer = await wire.receive()
            after = await wire.ask(get("/seldon/ns/iris/x"))

    assert (answer.status, after.status) == (200, 404)


async def test_a_service_alone_is_reached_without_its_prefix_by_its_protocols_paths() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))
        alone = await ask(made, post("/api/v1.0/predictions"))
        elsewhere = await ask(made, post("/nowhere"))
        await made.serve(service("iris", {"default": pool(worker)}), service("two", {"default": pool(worker)}))
        doubtful = await ask(made, post("/api/v1.0/predictions"))

    assert (alone.status, worker.requests[0].path) == (200, "/api/v1.0/predictions")
    assert (elsewhere.status, doubtful.status) == (404, 404)


async def test_a_path_nobody_serves_lists_what_would_be() -> None:
    async with bench() as made:
        services = [service(f"m{number:02}", {"default": pool()}) for number in range(22)]
        await made.serve(*services)

        answer = await ask(made, get("/nope"))

    body = json.loads(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/json")
    assert body["error"] == "nothing is served at /nope; GET / lists what is"
    assert (body["accepted"][0], len(body["accepted"]), body["more"]) == ("/seldon/ns/m00/…", 20, 2)


async def test_a_route_whose_component_has_no_pool_says_so() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool()}, weights={"ghost": 100}))

        answer = await ask(made, get("/seldon/ns/iris/x"))

    assert (answer.status, info(answer)) == (503, "ns/iris/ghost is routed to and does not exist")


async def test_a_route_without_weights_says_so() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool()}, weights={"default": 0}))

        answer = await ask(made, get("/seldon/ns/iris/x"))

    assert (answer.status, info(answer)) == (503, "ns/iris: no target of this route has a weight above zero")


@pytest.mark.parametrize("protocol", ["v1", "v2", "tensorflow"])
async def test_errors_are_worded_in_the_protocol_of_the_service(protocol: str) -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool(refusal="no", protocol=protocol)}))

        answer = await ask(made, get("/seldon/ns/iris/x"))

    assert (answer.status, json.loads(answer.body)) == (503, {"error": "no"})


async def test_a_large_body_goes_through_in_both_directions() -> None:
    body = bytes(range(256)) * 20_000
    async with bench() as made:
        worker = await made.worker("w")
        worker.holds = True
        await made.serve(service("iris", {"default": pool(worker)}))
        async with wire_to(made.port) as wire:
            await wire.send(post("/seldon/ns/iris/x", body))
            await until(lambda: bool(worker.held))
            worker.held[0](Response(200, b"", body))
            answer = await wire.receive()

    assert (worker.requests[0].body, answer.body) == (body, body)
