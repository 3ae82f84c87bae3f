"""Real transformers and torch, on models of a few hundred weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, LoadError, NotOffered
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.message import Asked, Form, Message
from fairlead.runtimes.base import Servable
from fairlead.runtimes.failures import BadParameter
from support.tiny_transformers import WORDS, save_tiny
from support.units import asking, unit
from support.user_files import listed, load, tensors, v1

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each task, made when it is first asked for."""
    return tmp_path_factory.mktemp("models")


def served(models: Path, made_for: str, protocol: Protocol = Protocol.V2, **parameters: Any) -> Servable:
    """A model as KServe's server serves it, or as MLServer does with the variant."""
    variant = str(parameters.pop("variant", ""))
    folder = models / made_for
    if not (folder / "config.json").is_file():
        save_tiny(folder, made_for)
    return load(unit("huggingface", variant=variant, **parameters), folder=folder, protocol=protocol)


def ask(servable: Servable, message: Message) -> Message:
    return servable.invoke(Method.PREDICT, message)


def outputs(servable: Servable, message: Message) -> list[Any]:
    """The JSON values of MLServer's answer."""
    (one,) = ask(servable, message).payload.value
    assert (one.name, one.datatype, one.array.shape[1:]) == ("output", "BYTES", (1,))
    return [json.loads(value) for value in one.array.reshape(-1)]


def test_mlservers_clients_get_json_for_each_text(models: Path) -> None:
    servable = served(models, "text-classification", variant="mlserver", task="text-classification")

    one = outputs(servable, tensors(args=["good film"]))
    two = outputs(servable, tensors(args=["good film", "bad film"]))

    assert set(one[0]) == {"label", "score"}
    assert one[0]["label"] in ("NEGATIVE", "POSITIVE")
    assert len(two) == 2
    assert two[0]["label"] == one[0]["label"]
    assert two[0]["score"] == pytest.approx(one[0]["score"], rel=1e-4)


def test_other_tensors_are_arguments_of_the_pipeline(models: Path) -> None:
    servable = served(models, "text-generation", variant="mlserver")

    (short,) = outputs(servable, tensors(args=["a very"], max_new_tokens=[1], do_sample=[False]))
    (long,) = outputs(servable, tensors(args=["a very"], max_new_tokens=[6], do_sample=[False]))

    assert short["generated_text"].startswith("a very")
    assert len(long["generated_text"]) >= len(short["generated_text"])


def test_unknown_arguments_are_the_clients_mistake(models: Path) -> None:
    servable = served(models, "text-generation", variant="mlserver")

    with pytest.raises(BadRequest, match=r"text-generation: .*nonsense"):
        ask(servable, tensors(args=["a"], nonsense=[1]))


def test_seldons_messages_are_texts_too(models: Path) -> None:
    servable = served(models, "text-classification", Protocol.SELDON)

    from_array = ask(servable, asking(["good film", "bad film"])).payload
    from_text = ask(servable, asking("good film", Form.STRING)).payload
    from_object = ask(servable, asking({"args": ["good film"], "top_k": 2}, Form.JSON)).payload

    assert from_array.form is Form.JSON
    assert [sorted(one) for one in from_array.value] == [["label", "score"]] * 2
    assert from_text.value[0]["label"] == from_array.value[0]["label"]
    assert len(from_object.value) == 2


def test_the_same_model_gives_the_same_answer_twice(models: Path) -> None:
    first = ask(served(models, "text-classification"), tensors(x=["good film", "bad"]))
    second = ask(served(models, "text-classification"), tensors(x=["good film", "bad"]))

    assert listed(first) == listed(second)


def test_classification_gives_a_class_for_each_text(models: Path) -> None:
    servable = served(models, "text-classification", Protocol.V1, task="sequence_classification")

    answer = ask(servable, v1({"instances": ["good film", "bad film"]})).payload
    over_v2 = ask(served(models, "text-classification"), tensors(texts=["good film", "bad film"]))

    assert (answer.form, len(answer.value)) == (Form.JSON, 2)
    assert set(answer.value) <= {0, 1}
    assert listed(over_v2) == {"output-0": answer.value}
    assert over_v2.payload.value[0].datatype == "INT64"


def test_probabilities_and_raw_numbers_on_request(models: Path) -> None:
    message = v1({"instances": ["good film"]})

    (shares,) = ask(
        served(models, "text-classification", Protocol.V1, return_probabilities=True), message
    ).payload.value
    (raw,) = ask(served(models, "text-classification", Protocol.V1, return_raw_logits="true"), message).payload.value

    assert sum(shares.values()) == pytest.approx(1.0)
    assert list(raw) == ["0", "1"]
    assert np.exp(raw["1"] - raw["0"]) == pytest.approx(shares["1"] / shares["0"], rel=1e-4)


def test_tokens_have_a_class_each(models: Path) -> None:
    answer = ask(served(models, "token-classification", Protocol.V1), v1({"instances": ["good film"]})).payload.value

    assert len(answer[0][0]) == 4  # [CLS] good film [SEP]


