"""The short way of TensorFlow's REST and the plain way give the same bytes."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.plan.model import Protocol
from fairlead.protocols.exchange import Request, Response
from support.serving import JSON, Array, Fake, Times, ask, call, served, unit, worker_spec

numbers = st.integers(-(2**70), 2**70) | st.floats() | st.integers(-9, 9)
rows = st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=3)
odd = st.recursive(numbers | st.none() | st.text(max_size=2), lambda inner: st.lists(inner, max_size=3), max_leaves=6)
bodies = st.fixed_dictionaries({"instances": rows | rows | odd}, optional={"signature_name": st.just("")}).map(
    lambda value: json.dumps(value).encode()
)


class Halves(Times):
    """As many models do: it computes in 32 bits."""

    def predict(self, rows: Array) -> Array:
        with np.errstate(over="ignore"):
            return super().predict(rows).astype(np.float32)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(st.lists(bodies, min_size=1, max_size=4), st.booleans())
def test_answers_are_the_same_both_ways(sent: list[bytes], is_small: bool) -> None:
    spec = worker_spec([unit("m")], call("m"), protocol=Protocol.TENSORFLOW)
    model = Halves if is_small else Times

    async def both_ways() -> tuple[list[Response], list[Response]]:
        quick = served(spec, m=Fake("m", rows=model()))
        short = [Request("POST", "/v1/models/m:predict", b"", [JSON], body) for body in sent]
        # A version is never asked the short way.
        plain = [Request("POST", "/v1/models/m/versions/1:predict", b"", [JSON], body) for body in sent]
        return (
            list(await asyncio.gather(*(ask(quick.handler, request) for request in short))),
            [await ask(quick.handler, request) for request in plain],
        )

    short, plain = asyncio.run(both_ways())

    assert short == plain


def test_the_short_way_was_taken() -> None:
    model = Halves(factor=0.1)
    spec = worker_spec([unit("m")], call("m"), protocol=Protocol.TENSORFLOW)

    async def send() -> list[Response]:
        surface = served(spec, m=Fake("m", rows=model))
        sent = [Request("POST", "/v1/models/m:predict", b"", [JSON], b'{"instances":[[1]]}') for _ in range(3)]
        return list(await asyncio.gather(*(ask(surface.handler, request) for request in sent)))

    answers = asyncio.run(send())

    assert len(model.calls) == 1
    assert {answer.body for answer in answers} == {b'{"predictions":[[0.1]]}'}
