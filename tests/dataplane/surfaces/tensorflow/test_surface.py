"""TensorFlow Serving's REST protocol over a graph in this process, as its documentation shows it."""

import asyncio
import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.plan.model import Node, Protocol, UnitName
from fairlead.protocols.exchange import Request, Response
from fairlead.protocols.message import Form, Message, Payload
from fairlead.protocols.tensors import Tensor, tensor
from fairlead.runtimes.base import Signature, TensorSpec
from support.serving import JSON, Fake, Served, Times, ask, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

PREDICT = "/v1/models/m:predict"
EXAMPLES = TensorSpec(name="inputs", datatype="BYTES", shape=(-1,))


def tf(fake: Fake | None = None, **fields: Any) -> Served:
    spec = worker_spec([unit("m")], call("m"), **({"protocol": Protocol.TENSORFLOW} | fields))
    return served(spec, m=fake or Fake("m", rows=Times()))


def error(response: Response) -> Any:
    return json.loads(response.body)["error"]


def giving(*tensors: Tensor) -> Fake:
    return Fake("m", predict=lambda given: Message(Payload(Form.TENSORS, list(tensors))))


class Signed(Fake):
    """A model with signatures, which gives a signature's outputs."""

    version = "7"

    def __init__(self, outputs: dict[str, list[Tensor]], **methods: str) -> None:
        super().__init__("m", predict=lambda given: None)
        self._outputs = outputs
        self._methods = methods
        self.messages: list[Message] = []

    def signatures(self) -> dict[str, Signature]:
        return {
            name: Signature(inputs=(EXAMPLES,), outputs=(), method=f"tensorflow/serving/{method}")
            for name, method in self._methods.items()
        }

    def invoke(self, method: Any, message: Message) -> Message:
        self.messages.append(message)
        assert message.asked is not None
        return Message(Payload(Form.TENSORS, self._outputs[message.asked.signature]))


LABELS = tensor("classes", np.array([["cat", "dog"], ["dog", "cat"]]))
SCORES = tensor("scores", np.array([[0.9, 0.1], [0.75, 0.25]], np.float32))
VALUES = tensor("outputs", np.array([[3.5], [4.0]], np.float32))


async def test_rows_are_answered_as_predictions() -> None:
    half_plus_three = Fake("m", predict=lambda x: x * 0.5 + 3)

    assert (await tf(half_plus_three).post(PREDICT, {"instances": [1.0, 2.0, 5.0]})).body == (
        b'{"predictions":[3.5,4.0,5.5]}'
    )
    assert (await tf().post(PREDICT, {"instances": [[1.0], [5]]})).body == b'{"predictions":[[2.0],[10.0]]}'


async def test_columns_are_answered_as_outputs() -> None:
    assert (await tf().post(PREDICT, {"inputs": [[1, 2]]})).body == b'{"outputs":[[2.0,4.0]]}'
    assert (
        await tf().post(PREDICT, {"inputs": {"a": [1, 2], "b": [3, 4]}})
    ).body == b'{"outputs":[[2.0,6.0],[4.0,8.0]]}'


async def test_several_outputs_are_objects_by_row_and_lists_by_column() -> None:
    outputs = giving(tensor("a", np.array([1, 2])), tensor("b", np.array([["x", "y"], ["z", "w"]])))

    rows = await tf(outputs).post(PREDICT, {"instances": [[1], [2]]})
    columns = await tf(outputs).post(PREDICT, {"inputs": [[1], [2]]})

    assert json.loads(rows.body) == {"predictions": [{"a": 1, "b": ["x", "y"]}, {"a": 2, "b": ["z", "w"]}]}
    assert json.loads(columns.body) == {"outputs": {"a": [1, 2], "b": [["x", "y"], ["z", "w"]]}}


async def test_floats_of_32_bits_have_the_digits_they_need_and_odd_ones_are_words() -> None:
    few = await tf(giving(tensor("a", np.array([0.1, 999999.0], np.float32)))).post(PREDICT, {"instances": [[1]]})
    odd = await tf(giving(tensor("a", np.array([np.nan, -np.inf], np.float64)))).post(PREDICT, {"instances": [[1]]})

    assert few.body == b'{"predictions":[0.1,999999.0]}'
    assert odd.body == b'{"predictions":[NaN,-Infinity]}'


async def test_bytes_of_outputs_that_are_named_so_are_base64() -> None:
    outputs = giving(tensor("text", np.array(["hello"])), tensor("image_bytes", np.array(["hello"])))

    response = await tf(outputs).post(PREDICT, {"instances": [[1]]})

    assert json.loads(response.body) == {"predictions": [{"text": "hello", "image_bytes": {"b64": "aGVsbG8="}}]}


