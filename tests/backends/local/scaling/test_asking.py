"""Questions to metrics servers, asked of real HTTP servers."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from fairlead.backends.local.scaling.asking import Questions
from fairlead.errors import NotReady
from fairlead.plan.scaling import MetricTarget, ScaleMetric

pytestmark = pytest.mark.anyio


def target(address: str, server: str = "prometheus", **changes: Any) -> MetricTarget:
    return MetricTarget(
        metric=ScaleMetric.EXTERNAL, kind="average", target=10.0, server=server, address=address,
        query="sum(queue_depth)", **changes,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def server(answer: Callable[[web.Request], web.Response]) -> AsyncIterator[tuple[str, list[web.Request]]]:
    asked: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request)
        return answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}", asked
    finally:
        await runner.cleanup()


def vector(*values: str) -> dict[str, Any]:
    series = [{"metric": {}, "value": [1700000000.0, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


async def answered(document: Any, server_name: str = "prometheus", **changes: Any) -> float:
    questions = Questions()
    async with server(lambda _: web.json_response(document)) as (address, _):
        try:
            return await questions.ask(target(address, server_name, **changes))
        finally:
            await questions.close()


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (vector("42.5"), 42.5),
        (vector(), 0.0),
        (vector("NaN"), 0.0),
        (vector("+Inf"), 0.0),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1700000000.0, "3"]}}, 3.0),
    ],
)
async def test_prometheus_answers_with_a_number(document: Any, value: float) -> None:
    assert await answered(document) == value


async def test_the_last_point_of_graphite_counts() -> None:
    points = [[1.0, 1700000000], [7.0, 1700000010], [None, 1700000020]]
    assert await answered([{"target": "queue", "datapoints": points}], "graphite") == 7.0
    assert await answered([], "graphite") == 0.0
    assert await answered([{"target": "queue", "datapoints": []}], "graphite") == 0.0


async def test_the_query_is_sent_as_each_server_wants_it() -> None:
    questions = Questions()
    async with server(lambda _: web.json_response(vector("1"))) as (address, asked):
        await questions.ask(target(address + "/", namespace="team"))
        with pytest.raises(NotReady):
            await questions.ask(target(address, "graphite"))
        await questions.close()

    assert (asked[0].path, dict(asked[0].query)) == (
        "/api/v1/query", {"query": "sum(queue_depth)", "namespace": "team"},
    )  # fmt: skip
    assert (asked[1].path, asked[1].query["target"], asked[1].query["format"]) == (
        "/render", "sum(queue_depth)", "json",
    )  # fmt: skip


async def test_several_series_are_no_number() -> None:
    with pytest.raises(NotReady, match="2 series; aggregate them in the query"):
        await answered(vector("1", "2"))


async def test_what_is_no_answer_says_who_gave_none() -> None:
    with pytest.raises(NotReady, match=r"prometheus at 127\.0\.0\.1 answered what is no number"):
        await answered({"status": "error"})
    questions = Questions()
    async with server(lambda _: web.Response(status=503)) as (address, _):
        with pytest.raises(NotReady, match=r"answered 503 to the query sum\(queue_depth\)"):
            await questions.ask(target(address))
    with pytest.raises(NotReady, match=r"prometheus at 127\.0\.0\.1 cannot be asked"):
        await questions.ask(target(address))
    await questions.close()


async def test_credentials_in_an_address_are_not_told() -> None:
    questions = Questions()
    with pytest.raises(NotReady) as caught:
        await questions.ask(target("http://user:hush@127.0.0.1:1"))
    await questions.close()
    assert "hush" not in str(caught.value)
