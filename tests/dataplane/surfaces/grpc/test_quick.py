"""The short way against the plain way: the same bytes for whatever it takes, and no other calls."""

from typing import Any

import numpy as np
import pytest

from fairlead.plan.model import Protocol
from fairlead.protocols import protos
from fairlead.protocols.exchange import Request, Response
from fairlead.protocols.grpc import frame_message
from support.serving import Fake, Times, ask, call, served, unit, worker_spec

pytestmark = pytest.mark.anyio

SELDON, MODEL, INFER = (
    "/seldon.protos.Seldon/Predict",
    "/seldon.protos.Model/Predict",
    "/inference.GRPCInferenceService/ModelInfer",
)
HEADERS = [(b"content-type", b"application/grpc"), (b"seldon-puid", b"p")]
ROWS = [[1.0, 2.5], [3.0, float("nan")]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Giving(Times):
    """A model whose answer is an array of this kind."""

    def __init__(self, dtype: str, columns: int) -> None:
        super().__init__()
        self._dtype = dtype
        self._columns = columns

    def predict(self, rows: Any) -> Any:
        self.calls.append(rows)
        values = np.nan_to_num(rows).sum(axis=1, keepdims=True) + np.arange(self._columns or 1)
        return (values if self._columns else values[:, 0]).astype(self._dtype)


def seldon(**fields: Any) -> bytes:
    return bytes(protos.message("seldon.protos.SeldonMessage")(**fields).SerializeToString())


def tensor() -> bytes:
    return seldon(data={"names": ["a", "b"], "tensor": {"shape": [2, 2], "values": [1, 2.5, 3, float("nan")]}}, meta={})


def ndarray() -> bytes:
    message = protos.message("seldon.protos.SeldonMessage")()
    message.data.ndarray.extend(ROWS)
    return bytes(message.SerializeToString())


def v2(*, is_raw: bool, **more: Any) -> bytes:
    array = np.array(ROWS, "<f4")
    item: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [2, 2]}
    fields: dict[str, Any] = {"model_name": "m", "id": "7", "inputs": [item], **more}
    if is_raw:
        fields["raw_input_contents"] = [array.tobytes()]
    else:
        item["contents"] = {"fp32_contents": array.reshape(-1).tolist()}
    return bytes(protos.message("inference.ModelInferRequest")(**fields).SerializeToString())


async def both(
    path: str, body: bytes, model: Giving, *, variant: str = "", single: bool = False
) -> tuple[Response, Response]:
    """The answer of a worker with the short way, and of one without."""
    protocol = Protocol.V2 if path == INFER else Protocol.SELDON
    spec = worker_spec([unit("m", variant=variant)], call("m"), protocol=protocol, single_unit=single)
    answers = []
    for is_short in (True, False):
        over = served(spec, m=Fake("m", rows=model))
        if not is_short:
            over.executor.lone_model = lambda: None  # type: ignore[method-assign]  # as a graph has none
        answers.append(await ask(over.handler, Request("POST", path, b"", HEADERS, frame_message(body))))
    return answers[0], answers[1]


@pytest.mark.parametrize("columns", [0, 1, 3])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "f2"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SELDON, tensor()),
        (SELDON, ndarray()),
        (MODEL, tensor()),
        (INFER, v2(is_raw=True)),
        (INFER, v2(is_raw=False)),
    ],
)
async def test_both_ways_give_the_same_bytes(path: str, body: bytes, dtype: str, columns: int) -> None:
    short, plain = await both(path, body, Giving(dtype, columns))

    assert short == plain
    assert b"grpc-status: 0" in short.headers


@pytest.mark.parametrize("dtype", ["f8", "i8"])
@pytest.mark.parametrize("is_raw", [False, True])
async def test_an_mlserver_says_how_its_arrays_are_encoded_either_way(dtype: str, is_raw: bool) -> None:
    short, plain = await both(INFER, v2(is_raw=is_raw), Giving(dtype, 3), variant="mlserver")

    answer = protos.message("inference.ModelInferResponse").FromString(short.body[5:])
    assert short == plain
    assert answer.outputs[0].parameters["content_type"].string_param == "np"


async def test_a_bare_unit_says_nothing_of_routing_either_way() -> None:
    short, plain = await both(SELDON, tensor(), Giving("f8", 3), single=True)

    assert short == plain
    assert b"grpc-status: 0" in short.headers


async def test_requests_of_one_turn_share_a_call_and_a_bad_row_fails_alone() -> None:
    import asyncio

    model = Times()
    over = served(worker_spec([unit("m")], call("m"), protocol=Protocol.V2), m=Fake("m", rows=model))
    wide: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [1, 5], "contents": {"fp32_contents": [1] * 5}}
    bodies = [v2(is_raw=False)] * 3 + [
        bytes(protos.message("inference.ModelInferRequest")(inputs=[wide]).SerializeToString())
    ]
    answers = await asyncio.gather(
        *(ask(over.handler, Request("POST", INFER, b"", HEADERS, frame_message(body))) for body in bodies)
    )

    assert [b"grpc-status: 0" in one.headers for one in answers] == [True, True, True, False]
    assert len(model.calls[0]) == 6


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SELDON, seldon(data={"tensor": {"shape": [1, 2], "values": [1, 2]}}, meta={"puid": "x"})),
        (SELDON, seldon(data={"tensor": {"shape": [3, 2], "values": [1, 2]}})),
        (SELDON, seldon(data={"tensor": {"values": [1, 2]}})),
        (SELDON, seldon(strData="x")),
        (SELDON, b"\xff"),
        (INFER, v2(is_raw=True, outputs=[{"name": "output-0"}])),
        (INFER, v2(is_raw=True, model_name="zzz")),
    ],
)
async def test_what_asks_for_more_goes_the_plain_way(path: str, body: bytes) -> None:
    short, plain = await both(path, body, Giving("f8", 2))

    assert short == plain