async def test_base64_is_bytes_to_the_model() -> None:
    fake = Fake("m", predict=lambda given: np.array([len(item) for item in given]))
    encoded = base64.b64encode(b"\xff\x00").decode()

    response = await tf(fake).post(PREDICT, {"instances": [{"b64": encoded}, {"b64": ""}]})

    assert response.body == b'{"predictions":[2,0]}'


@pytest.mark.parametrize(
    "path", ["/v1/models/m/:predict", "/v1/models:predict", "/v1/models/:predict", "/v1/models/dep:predict"]
)
async def test_seldons_forms_of_the_path_are_taken(path: str) -> None:
    assert (await tf().post(path, {"instances": [[1]]})).body == b'{"predictions":[[2.0]]}'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"instances": [[1,2]', "JSON Parse error: unexpected end of data at offset: 20"),
        (b"[1]", "JSON Value: [1] Is not object"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (
            b'{"instances":[1],"inputs":[1]}',
            "Not formatted correctly: expecting either 'instances' or 'inputs', not both",
        ),
        (b'{"signature_name":5,"instances":[1]}', "'signature_name' key must be a string value."),
        (
            b'{"instances":[{"a":1},[1]]}',
            "Failed to process element: 1 of 'instances' list. Error: Expecting object but got list/value",
        ),
        (
            b'{"instances":[[1],{"a":1}]}',
            "Failed to process element: 1 of 'instances' list. Error: Expecting value/list but got object",
        ),
        (
            b'{"instances":[{"a":[1]},{"a":[1,2]}]}',
            "Failed to process element key: a of 'instances' list. Expecting tensor size and shape to be the same for "
            "each element, of numbers or of strings",
        ),
        (
            b'{"inputs":{"x":[[1],[2,3]]}}',
            "Failed to process key: x of 'inputs'. Expecting tensor size and shape to be the same for each element, of "
            "numbers or of strings",
        ),
    ],
)
async def test_a_request_that_holds_no_tensors_is_refused(body: bytes, words: str) -> None:
    response = await tf().post(PREDICT, body)

    assert (response.status, error(response)) == (400, words)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/models/half:predict", 404, "Servable not found for request: Latest(half)"),
        ("/v1/models/m/versions/3:predict", 404, "Servable not found for request: Specific(m, 3)"),
        (
            "/v1/models/m/labels/canary:predict",
            400,
            "Unrecognized servable version label: canary; versions here have no labels, name one by its number",
        ),
        ("/v1/models/m:train", 400, "Malformed request: POST /v1/models/m:train"),
        (
            "/v1/models/m:classify",
            400,
            "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
            "tensorflow/serving/predict",
        ),
        (
            "/v1/models/m:regress",
            400,
            "Expected regression signature method_name to be tensorflow/serving/regress. Was: "
            "tensorflow/serving/predict",
        ),
    ],
)
async def test_what_is_not_there_is_refused_in_model_servers_words(path: str, status: int, words: str) -> None:
    response = await tf().post(path, {"instances": [[1]], "examples": [{}]})

    assert (response.status, error(response)) == (status, words)


async def test_a_version_is_asked_by_its_number() -> None:
    fake = Signed({"": [VALUES]}, serving_default="predict")

    response = await tf(fake).post("/v1/models/m/versions/7:predict", {"instances": [[1]]})

    assert response.body == b'{"predictions":[[3.5],[4.0]]}'
    assert fake.messages[0].asked is not None
    assert fake.messages[0].asked.version == "7"


async def test_a_signature_is_asked_by_its_name() -> None:
    fake = Signed({"other": [VALUES]}, serving_default="predict", other="predict")

    known = await tf(fake).post(PREDICT, {"instances": [[1]], "signature_name": "other"})
    unknown = await tf(fake).post(PREDICT, {"instances": [[1]], "signature_name": "third"})

    assert known.body == b'{"predictions":[[3.5],[4.0]]}'
    assert (unknown.status, error(unknown)) == (
        400,
        'Serving signature name: "third" not found in signature def; it has: serving_default, other',
    )


async def test_requests_of_another_signature_do_not_share_a_call_with_the_defaults() -> None:
    model = Times()

    class Both(Fake):
        def invoke(self, method: Any, message: Message) -> Message:
            return Message(Payload(Form.TENSORS, [VALUES]))

    surface = tf(Both("m", rows=model))
    plain, named = await asyncio.gather(
        surface.post(PREDICT, {"instances": [[1.0]]}),
        surface.post(PREDICT, {"instances": [[1.0]], "signature_name": "other"}),
    )

    assert (plain.body, named.body) == (b'{"predictions":[[2.0]]}', b'{"predictions":[[3.5],[4.0]]}')


