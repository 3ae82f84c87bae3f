"""The Open Inference Protocol as real clients speak it: Triton's and KServe's, REST and gRPC, JSON and binary, at a
worker's own port and through the gateway. Facts: tritonclient 2.73.0, kserve 0.21.0."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from support.conformance_models import Place, Places, gateway, workers
from support.peers import PeerProcess, Refused, peer
from support.v2_clients import BAD, MISSING, WAYS, Answered, Given, StreamRefused, Tensor, Way

pytestmark = pytest.mark.slow

DATATYPES: dict[str, list[Any]] = {
    "BOOL": [True, False],
    "UINT8": [0, 255],
    "UINT16": [0, 65535],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1],
    "INT8": [-128, 127],
    "INT16": [-(2**15), 2**15 - 1],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**63 - 1],
    "FP16": [1.5, -65504.0],
    "FP32": [1.5, -(2.0**127)],
    "FP64": [1.5, -1.0e300],
    "BYTES": ["text", "\xc3\xa9"],
}
TEXT_ALONE = ("triton-http-json", "kserve-rest-json", "kserve-rest-binary", "kserve-grpc-typed")
"""What cannot carry bytes that are no UTF-8; KServe's REST client makes text of those it reads."""
LEFT = Given("left", "FP32", [[1.5, 2.5]])
RIGHT = Given("right", "INT32", [[1, 2]])


@pytest.fixture(scope="module")
def peers() -> Iterator[dict[str, PeerProcess]]:
    with peer("triton", "triton_driver") as triton, peer("kserve", "kserve_driver") as kserve:
        yield {"triton": triton, "kserve": kserve}


@pytest.fixture(scope="module")
def every_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Places]]:
    folder = tmp_path_factory.mktemp("v2")
    with workers(folder / "workers") as direct, gateway(folder / "gateway") as (_, behind):
        yield {"worker": direct, "gateway": behind}


@pytest.fixture(params=["worker", "gateway"])
def via(every_place: dict[str, Places], request: pytest.FixtureRequest) -> Places:
    return every_place[request.param]


@pytest.fixture(params=list(WAYS))
def way(peers: dict[str, PeerProcess], request: pytest.FixtureRequest) -> Way:
    return Way(peers, **WAYS[request.param])


def ways(*names: str, why: str = "") -> pytest.MarkDecorator:
    """Run a test for these ways only; `why` is for the reader."""
    return pytest.mark.parametrize("way", names, indirect=True)


def refusal(way: Way, place: Place, model: str, *inputs: Given, status: frozenset[str], **more: Any) -> str:
    """The words of a refusal that shows one of these statuses, where the way has statuses."""
    with pytest.raises((Refused, StreamRefused)) as caught:
        way.infer(place, model, inputs, **more)
    error = caught.value
    if isinstance(error, Refused):
        assert error.status in status, error
        return error.words
    return str(error)


def only(answer: Answered) -> Tensor:
    [tensor] = answer.outputs.values()
    return tensor


@pytest.mark.parametrize("datatype", DATATYPES)
def test_every_datatype_comes_back_as_it_went(via: Places, way: Way, datatype: str) -> None:
    values = DATATYPES[datatype]
    options: dict[str, Any] = {}
    if datatype == "FP16" and not way.is_grpc:
        options["outputs"] = ["x"]  # whose answer has to be binary, so it is asked for
        way = Way(way.peers, way.library, way.kind, call=way.call)

    answer = way.infer(via["mirror"], "mirror", [Given("x", datatype, [values])], **options)

    assert (answer.model, list(answer.outputs)) == ("mirror", ["x"])
    assert only(answer) == Tensor(datatype, [1, 2], values)


@pytest.mark.parametrize(
    ("values", "shape"), [([], [0]), ([[]], [1, 0]), ([[[1.0], [2.0]]], [1, 2, 1])], ids=["none", "an empty row", "3d"]
)
def test_shapes_come_back_as_they_went(via: Places, way: Way, values: Any, shape: list[int]) -> None:
    answer = way.infer(via["mirror"], "mirror", [Given("x", "FP64", values)])

    assert only(answer).shape == shape


@ways(*(name for name in WAYS if name not in TEXT_ALONE), why="they carry text alone")
def test_bytes_that_are_no_text_come_back_as_they_went(via: Places, way: Way) -> None:
    answer = way.infer(via["mirror"], "mirror", [Given("x", "BYTES", ["\x00\xff\xfe"])], ["x"])

    assert only(answer).values == ["\x00\xff\xfe"]


