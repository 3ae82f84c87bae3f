"""The short way and the plain way give the same bytes, whatever is sent."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.dataplane.metering import Meters, Place
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces.seldon.graph_routes import GraphRoutes
from fairlead.dataplane.surfaces.seldon.unit_routes import UnitRoutes
from fairlead.protocols.exchange import Head, Request, Response
from support.serving import JSON, Fake, Times, ask, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

PUID = (b"seldon-puid", b"one")

numbers = st.integers(-(2**70), 2**70) | st.floats() | st.integers(-9, 9)
cells = numbers | st.booleans() | st.none() | st.text(max_size=3)
rows = st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=3)
wide = st.lists(st.lists(numbers, min_size=5, max_size=5), min_size=1, max_size=2)
odd = st.recursive(cells, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
data = st.fixed_dictionaries(
    {"ndarray": st.one_of(rows, rows, rows, wide, odd)},
    optional={"names": st.lists(st.text(max_size=2), max_size=3) | st.integers(), "tensor": st.none()},
)
messages = st.fixed_dictionaries(
    {"data": data | st.none() | st.lists(st.integers(), max_size=1)},
    optional={
        "meta": st.sampled_from([{}, {}, {"puid": "p"}, {"tags": {"a": "<b>"}}, None, 5]),
        "strData": st.text(max_size=2),
    },
)
bodies = messages.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=8)
headers = st.sampled_from(
    [
        [JSON],
        [JSON],
        [JSON],
        [(b"content-type", b"application/json; charset=utf-8")],
        [(b"content-type", b"text/plain")],
        [],
        [JSON, (b"ce-specversion", b"1.0")],
        [JSON, (b"origin", b"http://a")],
        [JSON, (b"content-encoding", b"gzip")],
    ]
)
queries = st.sampled_from([b"", b"", b"", b"json=%7B%22strData%22%3A%22a%22%7D"])
requests = st.builds(
    lambda head, query, body: Request("POST", "/x", query, [*head, PUID], body), headers, queries, bodies
)


def spec_of(**fields: Any) -> WorkerSpec:
    return worker_spec([unit("m")], call("m"), **fields)


async def both_ways(sent: list[Request], spec: WorkerSpec, names: list[str] | None) -> tuple[Any, Any]:
    fake = Fake("m", rows=Times(class_names=names))
    surface = served(spec, m=fake)
    graph = GraphRoutes(spec, surface.executor, surface.meters)
    quick = graph.routes()["/api/v1.0/predictions"]["POST"]

    short = await asyncio.gather(*(ask(quick, request) for request in sent))
    plain = [await ask(graph.predict_plain, request) for request in sent]
    return short, plain


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.lists(requests, min_size=1, max_size=4), st.booleans(), st.sampled_from([None, ["a<", "b"]]))
def test_a_graphs_answers_are_the_same_both_ways(
    sent: list[Request], with_routing: bool, names: list[str] | None
) -> None:
    spec = spec_of(include_routing=with_routing)

    short, plain = asyncio.run(both_ways(sent, spec, names))

    assert short == plain


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.lists(requests, min_size=1, max_size=4))
def test_a_bare_units_answers_are_the_same_both_ways(sent: list[Request]) -> None:
    async def compare() -> tuple[list[Response], list[Response]]:
        surface = served(spec_of(single_unit=True), m=Fake("m", rows=Times()))
        routes = UnitRoutes(surface.executor.units["m"], surface.meters, limit_bytes=10_000, is_whole=True).routes()
        quick, plain = routes["/predict"]["POST"], routes["/predict"]["GET"]
        short = await asyncio.gather(*(ask(quick, request) for request in sent))
        return short, [await ask(plain, request) for request in sent]

    short, plain = asyncio.run(compare())

    assert short == plain


def test_the_short_way_was_taken() -> None:
    model = Times()
    fake = Fake("m", rows=model)

    async def send() -> list[Response]:
        surface = served(spec_of(), m=fake)
        body = b'{"meta":{},"data":{"ndarray":[[1.5,2]]}}'
        sent = [Request("POST", "/api/v1.0/predictions", b"", [JSON], body) for _ in range(3)]
        return list(await asyncio.gather(*(ask(surface.handler, request) for request in sent)))

    answers = asyncio.run(send())

    assert len(model.calls) == 1
    assert fake.asked == []
    assert {answer.status for answer in answers} == {200}
    assert len({header(answer, "Seldon-Puid") for answer in answers}) == 3


async def test_a_bad_row_fails_alone_in_the_units_own_words() -> None:
    class Picky(Times):
        def predict(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            if (rows < 0).any():
                raise ValueError("rows must not be negative")
            return super().predict(rows)

    surface = served(spec_of(), m=Fake("m", rows=Picky()))
    sent = [{"data": {"ndarray": [[value, 1.0]]}} for value in (1.0, -1.0, 2.0)]

    good, bad, other = await asyncio.gather(*(surface.post("/api/v1.0/predictions", value) for value in sent))

    assert (good.status, bad.status, other.status) == (200, 500, 200)
    assert json.loads(good.body)["data"]["ndarray"] == [[2.0, 2.0]]
    assert json.loads(bad.body)["status"]["info"] == "rows must not be negative"
    assert json.loads(other.body)["data"]["ndarray"] == [[4.0, 2.0]]


async def test_what_a_head_says_is_kept_for_the_next_request() -> None:
    surface = served(spec_of(), m=Fake("m", rows=Times()))
    head = Head("POST", "/api/v1.0/predictions", b"", [JSON, (b"seldon-puid", b"mine")])
    body = b'{"data":{"ndarray":[[1.0]]}}'

    answers = [
        await ask(surface.handler, Request(head.method, head.path, head.query, head.headers, body, head))
        for _ in range(2)
    ]

    assert head.note is not None
    assert [header(answer, "Seldon-Puid") for answer in answers] == ["mine", "mine"]


async def test_each_answer_is_counted_once() -> None:
    surface = served(spec_of(), m=Fake("m", rows=Times()))

    for _ in range(3):
        await surface.post("/api/v1.0/predictions", {"data": {"ndarray": [[1.0]]}})

    meters: Meters = surface.meters
    assert meters.server("predictions", "post", "200").count == 3
    assert meters.client(unit("m"), "/predict", "200").count == 3
    assert Meters(Place(deployment="d", predictor="p")).server("predictions", "post", "200").count == 0
