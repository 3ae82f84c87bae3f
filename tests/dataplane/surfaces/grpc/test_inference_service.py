"""`inference.GRPCInferenceService` over real connections: typed and raw values, metadata, the repository, streams."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from fairlead.dataplane.spec import WorkerSpec
from fairlead.plan.model import Chain, Method, Protocol
from fairlead.protocols import protos
from fairlead.runtimes.base import Columns, ModelState, RepositoryModel, TensorSpec
from fairlead.runtimes.component import Component
from support.grpc_calls import Caller, Failed, as_bytes, calling
from support.grpc_channels import channel_to
from support.serving import Fake, Times, call, unit, worker_spec

pytestmark = pytest.mark.anyio

SERVICE = "/inference.GRPCInferenceService"
REQUEST, ANSWER = "inference.ModelInferRequest", "inference.ModelInferResponse"
ROWS = {"name": "x", "datatype": "FP32", "shape": [1, 2], "contents": {"fp32_contents": [1, 2]}}
RAW = {"name": "x", "datatype": "FP32", "shape": [1, 2]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def spec(**fields: Any) -> WorkerSpec:
    return worker_spec([unit("m")], call("m"), protocol=Protocol.V2, **fields)


class Same:
    def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
        return X


def same() -> Component:
    return Component(Same(), unit("m"), env={})


async def infer(ask: Caller, **fields: Any) -> Any:
    return await ask(f"{SERVICE}/ModelInfer", REQUEST, ANSWER, {"model_name": "m", **fields})


async def test_typed_values_are_answered_with_typed_values_under_the_requests_id() -> None:
    async with calling(spec(), m=Fake("m", rows=Times())) as ask:
        answer = await infer(ask, id="42", inputs=[ROWS])

    [output] = answer.outputs
    assert (answer.model_name, answer.id) == ("m", "42")
    assert (output.name, output.datatype, list(output.shape)) == ("output-0", "FP32", [1, 2])
    assert list(output.contents.fp32_contents) == [2, 4]
    assert not answer.raw_output_contents


async def test_raw_values_are_answered_with_raw_values() -> None:
    async with calling(spec(), m=Fake("m", rows=Times())) as ask:
        answer = await infer(ask, inputs=[RAW], raw_input_contents=[np.array([1, 2], "<f4").tobytes()])

    assert np.frombuffer(answer.raw_output_contents[0], "<f4").tolist() == [2, 4]
    assert not answer.outputs[0].HasField("contents")
    assert len(answer.id) == 36


@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize(
    ("datatype", "dtype", "field"),
    [
        ("BOOL", "?", "bool_contents"),
        ("UINT8", "u1", "uint_contents"),
        ("UINT16", "<u2", "uint_contents"),
        ("UINT32", "<u4", "uint_contents"),
        ("UINT64", "<u8", "uint64_contents"),
        ("INT8", "i1", "int_contents"),
        ("INT16", "<i2", "int_contents"),
        ("INT32", "<i4", "int_contents"),
        ("INT64", "<i8", "int64_contents"),
        ("FP32", "<f4", "fp32_contents"),
        ("FP64", "<f8", "fp64_contents"),
    ],
)
async def test_every_datatype_goes_through_a_model_and_back(
    datatype: str, dtype: str, field: str, is_raw: bool
) -> None:
    array = np.array([[0, 1]], dtype=dtype)
    tensor: dict[str, Any] = {"name": "x", "datatype": datatype, "shape": [1, 2]}
    fields: dict[str, Any] = {"inputs": [tensor]}
    if is_raw:
        fields["raw_input_contents"] = [array.tobytes()]
    else:
        tensor["contents"] = {field: array.reshape(-1).tolist()}

    async with calling(spec(), m=same()) as ask:
        answer = await infer(ask, **fields)

    assert answer.outputs[0].datatype == datatype
    if is_raw:
        assert answer.raw_output_contents[0] == array.tobytes()
    else:
        assert list(getattr(answer.outputs[0].contents, field)) == array.reshape(-1).tolist()


async def test_half_precision_is_raw_both_ways() -> None:
    array = np.array([[1.5, -2]], "<f2")
    tensor = {"name": "x", "datatype": "FP16", "shape": [1, 2]}
    async with calling(spec(), m=same()) as ask:
        answer = await infer(ask, inputs=[tensor], raw_input_contents=[array.tobytes()])
        with pytest.raises(Failed, match="INVALID_ARGUMENT: Receiving FP16 data as typed contents"):
            await infer(ask, inputs=[{**tensor, "contents": {"fp32_contents": [1, 2]}}])

    assert answer.raw_output_contents[0] == array.tobytes()


async def test_bytes_are_text_to_a_model_and_bytes_on_the_wire() -> None:
    seen: list[Any] = []

    class Upper:
        def predict(self, X: Any, names: Any) -> Any:
            seen.extend(X.tolist())
            return np.array([text.upper() for text in X])

    tensor = {"name": "x", "datatype": "BYTES", "shape": [2], "contents": {"bytes_contents": [b"a", "ß".encode()]}}
    async with calling(spec(), m=Component(Upper(), unit("m"), env={})) as ask:
        answer = await infer(ask, inputs=[tensor])

    assert seen == ["a", "ß"]
    assert list(answer.outputs[0].contents.bytes_contents) == [b"A", b"SS"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model_name": "zzz", "inputs": [ROWS]}, "NOT_FOUND: Model with name zzz does not exist."),
        ({"model_version": "9", "inputs": [ROWS]}, "NOT_FOUND: Model m with version 9 not found"),
        ({"inputs": []}, "INVALID_ARGUMENT: .*no inputs"),
        ({"inputs": [{**RAW, "datatype": "FP99"}]}, "INVALID_ARGUMENT: invalid datatype .*FP99.* expected one of BOOL"),
        ({"inputs": [{**ROWS, "shape": [2, 2]}]}, "INVALID_ARGUMENT: .*needs 4 values of FP32; fp32_contents holds 2"),
        ({"inputs": [{**ROWS, "shape": [-1, 2]}]}, "INVALID_ARGUMENT: .*shape"),
        (
            {"inputs": [{**RAW, "datatype": "INT8", "contents": {"int_contents": [1, 300]}}]},
            "INVALID_ARGUMENT: .*none of INT8",
        ),
        (
            {"inputs": [ROWS], "raw_input_contents": [b"12345678"]},
            "INVALID_ARGUMENT: contents field must not be specified when using raw_input_contents for input 'x' for "
            "model 'm'",
        ),
        (
            {"inputs": [RAW, RAW], "raw_input_contents": [b"12345678"]},
            r"number of inputs \(2\) does not match the expected number of raw input contents \(1\) for model 'm'",
        ),
        ({"inputs": [RAW], "raw_input_contents": [b"123"]}, "INVALID_ARGUMENT: .*needs 8 bytes, got 3 bytes"),
        (
            {"inputs": [ROWS], "outputs": [{"name": "nope"}]},
            "INVALID_ARGUMENT: Unexpected inference output 'nope' for model 'm'",
        ),
    ],
)
async def test_what_cannot_be_answered_says_why(fields: dict[str, Any], words: str) -> None:
    async with calling(spec(), m=Fake("m", rows=Times())) as ask:
        with pytest.raises(Failed, match=words):
            await infer(ask, **fields)


async def test_a_models_exception_is_internal_with_its_words_and_unit() -> None:
    class Raising:
        def predict(self, X: Any, names: Any) -> Any:
            raise ValueError("too hot")

    async with calling(spec(), m=Component(Raising(), unit("m"), env={})) as ask:
        with pytest.raises(Failed) as failed:
            await infer(ask, inputs=[ROWS])

    assert (failed.value.code, failed.value.words) == ("INTERNAL", "too hot")
    assert failed.value.trailers["fairlead-unit"] == "m"


async def test_wanted_outputs_come_in_their_order_and_a_tensor_keeps_its_parameters() -> None:
    parameters = {"content_type": {"string_param": "np"}, "n": {"int64_param": -1}, "d": {"double_param": 0.5}}
    seen: list[Any] = []

    class Looking(Component):
        def invoke(self, method: Method, message: Any) -> Any:
            seen.append((message.asked.parameters, message.payload.value[0].parameters))
            return super().invoke(method, message)

    async with calling(spec(), m=Looking(Same(), unit("m"), env={})) as ask:
        await infer(ask, parameters={"b": {"bool_param": True}}, inputs=[{**ROWS, "parameters": parameters}])

    assert seen == [({"b": True}, {"content_type": "np", "n": -1, "d": 0.5})]


async def test_a_large_raw_request_is_read_whole() -> None:
    array = np.arange(60_000, dtype="<f4").reshape(-1, 4)
    tensor = {"name": "x", "datatype": "FP32", "shape": list(array.shape)}
    async with calling(spec(), m=same()) as ask:
        answer = await infer(ask, inputs=[tensor], raw_input_contents=[array.tobytes()])

    assert answer.raw_output_contents[0] == array.tobytes()


async def test_health_and_metadata() -> None:
    fake = Fake("m", columns=Columns(count=4))
    fake.outputs = (TensorSpec(name="predict", datatype="FP32", shape=(-1, 3)),)
    fake.platform = "sklearn"
    async with calling(spec(), m=fake) as ask:
        live = await ask(f"{SERVICE}/ServerLive", "inference.ServerLiveRequest", "inference.ServerLiveResponse")
        ready = await ask(f"{SERVICE}/ServerReady", "inference.ServerReadyRequest", "inference.ServerReadyResponse")
        one = await ask(
            f"{SERVICE}/ModelReady", "inference.ModelReadyRequest", "inference.ModelReadyResponse", {"name": "m"}
        )
        server = await ask(
            f"{SERVICE}/ServerMetadata", "inference.ServerMetadataRequest", "inference.ServerMetadataResponse"
        )
        model = await ask(
            f"{SERVICE}/ModelMetadata",
            "inference.ModelMetadataRequest",
            "inference.ModelMetadataResponse",
            {"name": "m"},
        )
        with pytest.raises(Failed, match=r"NOT_FOUND: Model with name x does not exist\."):
            await ask(f"{SERVICE}/ModelReady", "inference.ModelReadyRequest", ANSWER, {"name": "x"})

    assert live.live
    assert ready.ready
    assert one.ready
    assert server.name == "fairlead"
    assert (model.name, model.platform) == ("m", "sklearn")
    assert [(one.name, one.datatype, list(one.shape)) for one in model.inputs] == [("input-0", "FP64", [-1, 4])]
    assert [(one.name, one.datatype, list(one.shape)) for one in model.outputs] == [("predict", "FP32", [-1, 3])]


class Shelf:
    """A repository of two models, one of them loaded."""

    def __init__(self) -> None:
        self.loaded = {"a": True, "b": False}

    def models(self) -> list[RepositoryModel]:
        return [
            RepositoryModel(
                name=name,
                version="1" if loaded else "",
                state=ModelState.READY if loaded else ModelState.UNAVAILABLE,
                reason="" if loaded else "unloaded",
            )
            for name, loaded in self.loaded.items()
        ]

    def model(self, name: str, version: str = "") -> Any:
        return Fake(name)

    def load(self, name: str) -> None:
        self.loaded[name] = True

    def unload(self, name: str) -> None:
        self.loaded[name] = False


@pytest.mark.parametrize("field", ["model_name", "named_model"])
async def test_a_repository_is_listed_loaded_and_unloaded_by_kserves_field_and_tritons(field: str) -> None:
    fake = Fake("m")
    fake.repository = shelf = Shelf()
    async with calling(spec(), m=fake) as ask:
        ready = await ask(
            f"{SERVICE}/RepositoryIndex",
            "inference.RepositoryIndexRequest",
            "inference.RepositoryIndexResponse",
            {"ready": True},
        )
        loaded = await ask(
            f"{SERVICE}/RepositoryModelLoad",
            "inference.RepositoryModelLoadRequest",
            "inference.RepositoryModelLoadResponse",
            {field: "b"},
        )
        await ask(
            f"{SERVICE}/RepositoryModelUnload",
            "inference.RepositoryModelUnloadRequest",
            "inference.RepositoryModelUnloadResponse",
            {field: "a"},
        )
        every = await ask(
            f"{SERVICE}/RepositoryIndex", "inference.RepositoryIndexRequest", "inference.RepositoryIndexResponse"
        )

    assert [(one.name, one.version, one.state) for one in ready.models] == [("a", "1", "READY")]
    assert (loaded.model_name, loaded.isLoaded) == ("b", True)
    assert shelf.loaded == {"a": False, "b": True}
    assert [(one.name, one.state, one.reason) for one in every.models] == [
        ("a", "UNAVAILABLE", "unloaded"),
        ("b", "READY", ""),
    ]


async def test_a_stream_answers_each_question_with_its_id_and_fails_alone() -> None:
    async with calling(spec(), m=Fake("m", rows=Times())) as ask:
        answers = await ask.stream(
            f"{SERVICE}/ModelStreamInfer",
            REQUEST,
            "inference.ModelStreamInferResponse",
            {"model_name": "m", "id": "1", "inputs": [ROWS]},
            {"model_name": "nope", "id": "2", "inputs": [ROWS]},
            {"model_name": "m", "id": "3", "inputs": [{**ROWS, "shape": [5, 5]}]},
            {"model_name": "m", "id": "4", "inputs": [ROWS]},
        )

    by_id = {one.infer_response.id: one for one in answers}
    assert sorted(by_id) == ["1", "2", "3", "4"]
    assert list(by_id["4"].infer_response.outputs[0].contents.fp32_contents) == [2, 4]
    assert by_id["2"].error_message == "Model with name nope does not exist."
    assert by_id["2"].infer_response.model_name == "nope"
    assert "needs 25 values" in by_id["3"].error_message
    assert not by_id["1"].error_message


async def test_a_stream_of_many_questions_gets_as_many_answers() -> None:
    questions = [{"model_name": "m", "id": str(number), "inputs": [ROWS]} for number in range(300)]
    async with calling(spec(), m=Fake("m", rows=Times())) as ask:
        answers = await ask.stream(
            f"{SERVICE}/ModelStreamInfer", REQUEST, "inference.ModelStreamInferResponse", *questions
        )

    assert sorted(int(one.infer_response.id) for one in answers) == list(range(300))


async def test_a_stream_answers_what_it_holds_before_a_drain_ends_it() -> None:
    asked, may_go = threading.Event(), threading.Event()

    def predict(value: Any) -> Any:
        asked.set()
        assert may_go.wait(10)
        return value

    async with calling(spec(), m=Fake("m", predict=predict)) as ask:
        surfaces: Any = ask.served.handler
        data = as_bytes(REQUEST, {"model_name": "m", "id": "1", "inputs": [ROWS]})

        def talk() -> tuple[list[Any], Any]:
            with channel_to(ask.port) as channel:
                done = threading.Event()

                def questions() -> Iterator[bytes]:
                    yield data
                    done.wait(20)

                stream = channel.stream_stream(f"{SERVICE}/ModelStreamInfer")(questions(), timeout=20)
                answers = [next(stream)]
                with pytest.raises(grpc.RpcError):
                    next(stream)
                done.set()
                return answers, stream.code()

        client = asyncio.create_task(asyncio.to_thread(talk))
        assert await asyncio.to_thread(asked.wait, 10)
        surfaces.drain()
        may_go.set()
        answers, code = await client

    (answer,) = [protos.message("inference.ModelStreamInferResponse").FromString(one) for one in answers]
    assert (answer.infer_response.id, code) == ("1", grpc.StatusCode.UNAVAILABLE)


async def test_a_stream_that_is_no_message_ends_with_a_failure_of_that_question_alone() -> None:
    async with calling(spec(), m=Fake("m", rows=Times())) as ask:
        answers = await ask.stream(
            f"{SERVICE}/ModelStreamInfer",
            REQUEST,
            "inference.ModelStreamInferResponse",
            b"\xff\xff",
            {"inputs": [ROWS]},
        )

    assert [bool(one.error_message) for one in answers].count(True) == 1


async def test_a_graph_of_seldons_that_speaks_v2_gives_a_puid() -> None:
    from fairlead.plan.model import Node, UnitName

    drawing = Node(unit=UnitName("m"), kind="model")
    async with calling(spec(drawing=drawing), m=Fake("m", rows=Times())) as ask:
        answer = await ask(
            f"{SERVICE}/ModelInfer", REQUEST, ANSWER, {"inputs": [ROWS]}, metadata={"seldon-puid": "mine"}
        )

    assert ask.headers["seldon-puid"] == "mine"
    assert answer.id == "mine"


async def test_a_kserve_worker_of_v1_serves_v2_over_grpc() -> None:
    worker = worker_spec([unit("m")], call("m"), protocol=Protocol.V1)
    async with calling(worker, m=Fake("m", rows=Times())) as ask:
        answer = await infer(ask, inputs=[ROWS])

    assert list(answer.outputs[0].contents.fp32_contents) == [2, 4]
    assert "seldon-puid" not in ask.headers


async def test_random_bytes_are_refused_and_never_a_fault_of_ours() -> None:
    generator = np.random.default_rng(7)
    whole = protos.message(REQUEST)(model_name="m", inputs=[ROWS]).SerializeToString()
    async with calling(spec(), m=Fake("m", rows=Times())) as ask:
        codes = set()
        for _ in range(60):
            spoilt = bytearray(whole)
            for place in generator.integers(0, len(whole), 3):
                spoilt[place] = generator.integers(0, 256)
            try:
                await ask(f"{SERVICE}/ModelInfer", REQUEST, ANSWER, bytes(spoilt))
            except Failed as failed:
                codes.add(failed.code)

    assert codes <= {"INVALID_ARGUMENT", "NOT_FOUND"}


async def test_a_chain_hands_tensors_from_unit_to_unit() -> None:
    worker = worker_spec(
        [unit("a"), unit("b")], Chain(steps=(call("a", Method.TRANSFORM_INPUT), call("b"))), protocol=Protocol.V2
    )

    class Adding:
        def transform_input(self, X: Any, names: Any) -> Any:
            return X + 1

    a = Component(Adding(), unit("a"), env={})
    async with calling(worker, a=a, b=Component(Same(), unit("b"), env={})) as ask:
        answer = await ask(f"{SERVICE}/ModelInfer", REQUEST, ANSWER, {"model_name": "a", "inputs": [ROWS]})

    assert list(answer.outputs[0].contents.fp32_contents) == [2, 3]