def test_a_nan_comes_back(via: Places, way: Way) -> None:
    nan, one = only(way.infer(via["mirror"], "mirror", [Given("x", "FP64", [float("nan"), 1.0])])).values

    assert (math.isnan(nan), one) == (True, 1.0)


@ways(*(name for name in WAYS if not name.startswith("kserve-rest")), why="their JSON has no infinity")
def test_infinities_come_back(via: Places, way: Way) -> None:
    answer = way.infer(via["mirror"], "mirror", [Given("x", "FP64", [float("inf"), float("-inf")])])

    assert only(answer).values == [float("inf"), float("-inf")]


def test_several_inputs_and_outputs_by_name_whatever_their_order(via: Places, way: Way) -> None:
    answer = way.infer(via["pair"], "pair", [RIGHT, LEFT])

    assert answer.outputs == {
        "sum": Tensor("FP32", [1, 2], [2.5, 4.5]),
        "difference": Tensor("FP32", [1, 2], [0.5, 0.5]),
    }


def test_the_outputs_that_are_asked_for_are_the_answer(via: Places, way: Way) -> None:
    answer = way.infer(via["pair"], "pair", [LEFT, RIGHT], ["difference"])

    assert answer.outputs == {"difference": Tensor("FP32", [1, 2], [0.5, 0.5])}


def test_an_id_comes_back(via: Places, way: Way) -> None:
    assert way.infer(via["pair"], "pair", [LEFT, RIGHT], request_id="mine-7").id == "mine-7"


def test_a_large_tensor_passes(via: Places, way: Way) -> None:
    values = [float(number) for number in range(40_000)]

    assert only(way.infer(via["mirror"], "mirror", [Given("x", "FP32", values)])).values == values


def test_an_unknown_model_is_not_found(via: Places, way: Way) -> None:
    words = refusal(way, via["pair"], "nope", LEFT, RIGHT, status=MISSING)

    assert "Model with name nope does not exist." in words


def test_a_missing_tensor_is_named_with_what_it_should_be(via: Places, way: Way) -> None:
    words = refusal(way, via["pair"], "pair", LEFT, status=BAD)

    assert "missing input 'right' (INT32 [-1, 2])" in words


def test_an_unknown_tensor_is_named_with_those_there_are(via: Places, way: Way) -> None:
    words = refusal(way, via["pair"], "pair", LEFT, RIGHT, Given("up", "FP32", [[1.0]]), status=BAD)

    assert "unknown input 'up'; this model takes 'left' (FP32 [-1, 2]), 'right' (INT32 [-1, 2])" in words


def test_a_shape_the_model_does_not_take_is_named_with_the_one_it_does(via: Places, way: Way) -> None:
    words = refusal(way, via["pair"], "pair", Given("left", "FP32", [[1.0, 2.0, 3.0]]), RIGHT, status=BAD)

    assert "input 'left': expected FP32 [-1, 2], got FP32 [1, 3]" in words


def test_a_datatype_the_model_does_not_take_is_named_with_the_one_it_does(via: Places, way: Way) -> None:
    words = refusal(way, via["pair"], "pair", LEFT, Given("right", "BYTES", [["a", "b"]]), status=BAD)

    assert "input 'right': expected INT32 [-1, 2], got BYTES [1, 2]" in words


def test_a_shape_that_its_values_do_not_fill_is_refused_with_both(via: Places, way: Way) -> None:
    words = refusal(way, via["mirror"], "mirror", Given("x", "FP32", [1.0, 2.0, 3.0], shape=[2, 2]), status=BAD)

    assert "input 'x': shape [2, 2]" in words
    assert "needs 4 values of FP32" in words or "needs 16 bytes, got 12 bytes" in words


@ways(*(name for name in WAYS if name != "kserve-grpc-typed"), why="it refuses by itself")
def test_a_datatype_there_is_not_is_refused_with_those_there_are(via: Places, way: Way) -> None:
    words = refusal(way, via["mirror"], "mirror", Given("x", "FP32", [1.0], says="FP99"), status=BAD)

    assert "'FP99'" in words
    assert "expected one of BOOL, UINT8" in words


def test_an_unknown_output_is_refused_by_name(via: Places, way: Way) -> None:
    words = refusal(way, via["pair"], "pair", LEFT, RIGHT, outputs=["nope"], status=BAD)

    assert "Unexpected inference output 'nope' for model 'pair'" in words


def test_more_rows_than_the_model_takes_are_refused_with_how_many_it_does(via: Places, way: Way) -> None:
    rows = Given("left", "FP32", [[1.0, 2.0]] * 5), Given("right", "INT32", [[1, 2]] * 5)

    words = refusal(way, via["pair"], "pair", *rows, status=BAD)

    assert "4" in words


