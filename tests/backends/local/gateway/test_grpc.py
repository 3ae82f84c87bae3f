"""gRPC through the gateway with grpcio as the client: who gets a call, how it fails, streams, deadlines."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from fairlead.errors import GrpcCode
from fairlead.plan.model import ComponentName, Mirror, Route, Target
from fairlead.plan.routing import Pool, Service
from fairlead.protocols.exchange import Outgoing, Reply, Request, Response, ServerReply
from fairlead.protocols.grpc import CONTENT_TYPE, frame_message, grpc_failure, grpc_response, status_lines
from support.gateways import Bench, bench, pool, service, until
from support.wire import post, wire_to

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

PREDICT = "/seldon.protos.Seldon/Predict"
INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"
TF_PREDICT = "/tensorflow.serving.PredictionService/Predict"
HEALTH = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


class Named:
    """A worker's handler that answers unary calls with its name, and streams with what it is sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[Request] = []
        self.replies: list[ServerReply] = []
        self.streams: list[Outgoing] = []
        self.failures: list[Response] = []
        self.holds = False
        self.gone = 0

    def __call__(self, request: Request, reply: Reply) -> None:
        self.requests.append(request)
        answer = cast(ServerReply, reply)
        answer.on_gone = self._left
        if self.failures:
            reply(self.failures.pop(0))
        elif request.incoming is not None:
            self._echo(request, answer)
        elif self.holds:
            self.replies.append(answer)
        else:
            reply(grpc_response(self.name.encode()))

    def _left(self) -> None:
        self.gone += 1

    def _echo(self, request: Request, reply: ServerReply) -> None:
        assert request.incoming is not None
        incoming = request.incoming
        out = reply.begin(200, CONTENT_TYPE)
        self.streams.append(out)

        def take(piece: bytes) -> None:
            out.send(piece)
            if out.is_full:
                incoming.pause()

        out.when_free = incoming.resume
        incoming.listen(take, lambda: out.end(status_lines(GrpcCode.OK)))


def call_route(name: str, components: Iterable[str], **fields: Any) -> Route:
    """The route that Seldon's metadata chooses."""
    targets = tuple(Target(component=ComponentName(component), weight=100) for component in components)
    return Route(path_prefix="/", metadata=(("seldon", name), ("namespace", "ns")), targets=targets, **fields)


def called(name: str, pools: dict[str, Pool], **fields: Any) -> Service:
    """A service with a REST route and one for calls."""
    plain = service(name, pools)
    return replace(plain, routes=(*plain.routes, call_route(name, pools, **fields)))


@asynccontextmanager
async def calling(made: Bench) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{made.port}") as channel:
        yield channel


async def ask(
    channel: grpc.aio.Channel,
    method: str,
    message: bytes = b"",
    metadata: Sequence[tuple[str, str]] = (),
    timeout: float = 10,
) -> bytes:
    call = channel.unary_unary(method)(message, metadata=tuple(metadata), timeout=timeout)
    return cast(bytes, await call)


