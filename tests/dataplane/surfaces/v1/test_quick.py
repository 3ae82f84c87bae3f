"""The short way of V1 and the plain way give the same bytes, whatever is sent."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.dataplane.surfaces.answering import Answering
from fairlead.dataplane.surfaces.composing import Parts
from fairlead.dataplane.surfaces.models import Models
from fairlead.dataplane.surfaces.v1.predicting import Predicting
from fairlead.plan.model import Node, Protocol, UnitName
from fairlead.protocols.exchange import Request, Response
from fairlead.protocols.kserve_v1 import V1_JSON
from support.serving import JSON, Fake, Times, ask, call, served, unit, worker_spec

PUID = (b"seldon-puid", b"one")
numbers = st.integers(-(2**70), 2**70) | st.floats() | st.integers(-9, 9)
cells = numbers | st.booleans() | st.none() | st.text(max_size=3)
rows = st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=3)
wide = st.lists(st.lists(numbers, min_size=5, max_size=5), min_size=1, max_size=2)
odd = st.recursive(cells, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
objects = st.fixed_dictionaries(
    {"instances": st.one_of(rows, rows, rows, wide, odd)}, optional={"inputs": rows, "x": st.none()}
)
bodies = objects.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=8)
headers = st.sampled_from(
    [[JSON], [JSON], [(b"content-type", b"text/plain")], [], [JSON, (b"content-encoding", b"gzip")]]
)
requests = st.builds(
    lambda head, body: Request("POST", "/v1/models/m:predict", b"", [*head, PUID], body), headers, bodies
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.lists(requests, min_size=1, max_size=4), st.booleans())
def test_answers_are_the_same_both_ways(sent: list[Request], is_seldon: bool) -> None:
    drawing = Node(unit=UnitName("m"), kind="model") if is_seldon else None
    spec = worker_spec([unit("m")], call("m"), protocol=Protocol.V1, drawing=drawing)

    async def both_ways() -> tuple[list[Response], list[Response]]:
        surface = served(spec, m=Fake("m", rows=Times()))
        parts = Parts(spec, surface.executor, surface.meters, Models(spec, surface.executor))
        plain = Predicting(parts, Answering(spec, surface.meters, V1_JSON))
        short = await asyncio.gather(*(ask(surface.handler, request) for request in sent))
        return list(short), [
            await ask(lambda request, reply: plain.predict(request, reply, "m"), request) for request in sent
        ]

    short, plain = asyncio.run(both_ways())

    assert short == plain


def test_the_short_way_was_taken() -> None:
    model = Times()
    fake = Fake("m", rows=model)
    spec = worker_spec([unit("m")], call("m"), protocol=Protocol.V1)

    async def send() -> list[Response]:
        surface = served(spec, m=fake)
        sent = [Request("POST", "/v1/models/m:predict", b"", [JSON], b'{"instances":[[1.5,2]]}') for _ in range(3)]
        return list(await asyncio.gather(*(ask(surface.handler, request) for request in sent)))

    answers = asyncio.run(send())

    assert len(model.calls) == 1
    assert fake.asked == []
    assert {answer.body for answer in answers} == {b'{"predictions":[[3.0,4.0]]}'}