def test_a_model_that_fails_is_the_servers_failure_with_its_words(via: Places, way: Way) -> None:
    words = refusal(
        way,
        via["mirror"],
        "mirror",
        Given("x", "FP32", [1.0]),
        status=frozenset({"500", "INTERNAL"}),
        parameters={"fail": True},
    )

    assert "the mirror broke" in words


BOTH = ("triton-http-binary", "triton-grpc")
EVERY_CLIENT = (*BOTH, "kserve-rest-json", "kserve-grpc-raw")


@ways(*EVERY_CLIENT)
def test_health(via: Places, way: Way) -> None:
    asked = [
        way.ask(via["pair"], "is_server_live"),
        way.ask(via["pair"], "is_server_ready"),
        way.ask(via["pair"], "is_model_ready", model_name="pair"),
    ]

    assert asked == [True, True, True]


@ways(*EVERY_CLIENT)
def test_a_model_nobody_knows_is_not_ready(via: Places, way: Way) -> None:
    if way.is_grpc:
        with pytest.raises(Refused, match="NOT_FOUND: Model with name nope does not exist"):
            way.ask(via["pair"], "is_model_ready", model_name="nope")
    else:
        assert way.ask(via["pair"], "is_model_ready", model_name="nope") is False


@ways(*BOTH)
def test_metadata(via: Places, way: Way) -> None:
    server = way.ask(via["pair"], "get_server_metadata")
    model = way.ask(via["pair"], "get_model_metadata", model_name="pair")

    assert (server["name"], "model_repository" in server["extensions"]) == ("fairlead", True)
    assert (model["name"], model["versions"]) == ("pair", ["1"])
    assert _specs(model["inputs"]) == {"left": ("FP32", [-1, 2]), "right": ("INT32", [-1, 2])}
    assert _specs(model["outputs"]) == {"sum": ("FP32", [-1, 2]), "difference": ("FP32", [-1, 2])}
    with pytest.raises(Refused, match="Model with name nope does not exist"):
        way.ask(via["pair"], "get_model_metadata", model_name="nope")


def _specs(listed: list[dict[str, Any]]) -> dict[str, tuple[str, list[int]]]:
    return {one["name"]: (one["datatype"], [int(size) for size in one["shape"]]) for one in listed}


@ways(*BOTH)
@pytest.mark.parametrize(
    ("call", "path", "method"),
    [("get_model_config", "pair/config", "ModelConfig"), ("get_inference_statistics", "pair/stats", "ModelStatistics")],
)
def test_what_only_triton_has_is_refused_by_name(via: Places, way: Way, call: str, path: str, method: str) -> None:
    with pytest.raises(Refused) as caught:
        way.ask(via["pair"], call, model_name="pair")

    if way.is_grpc:
        assert caught.value.status == "UNIMPLEMENTED"
        assert f"has no method {method} here; it has ModelInfer" in caught.value.words
    else:
        assert (caught.value.status, caught.value.words) == ("404", f"there is no /v2/models/{path} here")


@ways(*BOTH)
def test_a_repository_is_listed_and_its_models_unloaded_and_loaded(via: Places, way: Way) -> None:
    def states() -> dict[str, str]:
        index = way.ask(via["pair"], "get_model_repository_index")
        return {one["name"]: one["state"] for one in (index["models"] if way.is_grpc else index)}

    assert states() == {"pair": "READY", "spare": "READY"}

    way.ask(via["pair"], "unload_model", model_name="spare")
    assert states() == {"pair": "READY", "spare": "UNAVAILABLE"}
    refusal(way, via["pair"], "spare", LEFT, RIGHT, status=frozenset({"503", "UNAVAILABLE"}))

    way.ask(via["pair"], "load_model", model_name="spare")
    assert states() == {"pair": "READY", "spare": "READY"}
    assert way.infer(via["pair"], "spare", [LEFT, RIGHT]).model == "spare"
    assert way.ask(via["pair"], "is_server_ready") is True


@ways(*BOTH)
@pytest.mark.parametrize("call", ["load_model", "unload_model"])
def test_a_model_that_no_repository_has_is_neither_loaded_nor_unloaded(via: Places, way: Way, call: str) -> None:
    with pytest.raises(Refused, match="Model with name nope does not exist") as caught:
        way.ask(via["pair"], call, model_name="nope")

    assert caught.value.status in MISSING


@ways(*BOTH)
def test_a_model_is_not_loaded_with_another_configuration_than_its_own(via: Places, way: Way) -> None:
    with pytest.raises(Refused, match="parameter 'config': a model is loaded as its folder says") as caught:
        way.ask(via["pair"], "load_model", model_name="spare", config='{"max_batch_size": 2}')

    assert caught.value.status in BAD


