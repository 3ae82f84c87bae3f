"""`tensorflow.serving` over real connections, for models that know nothing of TensorFlow."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from fairlead.dataplane.spec import WorkerSpec
from fairlead.plan.model import Protocol
from fairlead.protocols import protos
from fairlead.protocols.message import Form, Message, Payload
from fairlead.protocols.tensors import tensor
from fairlead.runtimes.base import Signature, TensorSpec
from support.grpc_calls import Caller, Failed, calling
from support.serving import Fake, Times, call, unit, worker_spec

pytestmark = pytest.mark.anyio

SERVICE = "/tensorflow.serving.PredictionService"
FLOATS = {"dtype": 1, "tensor_shape": {"dim": [{"size": 2}, {"size": 1}]}, "float_val": [3]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def spec(protocol: Protocol = Protocol.TENSORFLOW) -> WorkerSpec:
    return worker_spec([unit("m")], call("m"), protocol=protocol)


async def predict(ask: Caller, **fields: Any) -> Any:
    return await ask(
        f"{SERVICE}/Predict", "tensorflow.serving.PredictRequest", "tensorflow.serving.PredictResponse", fields
    )


def example(**features: Any) -> dict[str, Any]:
    return {"features": {"feature": features}}


def floats(*values: float) -> dict[str, Any]:
    return {"float_list": {"value": values}}


@pytest.mark.parametrize("protocol", [Protocol.TENSORFLOW, Protocol.V1])
async def test_one_value_stands_for_the_whole_tensor(protocol: Protocol) -> None:
    async with calling(spec(protocol), m=Fake("m", rows=Times())) as ask:
        answer = await predict(ask, model_spec={"name": "m"}, inputs={"x": FLOATS})

    output = answer.outputs["output-0"]
    assert list(output.float_val) == [6, 6]
    assert [dim.size for dim in output.tensor_shape.dim] == [2, 1]
    assert (answer.model_spec.name, answer.model_spec.signature_name) == ("m", "serving_default")


async def test_an_output_filter_and_an_unknown_model_or_version() -> None:
    async with calling(spec(), m=Fake("m", rows=Times())) as ask:
        with pytest.raises(Failed, match="INVALID_ARGUMENT: Unexpected inference output 'zzz'"):
            await predict(ask, model_spec={"name": "m"}, inputs={"x": FLOATS}, output_filter=["zzz"])
        with pytest.raises(Failed, match="NOT_FOUND: Model with name nope does not exist"):
            await predict(ask, model_spec={"name": "nope"}, inputs={"x": FLOATS})
        with pytest.raises(Failed, match=r"NOT_FOUND: .*version 7 not found"):
            await predict(ask, model_spec={"name": "m", "version": {"value": 7}}, inputs={"x": FLOATS})
        with pytest.raises(Failed, match="INVALID_ARGUMENT: input 'x': dtype 20 cannot be read"):
            await predict(ask, model_spec={"name": "m"}, inputs={"x": {"dtype": 20}})


class Judge(Fake):
    """A model with signatures of its own: classes and scores, or values."""

    def __init__(self, *inputs: TensorSpec) -> None:
        super().__init__("m")
        self.inputs = inputs
        self.seen: list[Any] = []

    def signatures(self) -> Mapping[str, Signature]:
        specs = self.inputs
        return {
            "serving_default": Signature(inputs=specs, outputs=(), method="tensorflow/serving/classify"),
            "regress": Signature(inputs=specs, outputs=(), method="tensorflow/serving/regress"),
        }

    def invoke(self, method: Any, message: Message) -> Message:
        self.seen = [(one.name, one.datatype, one.array.tolist()) for one in message.payload.value]
        rows = len(message.payload.value[0].array)
        if message.asked is not None and message.asked.signature == "regress":
            return Message(Payload(Form.TENSORS, [tensor("outputs", np.arange(rows, dtype=np.float32))]))
        classes = tensor("classes", np.array([["a", "b"]] * rows))
        return Message(Payload(Form.TENSORS, [classes, tensor("scores", np.array([[0.25, 0.75]] * rows, "<f4"))]))


AGE = TensorSpec(name="age", datatype="FP64", shape=(-1, 1))
PLACE = TensorSpec(name="place", datatype="BYTES", shape=(-1, 1))


async def test_examples_become_a_tensor_per_feature_and_classes_come_back() -> None:
    judge = Judge(AGE, PLACE)
    examples = [
        example(age={"int64_list": {"value": [30]}}, place={"bytes_list": {"value": [b"Rome"]}}),
        example(age={"int64_list": {"value": [40]}}, place={"bytes_list": {"value": [b"Oslo"]}}),
    ]
    async with calling(spec(), m=judge) as ask:
        answer = await ask(
            f"{SERVICE}/Classify",
            "tensorflow.serving.ClassificationRequest",
            "tensorflow.serving.ClassificationResponse",
            {"model_spec": {"name": "m"}, "input": {"example_list": {"examples": examples}}},
        )

    assert judge.seen == [("age", "FP64", [[30.0], [40.0]]), ("place", "BYTES", [[b"Rome"], [b"Oslo"]])]
    first, second = answer.result.classifications
    assert first == second
    assert [(one.label, one.score) for one in first.classes] == [("a", 0.25), ("b", 0.75)]


async def test_a_context_is_part_of_every_example_and_values_come_back() -> None:
    judge = Judge(AGE, PLACE)
    given = {
        "example_list_with_context": {
            "context": example(place={"bytes_list": {"value": [b"Rome"]}}),
            "examples": [example(age=floats(1)), example(age=floats(2))],
        }
    }
    async with calling(spec(), m=judge) as ask:
        answer = await ask(
            f"{SERVICE}/Regress",
            "tensorflow.serving.RegressionRequest",
            "tensorflow.serving.RegressionResponse",
            {"model_spec": {"name": "m", "signature_name": "regress"}, "input": given},
        )

    assert judge.seen[1] == ("place", "BYTES", [[b"Rome"], [b"Rome"]])
    assert [one.value for one in answer.result.regressions] == [0, 1]


async def test_a_model_of_text_gets_the_examples_as_they_are() -> None:
    judge = Judge(TensorSpec(name="inputs", datatype="BYTES", shape=(-1,)))
    async with calling(spec(), m=judge) as ask:
        await ask(
            f"{SERVICE}/Classify",
            "tensorflow.serving.ClassificationRequest",
            "tensorflow.serving.ClassificationResponse",
            {"model_spec": {"name": "m"}, "input": {"example_list": {"examples": [example(a=floats(1))]}}},
        )

    [(name, datatype, [data])] = judge.seen
    assert (name, datatype) == ("inputs", "BYTES")
    assert protos.message("tensorflow.Example").FromString(data).features.feature["a"].float_list.value == [1]


async def test_several_tasks_are_answered_in_one_call() -> None:
    tasks = [
        {"model_spec": {"name": "m"}, "method_name": "tensorflow/serving/classify"},
        {"model_spec": {"name": "m", "signature_name": "regress"}, "method_name": "tensorflow/serving/regress"},
    ]
    given = {"tasks": tasks, "input": {"example_list": {"examples": [example(age=floats(1))]}}}
    async with calling(spec(), m=Judge(AGE)) as ask:
        answer = await ask(
            f"{SERVICE}/MultiInference",
            "tensorflow.serving.MultiInferenceRequest",
            "tensorflow.serving.MultiInferenceResponse",
            given,
        )

    assert [one.WhichOneof("result") for one in answer.results] == ["classification_result", "regression_result"]
    assert answer.results[1].model_spec.signature_name == "regress"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, r"Input is empty\."),
        ({"example_list": {"examples": [example(a=floats(1)), example(b=floats(1))]}}, "feature 'a' must be there"),
        ({"example_list": {"examples": [example(a=floats(1)), example(a=floats(1, 2))]}}, "as many values"),
    ],
)
async def test_examples_that_make_no_rows_are_refused(given: Any, words: str) -> None:
    async with calling(spec(), m=Judge(AGE, PLACE)) as ask:
        with pytest.raises(Failed, match=f"INVALID_ARGUMENT: .*{words}"):
            await ask(
                f"{SERVICE}/Classify",
                "tensorflow.serving.ClassificationRequest",
                "tensorflow.serving.ClassificationResponse",
                {"model_spec": {"name": "m"}, "input": given},
            )


async def test_metadata_holds_the_models_signatures() -> None:
    async with calling(spec(), m=Judge(AGE, PLACE)) as ask:
        answer = await ask(
            f"{SERVICE}/GetModelMetadata",
            "tensorflow.serving.GetModelMetadataRequest",
            "tensorflow.serving.GetModelMetadataResponse",
            {"model_spec": {"name": "m"}, "metadata_field": ["signature_def"]},
        )
        with pytest.raises(Failed, match="INVALID_ARGUMENT: metadata_field: 'other' is not supported"):
            await ask(
                f"{SERVICE}/GetModelMetadata",
                "tensorflow.serving.GetModelMetadataRequest",
                "tensorflow.serving.GetModelMetadataResponse",
                {"metadata_field": ["other"]},
            )

    found = protos.message("tensorflow.serving.SignatureDefMap")()
    assert answer.metadata["signature_def"].Unpack(found)
    assert sorted(found.signature_def) == ["regress", "serving_default"]
    one = found.signature_def["serving_default"]
    assert one.method_name == "tensorflow/serving/classify"
    assert (one.inputs["age"].dtype, [dim.size for dim in one.inputs["age"].tensor_shape.dim]) == (2, [-1, 1])
    assert one.inputs["place"].dtype == 7


async def test_a_models_status_and_the_reload_that_is_not_done() -> None:
    async with calling(spec(), m=Fake("m")) as ask:
        answer = await ask(
            "/tensorflow.serving.ModelService/GetModelStatus",
            "tensorflow.serving.GetModelStatusRequest",
            "tensorflow.serving.GetModelStatusResponse",
            {"model_spec": {"name": "m"}},
        )
        with pytest.raises(Failed, match="UNIMPLEMENTED: models are deployed by their manifests"):
            await ask(
                "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
                "tensorflow.serving.ReloadConfigRequest",
                "tensorflow.serving.ReloadConfigResponse",
            )

    [status] = answer.model_version_status
    assert (status.version, status.state, status.status.error_code) == (1, 30, 0)