async def failure(channel: grpc.aio.Channel, method: str, message: bytes = b"", **more: Any) -> tuple[str, str]:
    """The code and the words with which a call fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(channel, method, message, **more)
    return caught.value.code().name, caught.value.details() or ""


def named(name: str) -> bytes:
    """A message whose first field is this text."""
    return b"\x0a" + bytes([len(name)]) + name.encode()


def codes(made: Bench, service: str, component: str = "main") -> dict[int | str, int]:
    servings = made.gateway.switchboard.servings
    return next(s.meter.codes for key, s in servings.items() if key[2:] == (service, component))


@asynccontextmanager
async def two_services(**fields: Any) -> AsyncIterator[tuple[Bench, Named, Named, grpc.aio.Channel]]:
    """`a` and `b`, one worker each."""
    async with bench() as made:
        one, two = Named("a"), Named("b")
        first, second = await made.worker("a", one), await made.worker("b", two)
        await made.serve(called("a", {"main": pool(first)}, **fields), called("b", {"main": pool(second)}, **fields))
        async with calling(made) as channel:
            yield made, one, two, channel


async def test_metadata_chooses_the_service_and_the_call_arrives_as_it_was_sent() -> None:
    async with two_services() as (made, _, two, channel):
        metadata = [("seldon", "b"), ("namespace", "ns"), ("note", "grpc-timeout"), ("puid", "7")]
        answer = await ask(channel, PREDICT, b"message", metadata)
        await until(lambda: bool(codes(made, "b")))

        assert codes(made, "b") == {"OK": 1}
    assert answer == b"b"
    (request,) = two.requests
    assert (request.method, request.path, request.body) == ("POST", PREDICT, frame_message(b"message"))
    assert request.header(b"puid") == b"7"
    assert request.header(b"note") == b"grpc-timeout"


async def test_metadata_routes_share_by_weight_and_copy_to_a_shadow() -> None:
    async with bench() as made:
        main, canary, shadow = Named("main"), Named("canary"), Named("shadow")
        pools = {
            "main": pool(await made.worker("m", main)),
            "canary": pool(await made.worker("c", canary)),
            "shadow": pool(await made.worker("s", shadow)),
        }
        route = Route(
            path_prefix="/",
            metadata=(("seldon", "m"), ("namespace", "ns")),
            targets=(
                Target(component=ComponentName("main"), weight=75),
                Target(component=ComponentName("canary"), weight=25),
            ),
            mirrors=(Mirror(component=ComponentName("shadow")),),
        )
        await made.serve(replace(service("m", pools), routes=(route,)))
        shadow.failures = [grpc_failure(GrpcCode.INTERNAL, "no")]
        async with calling(made) as channel:
            metadata = [("seldon", "m"), ("namespace", "ns")]
            answers = [await ask(channel, PREDICT, b"", metadata) for _ in range(20)]
        await until(lambda: len(shadow.requests) == 20)
        meter = next(s.meter for key, s in made.gateway.switchboard.servings.items() if key.component == "shadow")
        await until(lambda: meter.mirror_failures == 1)

    assert (answers.count(b"main"), answers.count(b"canary")) == (15, 5)


async def test_the_authority_chooses_a_service() -> None:
    async with bench() as made:
        pools = {"a": pool(await made.worker("a", Named("a"))), "b": pool(await made.worker("b", Named("b")))}
        routes = tuple(
            Route(path_prefix="/", host=f"m-{name}.ns", targets=(Target(component=ComponentName(name), weight=1),))
            for name in pools
        )
        await made.serve(
            replace(service("m", pools), routes=routes), called("other", {"main": pool(*made.workers[:1])})
        )
        options = [("grpc.default_authority", "m-b.ns:9000")]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{made.port}", options=options) as channel:
            answer = await ask(channel, PREDICT)

    assert answer == b"b"


async def test_a_service_alone_gets_every_call() -> None:
    async with bench() as made:
        await made.serve(called("a", {"main": pool(await made.worker("a", Named("a")))}))
        async with calling(made) as channel:
            answers = [await ask(channel, method) for method in (PREDICT, INFER)]

    assert answers == [b"a", b"a"]


@pytest.mark.parametrize(
    ("method", "message"),
    [(INFER, named("b")), (INFER, b"\x1a\x01x" + named("b")), (TF_PREDICT, b"\x0a\x03" + named("b"))],
)
async def test_the_model_that_a_message_names_chooses_among_services(method: str, message: bytes) -> None:
    async with two_services() as (_, _, _, channel):
        assert await ask(channel, method, message) == b"b"
        packed = channel.unary_unary(method)(message, compression=grpc.Compression.Gzip, timeout=10)
        assert await packed == b"b"


async def test_the_models_of_a_service_are_names_too_unless_two_services_have_them() -> None:
    async with bench() as made:
        one, two = await made.worker("a", Named("a")), await made.worker("b", Named("b"))
        await made.serve(
            replace(called("a", {"main": pool(one)}), models=("iris", "classifier")),
            replace(called("b", {"main": pool(two)}), models=("classifier",)),
        )
        async with calling(made) as channel:
            iris = await ask(channel, INFER, named("iris"))
            ambiguous = await failure(channel, INFER, named("classifier"))
            unknown = await failure(channel, INFER, named("who"))
            unnamed = await failure(channel, INFER, b"")
            nothing = await failure(channel, PREDICT, b"")

    assert iris == b"a"
    assert ambiguous[0] == unknown[0] == unnamed[0] == nothing[0] == "NOT_FOUND"
    assert "ns/a, ns/b" in ambiguous[1]
    assert "seldon=<name>" in ambiguous[1]
    assert "'who'" in unknown[1]
    assert "ns/a" in nothing[1]


async def test_metadata_does_not_route_rest() -> None:
    async with two_services() as (made, *_), wire_to(made.port) as wire:
        answer = await wire.ask(post("/api/v1.0/predictions", b"{}", "seldon: a", "namespace: ns"))

    assert answer.status == 404


async def test_health_is_answered_by_the_gateway_unless_somebody_is_named() -> None:
    async with two_services() as (made, one, _, channel):
        whole = await ask(channel, HEALTH)
        model = await ask(channel, HEALTH, named("a"))
        unknown = await failure(channel, HEALTH, named("who"))
        forwarded = await ask(channel, HEALTH, b"", [("seldon", "a"), ("namespace", "ns")])
        await made.workers[0].die()
        await until(lambda: made.gateway.stats().pools[0].ready == 0)
        gone = await ask(channel, HEALTH, named("a"))

    assert (whole, model, gone) == (b"\x08\x01", b"\x08\x01", b"\x08\x02")
    assert unknown[0] == "NOT_FOUND"
    assert forwarded == b"a"
    assert len(one.requests) == 1


async def test_whoever_watches_health_hears_of_the_drain() -> None:
    async with bench() as made, calling(made) as channel:
        watch = channel.unary_stream(WATCH)(b"", timeout=10)
        first = await watch.read()
        draining = asyncio.ensure_future(made.gateway.drain(5))
        second = await watch.read()
        end = await watch.read()
        await draining

    assert (first, second, end) == (b"\x08\x01", b"\x08\x02", grpc.aio.EOF)


async def test_reflection_goes_to_the_only_service_and_to_none_of_several() -> None:
    async with two_services() as (made, _, _, channel):
        call = channel.stream_stream(REFLECTION)(timeout=10)
        refused = (await call.code(), await call.details())
        await made.serve(called("a", {"main": pool(made.workers[0])}))
        alone = channel.stream_stream(REFLECTION)(iter([b"q"]), timeout=10)
        answers = [message async for message in alone]

    assert refused[0] is grpc.StatusCode.UNIMPLEMENTED
    assert "2 are here" in refused[1]
    assert answers == [b"q"]


async def test_a_refusing_pool_is_unavailable_in_the_words_it_was_given() -> None:
    async with bench() as made, calling(made) as channel:
        await made.serve(called("a", {"main": Pool(refusal="a has no replica: it is scaled to zero")}))
        refused = await failure(channel, PREDICT)

        assert codes(made, "a") == {"UNAVAILABLE": 1}
    assert refused == ("UNAVAILABLE", "a has no replica: it is scaled to zero")


async def test_a_full_queue_is_resource_exhausted() -> None:
    async with bench() as made, calling(made) as channel:
        await made.serve(called("a", {"main": Pool(queue_limit=0)}))
        refused = await failure(channel, PREDICT)

    assert refused[0] == "RESOURCE_EXHAUSTED"


async def test_nothing_served_is_not_found() -> None:
    async with bench() as made, calling(made) as channel:
        assert await failure(channel, PREDICT) == (
            "NOT_FOUND",
            f"nothing says which service {PREDICT} is for; nothing is served yet",
        )


async def test_the_shorter_of_the_two_deadlines_counts_and_the_worker_is_told_what_is_left() -> None:
    async with two_services(timeout_s=0.2) as (made, one, _, channel):
        one.holds = True
        metadata = [("seldon", "a"), ("namespace", "ns")]
        by_route = await failure(channel, PREDICT, metadata=metadata, timeout=20)
        by_client = await failure(channel, PREDICT, metadata=metadata, timeout=0.1)
        await until(lambda: one.gone == 2)
        await until(lambda: codes(made, "a") == {"DEADLINE_EXCEEDED": 2})

    assert by_route == ("DEADLINE_EXCEEDED", "ns/a/main did not answer within 0.2 s")
    assert by_client[0] == "DEADLINE_EXCEEDED"
    left = [request.header(b"grpc-timeout") for request in one.requests]
    assert [len([v for n, v in request.headers if n == b"grpc-timeout"]) for request in one.requests] == [1, 1]
    assert 150 <= int(left[0][:-1]) <= 200
    assert 50 <= int(left[1][:-1]) <= 100


async def test_a_route_by_host_limits_calls_and_requests_each_by_their_own() -> None:
    async with bench() as made:
        worker = Named("a")
        worker.holds = True
        main = pool(await made.worker("a", worker))
        targets = (Target(component=ComponentName("main"), weight=100),)
        by_host = Route(path_prefix="/", host="m.ns", targets=targets, timeout_s=60.0, grpc_timeout_s=0.1)
        await made.serve(replace(service("a", {"main": main}), routes=(by_host,)))
        options = [("grpc.default_authority", "m.ns:9000")]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{made.port}", options=options) as channel:
            assert await failure(channel, PREDICT) == ("DEADLINE_EXCEEDED", "ns/a/main did not answer within 0.1 s")


async def test_a_call_that_its_client_cancels_is_cancelled_at_the_worker() -> None:
    async with two_services() as (made, one, _, channel):
        one.holds = True
        call = channel.unary_unary(PREDICT)(b"", metadata=(("seldon", "a"), ("namespace", "ns")))
        await until(lambda: bool(one.replies))
        call.cancel()
        await until(lambda: one.gone == 1)

        assert codes(made, "a") == {"CANCELLED": 1}


async def test_a_replica_that_dies_is_unavailable_and_retried_where_the_route_allows() -> None:
    async with bench() as made, calling(made) as channel:
        handlers = [Named("one"), Named("two")]
        workers = [await made.worker(handler.name, handler) for handler in handlers]
        await made.serve(called("a", {"main": pool(*workers)}))
        for handler in handlers:
            handler.holds = True
        asking = asyncio.ensure_future(failure(channel, PREDICT))
        await until(lambda: any(handler.replies for handler in handlers))
        holder = 0 if handlers[0].replies else 1
        await workers[holder].die()
        lost = await asking
        other = handlers[1 - holder]
        other.holds = False
        other.failures = [grpc_failure(GrpcCode.UNAVAILABLE, "busy"), grpc_failure(GrpcCode.INTERNAL, "broken")]
        await made.serve(called("a", {"main": pool(workers[1 - holder])}, retries=1))
        retried = await failure(channel, PREDICT)

    assert lost == ("UNAVAILABLE", "ns/a/main: the replica that held this request ended before it answered")
    assert retried == ("INTERNAL", "broken")


async def test_streams_pass_both_ways_while_they_are_open() -> None:
    async with two_services() as (made, _, two, channel):
        metadata = (("seldon", "b"), ("namespace", "ns"))
        call = channel.stream_stream("/my.Own/Chat")(metadata=metadata, timeout=20)
        for number in range(3):
            await call.write(b"%d" % number)
            assert await call.read() == b"%d" % number
        await call.done_writing()
        end = await call.read()
        await until(lambda: bool(codes(made, "b")))

        assert codes(made, "b") == {"OK": 1}
    assert end is grpc.aio.EOF
    assert two.requests[0].incoming is not None


async def test_a_stream_finds_its_service_by_the_model_its_first_message_names() -> None:
    async with two_services() as (_, one, two, channel):
        call = channel.stream_stream(STREAM_INFER)(timeout=20)
        message = named("b") + b"\x12\xff\xff\x0f" + b"x" * 262143
        await call.write(message)
        first = await call.read()
        await call.write(b"second")
        second = await call.read()
        await call.done_writing()
        lost = channel.stream_stream(STREAM_INFER)(timeout=20)
        await lost.write(named("who"))
        unknown = await lost.code()
        empty = channel.stream_stream(STREAM_INFER)(timeout=20)
        await empty.done_writing()
        nothing = await empty.code()

    assert (first, second) == (message, b"second")
    assert (len(one.requests), len(two.requests)) == (0, 1)
    assert unknown is grpc.StatusCode.NOT_FOUND
    assert nothing is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_whose_replica_dies_ends_unavailable() -> None:
    async with two_services() as (made, _, _, channel):
        call = channel.stream_stream(STREAM_INFER)(timeout=20)
        await call.write(named("a"))
        await call.read()
        await made.workers[0].die()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        await until(lambda: bool(codes(made, "a")))

        assert codes(made, "a") == {"UNAVAILABLE": 1}
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "ended before it answered" in (caught.value.details() or "")


async def test_a_stream_that_its_client_cancels_is_cancelled_at_the_worker() -> None:
    async with two_services() as (made, one, _, channel):
        call = channel.stream_stream(STREAM_INFER)()
        await call.write(named("a"))
        await call.read()
        call.cancel()
        await until(lambda: one.gone == 1)
        await until(lambda: codes(made, "a") == {"CANCELLED": 1})


async def test_a_deadline_ends_a_stream() -> None:
    async with two_services(timeout_s=0.1) as (made, one, _, channel):
        call = channel.stream_stream(STREAM_INFER)(timeout=20)
        await call.write(named("a"))
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        await until(lambda: one.gone == 1)

        assert codes(made, "a") == {"DEADLINE_EXCEEDED": 1}
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.slow
async def test_a_client_that_does_not_read_its_stream_holds_everybody_back() -> None:
    async with two_services() as (_, one, _, channel):
        call = channel.stream_stream(STREAM_INFER)(timeout=30)
        await call.write(named("a"))
        await call.read()
        (out,) = one.streams
        sent = 0
        while not out.is_full:
            while not out.is_full:
                out.send(frame_message(b"x" * 65531))
                sent += 1
                assert sent < 1000
            await asyncio.sleep(0.1)
        received = 0
        while received < sent:
            received += 1
            assert len(await call.read()) == 65531
        await until(lambda: not out.is_full)
        call.cancel()


async def test_the_second_port_serves_the_same() -> None:
    async with two_services() as (made, *_):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{made.gateway.grpc_port}") as channel:
            called_there = await ask(channel, INFER, named("b"))
        async with wire_to(made.gateway.grpc_port) as wire:
            asked_there = await wire.ask(post("/seldon/ns/a/x", b""))

    assert called_there == b"b"
    assert asked_there.status == 200


async def test_streams_that_are_open_keep_no_request_out() -> None:
    async with bench() as made:
        worker = await made.worker("a", Named("a"))
        wanted = pool(worker)
        await made.serve(called("a", {"main": Pool(endpoints=wanted.endpoints, wait_s=5, replica_limit=1)}))
        async with calling(made) as channel:
            idle = [channel.stream_stream(STREAM_INFER)(timeout=20) for _ in range(3)]
            for stream in idle:
                await stream.write(named("a"))
                await stream.read()
            answer = await ask(channel, INFER, named("a"))
            for stream in idle:
                stream.cancel()

    assert answer == b"a"


@pytest.mark.slow
async def test_a_pool_that_counts_streams_holds_requests_back_for_them() -> None:
    async with bench() as made:
        worker = await made.worker("a", Named("a"))
        wanted = replace(pool(worker), replica_limit=1, counts_streams=True)
        await made.serve(called("a", {"main": wanted}))
        async with calling(made) as channel:
            stream = channel.stream_stream(STREAM_INFER)(timeout=20)
            await stream.write(named("a"))
            await stream.read()
            answer = asyncio.ensure_future(ask(channel, INFER, named("a")))
            await until(lambda: sum(load.waiting for _, load in made.gateway.switchboard.loads()) == 1)
            stream.cancel()

            assert await answer == b"a"
