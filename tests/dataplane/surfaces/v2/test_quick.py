"""The short way gives the plain way's bytes, and leaves everything unusual to it."""

import asyncio
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.plan.model import Chain, Node, Protocol, UnitName
from fairlead.protocols.exchange import Head, Headers, Request, Response
from fairlead.protocols.tensors import DTYPES
from support.serving import JSON, Fake, Served, Times, ask, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

INFER = "/v2/models/m/infer"
OCTETS = (b"content-type", b"application/octet-stream")


class Rows(Times):
    """Rows of any width, answered in one dtype."""

    def __init__(self, dtype: str = "float64", tail: tuple[int, ...] = (3,)) -> None:
        super().__init__()
        self.dtype = dtype
        self.tail = tail

    def predict(self, rows: Any) -> Any:
        self.calls.append(rows)
        count = math.prod(self.tail) or 1
        flat = np.repeat(rows.reshape(len(rows), -1).sum(axis=1), count)
        with np.errstate(all="ignore"):
            return flat.astype(self.dtype).reshape(len(rows), *self.tail)


def ways(rows: Rows | None = None, *, seldon: bool = False, variant: str = "") -> tuple[Served, Served, Fake]:
    """A surface with the short way, one whose unit is batched without it (the graph is a chain), and the first's
    unit."""
    drawing = Node(unit=UnitName("m"), kind="model") if seldon else None
    rows = rows or Rows()
    quick = Fake("m", rows=rows)
    told: dict[str, Any] = {"protocol": Protocol.V2, "drawing": drawing}
    short = served(worker_spec([unit("m", variant=variant)], call("m"), **told), m=quick)
    chain = Chain(steps=(call("m"),))
    plain = served(
        worker_spec([unit("m", variant=variant)], chain, **told), m=Fake("m", rows=Rows(rows.dtype, rows.tail))
    )
    return short, plain, quick


async def both(short: Served, plain: Served, headers: Headers, body: bytes) -> tuple[Response, Response]:
    head = Head("POST", INFER, b"", headers)
    request = Request("POST", INFER, b"", headers, body, head)
    return await ask(short.handler, request), await ask(plain.handler, request)


def body_of(**members: Any) -> bytes:
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2.5]]}
    return json.dumps({"id": "i", "inputs": [item]} | members).encode()


def binary_of(array: Any, datatype: str, **members: Any) -> tuple[bytes, Headers]:
    item = {
        "name": "x",
        "shape": list(array.shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": array.nbytes},
    }
    text = json.dumps({"id": "i", "inputs": [item]} | members).encode()
    return text + array.tobytes(), [OCTETS, (b"inference-header-content-length", str(len(text)).encode())]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "uint16"])
@pytest.mark.parametrize("tail", [(), (1,), (3,), (2, 2)])
@pytest.mark.parametrize("seldon", [False, True])
async def test_json_is_answered_with_the_same_bytes(dtype: str, tail: tuple[int, ...], seldon: bool) -> None:
    short, plain, fake = ways(Rows(dtype, tail), seldon=seldon)

    one, other = await both(short, plain, [JSON, (b"seldon-puid", b"p")], body_of(id="<&>"))

    assert (one.status, one.body, one.headers) == (200, other.body, other.headers)
    assert fake.asked == []  # the unit itself was not asked: its rows were


@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT64", "UINT8"])
@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "output-0", "parameters": {"binary_data": True}}]},
        {"outputs": [{"name": "output-0", "parameters": {"binary_data": False}}]},
        {"outputs": [{"name": "output-0"}]},
    ],
)
async def test_binary_is_answered_with_the_same_bytes(datatype: str, wish: dict[str, Any]) -> None:
    short, plain, fake = ways()
    body, headers = binary_of(np.arange(6).reshape(2, 3).astype(DTYPES[datatype]), datatype, **wish)

    for _ in range(2):  # the second time the JSON is known
        one, other = await both(short, plain, headers, body)
        assert (one.status, one.body, one.headers) == (200, other.body, other.headers)
    assert fake.asked == []


async def test_known_json_with_other_bytes_behind_it_is_read_anew() -> None:
    short, plain, _ = ways()
    array = np.ones((1, 2), np.float32)
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": array.nbytes}}
    text = json.dumps({"inputs": [item], "parameters": {"binary_data_output": True}}).encode()
    headers = [OCTETS, (b"inference-header-content-length", str(len(text)).encode())]
    answers = []
    for tail in (array.tobytes(), (array * 2).tobytes(), b"short"):
        one, other = await both(short, plain, headers, text + tail)
        answers.append(one)
        assert one.status == other.status

    assert [answer.status for answer in answers] == [200, 200, 400]
    assert answers[0].body[-8:] == np.float64(2).tobytes()
    assert answers[1].body[-8:] == np.float64(4).tobytes()


@pytest.mark.parametrize(
    "texts",
    [
        ["[1,2]", "[3,4]", "[[5,6]]", "[1e3,-2]", "[NaN,1]", "[1,2,3]", '["a",1]', "[1,2", "", '[1,2],"data":[7,8]'],
        ["[[1,2]]", "[[3,4]]", "[3,4]", "[[3],[4]]", "null", "{}", "1,2]"],
    ],
)
@pytest.mark.parametrize(
    "around",
    [
        '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":%s}]}',
        '{"inputs":[{"data":%s,"name":"x","shape":[1,2],"datatype":"INT64"}],"id":"late"}',
        '{"id":"early","inputs":[{"data": %s ,"name":"x","shape":[1,2],"datatype":"FP64"}]}',
        '{"inputs":[{"name":"a]","shape":[1,2],"datatype":"FP32","data":[0,0],"data":%s}]}',
        '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":%s}],"parameters":{"data":[1]}}',
    ],
)
async def test_what_repeats_around_values_changes_no_answer(around: str, texts: list[str]) -> None:
    short, plain, _ = ways()

    for text in [*texts, *texts]:
        headers: Headers = [JSON, (b"seldon-puid", b"p")]
        one, other = await both(short, plain, headers, (around % text).encode())
        assert (one.status, one.body) == (other.status, other.body), text


