"""What a request's head means: services by host, by path and by themselves, for clients and for our own processes."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
import pytest

from fairlead.plan.model import ComponentName, Route, Target
from fairlead.plan.routing import Pool, Service
from fairlead.protocols.exchange import Reply, Request
from fairlead.protocols.grpc import grpc_response
from support.gateways import Bench, Worker, bench, pool
from support.wire import Received, Wire, wire_to

pytestmark = pytest.mark.anyio

EXPLAIN = r"/v1/models/[\w.-]+:explain"
INFER = "/inference.GRPCInferenceService/ModelInfer"


def inference_service(name: str, pools: dict[str, Pool], *, is_internal: bool = False) -> Service:
    """As an InferenceService with a predictor and an explainer is lowered."""

    def route(component: str, **fields: str) -> Route:
        target = Target(component=ComponentName(component), weight=100)
        return Route(targets=(target,), is_internal=is_internal, **fields)  # type: ignore[arg-type]  # texts by name

    places = [
        {"path_prefix": "/", "host": f"{name}.ns.localhost"},
        {"path_prefix": "/", "host": f"{name}.ns"},
        {"path_prefix": f"/serving/ns/{name}/"},
    ]
    routes = [route("predictor", **place) for place in places]
    if "explainer" in pools:
        routes += [route("explainer", path_pattern=EXPLAIN, **place) for place in places]
    return Service(kind="InferenceService", namespace="ns", name=name, routes=tuple(routes), pools=tuple(pools.items()))


def asking(method: str, path: str, host: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode()


@asynccontextmanager
async def inside(made: Bench) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_unix_connection(made.folder / "inside.sock")
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def ask(made: Bench, path: str, host: str, method: str = "POST") -> Received:
    async with wire_to(made.port) as wire:
        return await wire.ask(asking(method, path, host))


async def two(made: Bench) -> tuple[Worker, Worker]:
    return await made.worker("predictor"), await made.worker("explainer")


@pytest.mark.parametrize(
    "host", ["iris.ns.localhost", "iris.ns.localhost:8080", "IRIS.ns.LocalHost.:8080", "iris.ns", "iris.ns.:80"]
)
async def test_a_host_is_known_in_all_its_forms(host: str) -> None:
    async with bench() as made:
        predictor, explainer = await two(made)
        other = inference_service("other", {"predictor": pool(explainer, protocol="v1")})
        await made.serve(inference_service("iris", {"predictor": pool(predictor, protocol="v1")}), other)

        answer = await ask(made, "/v1/models/iris:predict", host)

    assert answer.body == b"predictor"
    assert predictor.requests[0].path == "/v1/models/iris:predict"


async def test_explanations_go_to_the_explainer_by_host_by_path_and_directly() -> None:
    async with bench() as made:
        predictor, explainer = await two(made)
        pools = {"predictor": pool(predictor, protocol="v1"), "explainer": pool(explainer, protocol="v1")}
        await made.serve(inference_service("iris", pools))
        ways = [
            ("/v1/models/iris", "iris.ns.localhost"),
            ("/serving/ns/iris/v1/models/iris", "localhost:8080"),
            ("/v1/models/iris", "localhost:8080"),
        ]

        answers = [
            [(await ask(made, f"{path}{verb}", host)).body for verb in (":predict", ":explain")] for path, host in ways
        ]

    assert answers == [[b"predictor", b"explainer"]] * 3
    assert [request.path for request in explainer.requests] == ["/v1/models/iris:explain"] * 3


@pytest.mark.parametrize("path", ["/v1/models/iris:predict", "/v2/models/iris/infer", "/v2", "/openai/v1/models"])
async def test_the_only_service_needs_no_name(path: str) -> None:
    async with bench() as made:
        predictor = await made.worker("predictor")
        await made.serve(inference_service("iris", {"predictor": pool(predictor, protocol="v2")}))

        answer = await ask(made, path, "localhost:8080")

    assert (answer.status, predictor.requests[0].path) == (200, path)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("10.1.2.3:8080", 200),
        ("server.example.org", 200),
        ("rose.ns.localhost", 404),
        ("iris.other.localhost", 404),
        ("rose.ns", 404),
    ],
)
async def test_who_names_another_host_does_not_mean_the_only_service(host: str, status: int) -> None:
    async with bench() as made:
        predictor = await made.worker("predictor")
        await made.serve(inference_service("iris", {"predictor": pool(predictor, protocol="v1")}))

        answer = await ask(made, "/v1/models/iris:predict", host)

    assert answer.status == status


async def test_what_is_internal_is_known_inside_alone() -> None:
    async with bench() as made, inside(made) as within:
        predictor, explainer = await two(made)
        hidden = inference_service("hidden", {"predictor": pool(predictor, protocol="v1")}, is_internal=True)
        shown = inference_service("shown", {"predictor": pool(explainer, protocol="v1")})
        await made.serve(hidden, shown)

        by_host = await ask(made, "/v1/models/m:predict", "hidden.ns.localhost")
        by_path = await ask(made, "/serving/ns/hidden/v1/models/m:predict", "localhost")
        listing = await ask(made, "/", "localhost", "GET")
        from_inside = await within.ask(asking("POST", "/v1/models/m:predict", "hidden.ns"))
        public_inside = await within.ask(asking("POST", "/v1/models/m:predict", "shown.ns"))

    assert (by_path.status, by_host.status) == (404, 404)
    assert json.loads(by_path.body)["accepted"] == ["/serving/ns/shown/…"]
    assert [one["name"] for one in json.loads(listing.body)["services"]] == ["shown"]
    assert (from_inside.body, public_inside.body) == (b"predictor", b"explainer")


async def test_grpc_knows_services_by_authority_and_inside_ones_inside() -> None:
    def named(name: str) -> bytes:
        return name.encode()

    async with bench() as made:

        def handler(name: str):  # type: ignore[no-untyped-def]  # a handler of the test's own
            def handle(_request: Request, reply: Reply) -> None:
                reply(grpc_response(named(name)))

            return handle

        one, other = await made.worker("one", handler("one")), await made.worker("other", handler("other"))
        await made.serve(
            inference_service("one", {"predictor": pool(one, protocol="v2")}),
            inference_service("other", {"predictor": pool(other, protocol="v2")}),
            inference_service("hidden", {"predictor": pool(other, protocol="v2")}, is_internal=True),
        )

        async def call(target: str, authority: str) -> bytes | grpc.StatusCode:
            options = [("grpc.default_authority", authority)]
            async with grpc.aio.insecure_channel(target, options=options) as channel:
                try:
                    answer: bytes = await channel.unary_unary(INFER)(b"", timeout=10)
                except grpc.aio.AioRpcError as error:
                    return error.code()
                return answer

        outside, within = f"127.0.0.1:{made.port}", f"unix:{made.folder}/inside.sock"
        answers = [
            await call(outside, "one.ns.localhost:8081"),
            await call(outside, "Other.ns.localhost.:8081"),
            await call(outside, "hidden.ns"),
            await call(within, "hidden.ns"),
        ]

    assert answers == [b"one", b"other", grpc.StatusCode.NOT_FOUND, b"other"]


async def test_the_root_of_a_services_host_is_the_services_and_any_other_is_the_listing() -> None:
    async with bench() as made:
        predictor = await made.worker("predictor")
        await made.serve(inference_service("iris", {"predictor": pool(predictor, protocol="v1")}))

        own = await ask(made, "/", "iris.ns.localhost", "GET")
        listing = await ask(made, "/", "localhost:8080", "GET")

    assert own.body == b"predictor"
    (listed,) = json.loads(listing.body)["services"]
    assert (listed["path"], listed["host"]) == ("/serving/ns/iris/", "iris.ns.localhost")


async def test_a_page_at_the_root_of_a_path_is_asked_for_with_its_slash() -> None:
    async with bench() as made:
        worker = await made.worker("page")
        service = inference_service("iris", {"predictor": pool(worker, protocol="raw")})
        await made.serve(dataclasses.replace(service, docs_path="/serving/ns/iris/"))

        led = await ask(made, "/serving/ns/iris?theme=dark", "localhost", "GET")
        page = await ask(made, "/serving/ns/iris/", "localhost", "GET")
        posted = await ask(made, "/serving/ns/iris", "localhost", "POST")

    assert (led.status, led.headers["location"]) == (307, "iris/?theme=dark")
    assert (page.body, posted.body) == (b"page", b"page")


@pytest.mark.parametrize(("protocol", "about"), [("v1", "v1/models"), ("v2", "v2")])
async def test_the_page_links_to_what_a_service_says_of_itself(protocol: str, about: str) -> None:
    async with bench() as made, wire_to(made.port) as wire:
        predictor = await made.worker("predictor")
        await made.serve(inference_service("iris", {"predictor": pool(predictor, protocol=protocol)}))

        page = await wire.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n")
        link = f"/serving/ns/iris/{about}"
        answer = await ask(made, link, "localhost", "GET")

    assert f'<a href="{link}">about it</a>' in page.body.decode()
    assert (answer.body, predictor.requests[0].path) == (b"predictor", f"/{about}")


async def test_a_canary_has_its_share_of_all_names_of_a_service_together() -> None:
    async with bench() as made:
        predictor, canary = await made.worker("predictor"), await made.worker("canary")
        weights = (("predictor", 75), ("canary", 25))
        targets = tuple(Target(component=ComponentName(name), weight=weight) for name, weight in weights)
        hosts = [f"iris.ns{end}" for end in ("", ".svc", ".svc.cluster.local", ".localhost")]
        routes = tuple(Route(path_prefix="/", host=host, targets=targets) for host in hosts)
        pools = (("predictor", pool(predictor)), ("canary", pool(canary)))
        await made.serve(Service(kind="InferenceService", namespace="ns", name="iris", routes=routes, pools=pools))

        for host in hosts * 2:
            await ask(made, "/v1/models/iris:predict", host)

    assert (len(predictor.requests), len(canary.requests)) == (6, 2)