async def test_classify_answers_labels_with_scores() -> None:
    fake = Signed({"serving_default": [LABELS, SCORES]}, serving_default="classify")

    response = await tf(fake).post("/v1/models/m:classify", {"examples": [{"x": 1.0}, {"x": 2}]})

    assert response.body == b'{"results":[[["cat",0.9],["dog",0.1]],[["dog",0.75],["cat",0.25]]]}'
    assert fake.messages[0].payload.value[0].array.shape == (2,)


async def test_classify_without_labels_answers_empty_ones() -> None:
    fake = Signed({"serving_default": [SCORES]}, serving_default="classify")

    response = await tf(fake).post("/v1/models/m:classify", {"examples": [{"x": 1.0}, {"x": 2}]})

    assert json.loads(response.body)["results"][0] == [["", 0.9], ["", 0.1]]


async def test_regress_answers_one_value_for_each_example() -> None:
    fake = Signed({"tensorflow/serving/regress": [VALUES]}, **{"tensorflow/serving/regress": "regress"})
    body = {"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}

    response = await tf(fake).post("/v1/models/m:regress", body)

    assert response.body == b'{"results":[3.5,4.0]}'


async def test_outputs_that_the_method_does_not_have_are_the_models_failure() -> None:
    fake = Signed({"serving_default": [VALUES]}, serving_default="classify")

    response = await tf(fake).post("/v1/models/m:classify", {"examples": [{"x": 1.0}]})

    assert (response.status, error(response)) == (
        500,
        "expected the outputs classes and scores, of shape [examples, classes] each",
    )


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (
            "/v1/models/m",
            200,
            '{"model_version_status":[{"version":"1","state":"AVAILABLE","status":{"error_code":"OK",'
            '"error_message":""}}]}',
        ),
        ("/v1/models/nope", 404, '{"error":"Could not find any versions of model nope"}'),
        ("/v1/models/m/versions/3", 404, '{"error":"Could not find version 3 of model m"}'),
        ("/v1/models", 400, '{"error":"Malformed request: GET /v1/models"}'),
        ("/v1/models/m:predict", 400, '{"error":"Malformed request: GET /v1/models/m:predict"}'),
    ],
)
async def test_what_may_be_looked_at(path: str, status: int, body: str) -> None:
    response = await tf().get(path)

    assert (response.status, response.body.decode()) == (status, body)


async def test_metadata_names_every_signature() -> None:
    fake = Signed({}, serving_default="predict", other="classify")

    known = json.loads((await tf(fake).get("/v1/models/m/metadata")).body)

    signatures = known["metadata"]["signature_def"]["signature_def"]
    assert known["model_spec"] == {"name": "m", "signature_name": "", "version": "7"}
    assert signatures["other"]["method_name"] == "tensorflow/serving/classify"
    assert signatures["serving_default"]["inputs"]["inputs"] == {
        "dtype": "DT_STRING",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "inputs:0",
    }


async def test_rewards_are_handed_back() -> None:
    response = await tf().post("/api/v1.0/feedback", b'{"reward" : 1}')

    assert (response.status, response.body) == (200, b'{"reward" : 1}')


async def test_a_seldon_graph_has_the_orchestrators_headers() -> None:
    surface = tf(drawing=Node(unit=UnitName("m"), kind="model"))

    asked = await surface.post(PREDICT, {"instances": [[1]]}, (b"seldon-puid", b"p"))
    refused = await surface.post(PREDICT, {})
    preflight = await surface.get(PREDICT, method="OPTIONS")

    assert [header(one, "Access-Control-Allow-Origin") for one in (asked, refused, preflight)] == ["*"] * 3
    assert header(asked, "Seldon-Puid") == "p"
    assert (preflight.status, preflight.body) == (200, b"")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("b64"), inner, max_size=3)
    ),
    max_leaves=12,
)
keys = st.sampled_from(["instances", "inputs", "signature_name", "examples", "context"])
bodies = st.binary(max_size=20) | st.one_of(values, st.dictionaries(keys, values, max_size=3)).map(
    lambda value: json.dumps(value).encode()
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(bodies, st.sampled_from(["predict", "classify", "regress"]))
def test_whatever_is_sent_is_answered_and_is_never_our_failure(body: bytes, verb: str) -> None:
    outputs = {"": [VALUES], "serving_default": [LABELS, SCORES, VALUES]}
    fake = Signed(outputs, serving_default="classify" if verb == "classify" else "regress")

    async def send() -> Response:
        return await ask(tf(fake).handler, Request("POST", f"/v1/models/m:{verb}", b"", [JSON], body))

    response = asyncio.run(send())

    assert response.status in (200, 400)