async def test_another_end_after_the_same_start_is_read() -> None:
    short, plain, _ = ways()
    start = b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]'
    ends = (b"}]}", b'}],"id":"i"}', b'}],"outputs":[{"name":"nope"}]}', b',"shape":[2,1]}]}', b"}]", b"}]} ")

    for end in ends * 2:
        one, other = await both(short, plain, [JSON, (b"seldon-puid", b"p")], start + end)
        assert (one.status, one.body) == (other.status, other.body), end


@pytest.mark.parametrize(
    "members",
    [
        {"outputs": [{"name": "nope"}]},
        {"outputs": [{"name": "output-0"}, {"name": "output-0"}]},
        {"parameters": {"content_type": "np"}},
        {"id": 7},
        {"inputs": []},
        {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1]}]},
        {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP16", "data": [1, 2]}]},
        {"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}]},
        {"inputs": [{"name": "x", "shape": [0, 2], "datatype": "FP32", "data": []}]},
        {"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["a"]}]},
        {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1], "parameters": {"a": 1}}]},
        {"more": 1},
    ],
)
async def test_what_is_unusual_goes_the_plain_way(members: dict[str, Any]) -> None:
    short, plain, _ = ways()

    one, other = await both(short, plain, [JSON], body_of(**members))

    assert (one.status, one.body) == (other.status, other.body)


async def test_numbers_that_are_not_finite_are_answered_as_the_plain_way_does() -> None:
    short, plain, _ = ways()
    body = b'{"id":"i","inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[%b]}]}'

    for text in (b"NaN", b"null", b'"Infinity"', b"1e999"):
        one, other = await both(short, plain, [JSON], body % text)
        assert (one.status, one.body) == (200, other.body)


async def test_a_half_is_answered_in_binary_alone() -> None:
    short, plain, _ = ways(Rows("float16"))
    body, headers = binary_of(np.ones((1, 2)), "FP64", parameters={"binary_data_output": True})

    one, other = await both(short, plain, headers, body)
    assert (one.status, one.body) == (200, other.body)

    one, other = await both(short, plain, [JSON], body_of())
    assert (one.status, one.body) == (400, other.body)


async def test_a_bad_row_fails_alone_and_in_the_units_own_words() -> None:
    short = served(worker_spec([unit("m")], call("m"), protocol=Protocol.V2), m=Fake("m", rows=Times()))
    good = Request("POST", INFER, b"", [JSON], body_of())
    item = {"name": "x", "shape": [1, 5], "datatype": "FP32", "data": [1] * 5}
    bad = Request("POST", INFER, b"", [JSON], body_of(inputs=[item]))
    answers = await asyncio.gather(ask(short.handler, good), ask(short.handler, bad), ask(short.handler, good))

    assert [answer.status for answer in answers] == [200, 500, 200]
    assert "X has 5 features, expecting 4" in answers[1].body.decode()


async def test_the_way_is_closed_while_the_model_is_unloaded() -> None:
    short, _, _ = ways()
    assert (await short.post(INFER, body_of())).status == 200

    await short.post("/v2/repository/models/m/unload", b"")
    assert (await short.post(INFER, body_of())).status == 404

    await short.post("/v2/repository/models/m/load", b"")
    assert (await short.post(INFER, body_of())).status == 200


async def test_an_id_is_made_where_there_is_none() -> None:
    short, _, _ = ways()

    ids = {json.loads((await short.post(INFER, body_of(id=""))).body)["id"] for _ in range(3)}

    assert len(ids) == 3
    assert "" not in ids


async def test_a_seldon_graph_names_the_request_by_its_puid() -> None:
    short, _, _ = ways(seldon=True)

    response = await short.post(INFER, body_of(id=""), (b"seldon-puid", b'a"b'))

    assert header(response, "Seldon-Puid") == 'a"b'
    assert json.loads(response.body)["id"] == 'a"b'


NUMBERS = st.integers(-5, 5) | st.floats(width=32) | st.none() | st.booleans() | st.sampled_from(["NaN", "a", "1"])


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.lists(NUMBERS, min_size=2, max_size=3), min_size=1, max_size=3),
    datatype=st.sampled_from(["FP32", "FP64", "INT64", "INT8", "UINT64", "BOOL", "BYTES", "FP16", "?"]),
    width=st.integers(0, 3),
    identity=st.none() | st.text(max_size=3),
)
async def test_both_ways_agree_on_any_rows(
    rows: list[list[Any]], datatype: str, width: int, identity: str | None
) -> None:
    short, plain, _ = ways()
    item = {"name": "x", "shape": [len(rows), width], "datatype": datatype, "data": rows}

    # A puid that is given is the id where a request has none, so that both ways give the same one.
    headers: Headers = [JSON, (b"seldon-puid", b"p")]
    one, other = await both(short, plain, headers, body_of(id=identity, inputs=[item]))

    assert (one.status, one.body) == (other.status, other.body)


@pytest.mark.parametrize("is_binary", [False, True])
async def test_an_mlserver_says_how_its_arrays_are_encoded(is_binary: bool) -> None:
    short, plain, quick = ways(variant="mlserver")
    told = {"parameters": {"binary_data_output": True}} if is_binary else {}

    first, second = await both(short, plain, [JSON], body_of(**told))

    assert len(quick.asked) == 0  # the short way asks for rows alone
    assert first == second
    assert b'"parameters":{"content_type":"np"' in first.body