def test_masks_are_filled_with_words(models: Path) -> None:
    servable = served(models, "fill-mask")

    (word,) = listed(ask(servable, tensors(x=["a [MASK] film"])))["output-0"]

    assert word.decode() in WORDS
    with pytest.raises(BadRequest, match=r"text 0 has no \[MASK\]"):
        ask(servable, tensors(x=["a film"]))


def test_embeddings_are_vectors_of_length_one(models: Path) -> None:
    servable = served(models, "feature-extraction", task="text_embedding")

    answer = ask(servable, tensors(x=["good film", "a"]))
    alone = ask(servable, tensors(x=["a"]))

    (one,) = answer.payload.value
    assert (one.datatype, one.array.shape) == ("FP32", (2, 16))
    assert np.linalg.norm(one.array, axis=1) == pytest.approx([1, 1], rel=1e-5)
    assert one.array[1] == pytest.approx(alone.payload.value[0].array[0], abs=1e-5)  # padding does not count
    assert servable.outputs[0].shape == (-1, 16)


@pytest.mark.parametrize("task", ["text-generation", "text2text-generation"])
def test_generation_gives_the_new_text(models: Path, task: str) -> None:
    message = tensors(x=["a very", "paris is in a"], asked=Asked(parameters={"max_new_tokens": 3, "do_sample": False}))

    texts = listed(ask(served(models, task), message))["output-0"]

    assert len(texts) == 2
    assert all(len(text.decode().split()) <= 3 for text in texts)


def test_text_to_text_answers_mlservers_clients(models: Path) -> None:
    (answer,) = outputs(served(models, "text2text-generation", variant="mlserver"), tensors(args=["a very good film"]))

    assert list(answer) == ["generated_text"]


def test_token_ids_are_taken_as_they_are(models: Path) -> None:
    servable = served(models, "text-classification")
    ids, mask = np.array([[2, 6, 8, 3]]), np.array([[1, 1, 1, 1]], np.int32)

    assert listed(ask(servable, tensors(input_ids=ids, attention_mask=mask))) == listed(
        ask(servable, tensors(x=["good film"]))
    )
    with pytest.raises(BadRequest, match="unknown input 'ids'; without text this model takes input_ids"):
        ask(servable, tensors(ids=ids))


def test_long_texts_are_cut_where_the_parameter_says(models: Path) -> None:
    servable = served(models, "token-classification", Protocol.V1, max_length=5)

    assert len(ask(servable, v1({"instances": ["good " * 20]})).payload.value[0][0]) == 5


def test_what_is_no_text_is_refused(models: Path) -> None:
    servable = served(models, "text-classification")

    with pytest.raises(BadRequest, match="expected BYTES with text, got FP64"):
        ask(servable, tensors(x=[1.5]))
    with pytest.raises(BadRequest, match=r"takes text; the request has 1\.5"):
        ask(servable, v1({"instances": [1.5]}))
    with pytest.raises(NotOffered):
        servable.invoke(Method.EXPLAIN, tensors(x=["a"]))


def test_a_dtype_may_be_chosen(models: Path) -> None:
    servable = served(models, "text-classification", dtype="bfloat16")

    assert listed(ask(servable, tensors(x=["good"])))["output-0"][0] in (0, 1)
    with pytest.raises(BadParameter, match="dtype is 'int4'; expected one of auto, float32"):
        served(models, "text-classification", dtype="int4")


def test_model_settings_of_mlserver_say_the_task(models: Path, tmp_path: Path) -> None:
    save_tiny(tmp_path / "m", "fill-mask")
    settings = {"name": "m", "parameters": {"extra": {"task": "fill_mask"}}}
    (tmp_path / "m" / "model-settings.json").write_text(json.dumps(settings))

    servable = load(unit("huggingface"), folder=tmp_path / "m")

    assert listed(ask(servable, tensors(x=["a [MASK]"])))["output-0"][0].decode() in WORDS


def test_a_model_that_is_not_here_is_not_downloaded(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="not run: torch is not installed")

    with pytest.raises(LoadError, match="'org/model' is no folder here, and models are not downloaded"):
        load(unit("huggingface", pretrained_model="org/model"))
    with pytest.raises(LoadError, match="modelUri and pretrained_model are not set"):
        load(unit("huggingface"))
    with pytest.raises(LoadError, match="no Hugging Face model: found an empty folder; expected a folder saved with"):
        load(unit("huggingface"), folder=tmp_path)


def test_a_folder_with_only_onnx_says_what_serves_it(models: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="not run: torch is not installed")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.onnx").write_bytes(b"x")

    with pytest.raises(LoadError, match="an ONNX file and no weights of transformers"):
        load(unit("huggingface", optimum_model=True), folder=tmp_path)


def test_tasks_and_backends_that_are_not_served_are_named(models: Path) -> None:
    with pytest.raises(LoadError, match="task 'time_series_forecast' is not served here; accepted: feature-extraction"):
        served(models, "text-classification", task="time_series_forecast")
    with pytest.raises(LoadError, match="backend 'tgi' is not served here; accepted: auto, huggingface"):
        served(models, "text-classification", backend="tgi")
    with pytest.raises(LoadError, match=r"backend 'vllm' is vLLM itself.*run it as a container.*docs/openai\.md"):
        served(models, "text-classification", backend="vllm")