@ways(*BOTH)
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_requests_may_be_compressed(via: Places, way: Way, algorithm: str) -> None:
    name = "compression_algorithm" if way.is_grpc else "request_compression_algorithm"

    answer = way.infer(via["pair"], "pair", [LEFT, RIGHT], **{name: algorithm})

    assert answer.outputs["sum"].values == [2.5, 4.5]


@ways("triton-http-binary")
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_a_client_that_would_take_a_compressed_answer_can_read_the_one_it_gets(
    via: Places, way: Way, algorithm: str
) -> None:
    answer = way.infer(via["pair"], "pair", [LEFT, RIGHT], response_compression_algorithm=algorithm)

    assert answer.outputs["sum"].values == [2.5, 4.5]


@ways(*BOTH)
def test_a_version_may_be_named_and_one_that_is_not_there_is_not_found(via: Places, way: Way) -> None:
    assert way.infer(via["pair"], "pair", [LEFT, RIGHT], model_version="1").outputs["sum"].values == [2.5, 4.5]

    words = refusal(way, via["pair"], "pair", LEFT, RIGHT, status=MISSING, model_version="7")

    assert words == "Model pair with version 7 not found"


@ways(*BOTH, "triton-grpc-stream")
def test_parameters_of_every_kind_and_tritons_own_do_no_harm(via: Places, way: Way) -> None:
    parameters = {"text": "b", "whole": 1, "yes": True, "part": 1.5}

    answer = way.infer(
        via["pair"], "pair", [LEFT, RIGHT], parameters=parameters, priority=1, timeout=10**6, sequence_id=5,
        sequence_start=True,
    )  # fmt: skip

    assert answer.outputs["sum"].values == [2.5, 4.5]


@ways("triton-grpc", "triton-grpc-async")
def test_a_deadline_ends_a_call(via: Places, way: Way) -> None:
    held = Given("x", "FP32", [1.0])

    words = refusal(
        way,
        via["mirror"],
        "mirror",
        held,
        status=frozenset({"DEADLINE_EXCEEDED"}),
        parameters={"hold_s": "2"},
        client_timeout=0.2,
    )

    assert "Deadline Exceeded" in words


def test_a_stream_goes_on_after_a_question_that_fails(via: Places, peers: dict[str, PeerProcess]) -> None:
    way = Way(peers, "triton", "grpc", call="stream")

    answers = way.stream(
        via["pair"],
        [
            ("pair", [LEFT, RIGHT], "a"),
            ("nope", [LEFT, RIGHT], "b"),
            ("pair", [LEFT], "c"),
            ("pair", [RIGHT, LEFT], "d"),
        ],
    )

    good = {one.id: one.outputs["sum"].values for one in answers if isinstance(one, Answered)}
    bad = sorted(one for one in answers if isinstance(one, str))
    assert good == {"a": [2.5, 4.5], "d": [2.5, 4.5]}
    assert "Model with name nope does not exist." in bad[0]
    assert "missing input 'right'" in bad[1]


@ways("triton-grpc", "triton-grpc-stream", "kserve-grpc-raw")
def test_the_gateway_finds_a_deployment_by_the_model_that_a_message_names(
    every_place: dict[str, Places], way: Way
) -> None:
    behind = every_place["gateway"]["pair"]
    unnamed = Place(behind.rest, behind.grpc)

    assert way.infer(unnamed, "pair", [LEFT, RIGHT]).outputs["sum"].values == [2.5, 4.5]
    assert "nope" in refusal(way, unnamed, "nope", LEFT, RIGHT, status=MISSING)


@ways("triton-grpc")
@pytest.mark.parametrize("call", ["unload_model", "load_model", "is_model_ready", "get_model_metadata"])
def test_the_gateway_finds_a_deployment_by_the_model_that_other_calls_name(
    every_place: dict[str, Places], way: Way, call: str
) -> None:
    behind = every_place["gateway"]["pair"]

    way.ask(Place(behind.rest, behind.grpc), call, model_name="pair")


@ways("triton-http-binary", "triton-grpc", "kserve-rest-binary", "kserve-grpc-raw")
def test_a_service_that_is_not_there_is_not_found(every_place: dict[str, Places], way: Way) -> None:
    behind = every_place["gateway"]["pair"]
    nobody = Place(
        behind.rest.replace("/default/pair", "/default/nobody"), behind.grpc, {"seldon": "nobody", "namespace": "x"}
    )

    with pytest.raises(Refused) as caught:
        way.infer(nobody, "pair", [LEFT, RIGHT])

    assert caught.value.status in MISSING
