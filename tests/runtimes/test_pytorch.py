import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, LoadError
from fairlead.plan.model import Method
from fairlead.protocols.message import Form
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable, TensorSpec
from support.formats import needed
from support.units import answered, asking, context, tensors_asking, unit

torch = needed("torch", "pip install torch")

SOURCE = """
import torch


class PyTorchModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 1)

    def forward(self, x):
        return self.line(x)


class Pair(torch.nn.Module):
    def forward(self, left, right):
        return {"sum": left + right, "difference": left - right}


class Several(torch.nn.Module):
    def forward(self, x):
        return x, x * 2


class Lookup(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(3, 2)

    def forward(self, words):
        return self.table(words)


class NeedsMore(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
"""


def classes() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(SOURCE, "net.py", "exec"), names)  # the same source as the file beside the weights
    return names


def line() -> Any:
    module = classes()["PyTorchModel"]()
    with torch.no_grad():
        module.line.weight.copy_(torch.tensor([[2.0, 1.0]]))
        module.line.bias.copy_(torch.tensor([0.5]))
    return module.eval()


def save_script(folder: Path, module: Any, *examples: Any, name: str = "model.pt") -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module, examples, strict=False).save(str(folder / name))
    return folder


def save_weights(folder: Path, module: Any, *, name: str = "model.pt", key: str = "") -> Path:
    weights = module.state_dict()
    torch.save({key: weights, "epoch": 3} if key else weights, folder / name)
    (folder / "net.py").write_text(SOURCE)
    return folder


def load(folder: Path | None, **parameters: Any) -> Servable:
    return registry.load(context(unit("pytorch", **parameters), folder))


def infer(servable: Servable, arrays: dict[str, Any], *outputs: str) -> dict[str, tuple[str, list[int], Any]]:
    return answered(servable.invoke(Method.PREDICT, tensors_asking(arrays, *outputs)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.pt", "model.pth", "line.pt"])
def test_torchscript_answers_by_its_first_input(tmp_path: Path, name: str) -> None:
    servable = load(save_script(tmp_path, line(), torch.ones(1, 2), name=name))

    assert infer(servable, {"input-0": [[1, 2], [3, 4]]}) == {"output-0": ("FP32", [2, 1], [[4.5], [10.5]])}
    assert servable.platform == "pytorch"
    assert servable.rows is None


@pytest.mark.parametrize("key", ["", "state_dict", "model_state_dict"])
def test_weights_find_the_class_beside_them(tmp_path: Path, key: str) -> None:
    servable = load(save_weights(tmp_path, line(), key=key))

    assert infer(servable, {"input-0": [[1.0, 2.0]]}) == {"output-0": ("FP32", [1, 1], [[4.5]])}


def test_safetensors_are_weights_too(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(line().state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "net.py").write_text(SOURCE)

    assert infer(load(tmp_path), {"x": [[1.0, 2.0]]}) == {"output-0": ("FP32", [1, 1], [[4.5]])}


@pytest.mark.parametrize("key", ["model_class", "modelClassName"])
def test_a_parameter_names_the_class(tmp_path: Path, key: str) -> None:
    module = classes()["Lookup"]()
    servable = load(save_weights(tmp_path, module), **{key: "Lookup"})

    given = infer(servable, {"words": [2, 0]})["output-0"]

    assert given[:2] == ("FP32", [2, 2])
    assert given[2] == module(torch.tensor([2, 0])).tolist()


@pytest.mark.parametrize("names", [("left", "right"), ("input-0", "input-1"), ("INPUT__0", "INPUT__1")])
def test_inputs_go_by_name_or_number_and_dicts_name_the_outputs(tmp_path: Path, names: tuple[str, str]) -> None:
    ones = torch.ones(1, 2)
    servable = load(save_script(tmp_path, classes()["Pair"](), ones, ones))
    left, right = names

    answers = infer(servable, {right: [[1.0, 1.0]], left: [[5.0, 7.0]]}, "difference")

    assert answers == {"difference": ("FP32", [1, 2], [[4.0, 6.0]])}


def test_a_tuple_is_answered_by_place(tmp_path: Path) -> None:
    servable = load(save_script(tmp_path, classes()["Several"](), torch.ones(1, 2)))

    answers = infer(servable, {"x": [[1.0, 2.0]]})

    assert answers == {"output-0": ("FP32", [1, 2], [[1.0, 2.0]]), "output-1": ("FP32", [1, 2], [[2.0, 4.0]])}


def test_declared_tensors_are_checked_named_and_batched(tmp_path: Path) -> None:
    inputs = json.dumps([{"name": "features", "datatype": "FP32", "shape": [-1, 2]}])
    outputs = json.dumps([{"name": "score", "datatype": "FP32", "shape": [-1, 1]}])
    folder = save_script(tmp_path, line(), torch.ones(1, 2))

    servable = load(folder, inputs=inputs, outputs=outputs, row_wise=True)

    assert servable.inputs == (TensorSpec(name="features", datatype="FP32", shape=(-1, 2)),)
    assert servable.rows is not None
    assert servable.rows.predict(np.array([[1, 2]])).tolist() == [[4.5]]
    assert infer(servable, {"features": [[1.0, 2.0]]}, "score") == {"score": ("FP32", [1, 1], [[4.5]])}
    with pytest.raises(BadRequest, match=r"input 'features': expected FP32 \[-1, 2\], got FP64 \[1, 3\]"):
        infer(servable, {"features": [[1.0, 2.0, 3.0]]})


def test_a_seldon_array_is_the_input(tmp_path: Path) -> None:
    answer = load(save_script(tmp_path, line(), torch.ones(1, 2))).invoke(Method.PREDICT, asking([[1, 2]]))

    assert answer.payload.form is Form.NDARRAY
    assert answer.payload.value.tolist() == [[4.5]]


# --- requests that cannot be answered ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrays", "outputs", "message"),
    [
        ({"left": [1.0]}, [], "this model takes 2 inputs (left, right), got 1"),
        ({"left": [1.0], "up": [1.0]}, [], "unknown input 'up'; this model takes 'left', 'right'"),
        ({"left": [1.0], "input-0": [1.0]}, [], "input 'input-0' is given twice"),
        ({"left": ["a"], "right": [1.0]}, [], "input 'left': PyTorch models take numbers, got BYTES [1]"),
        ({"left": [1.0], "right": [1.0]}, ["zzz"], "Unexpected inference output 'zzz' for model 'iris'"),
    ],
)
def test_a_wrong_request_is_told_what_the_model_wants(
    tmp_path: Path, arrays: dict[str, Any], outputs: list[str], message: str
) -> None:
    ones = torch.ones(2)
    servable = load(save_script(tmp_path, classes()["Pair"](), ones, ones))

    with pytest.raises(BadRequest) as refused:
        infer(servable, arrays, *outputs)

    assert str(refused.value) == message


def test_a_shape_the_layers_refuse_is_one_sentence(tmp_path: Path) -> None:
    servable = load(save_script(tmp_path, line(), torch.ones(1, 2)))

    with pytest.raises(BadRequest, match=r"^mat1 and mat2 shapes cannot be multiplied \(1x3 and 2x1\)$"):
        infer(servable, {"x": [[1.0, 2.0, 3.0]]})


# --- files that cannot be loaded --------------------------------------------------------------------------------


def failure(folder: Path, **parameters: Any) -> str:
    with pytest.raises(LoadError) as failed:
        load(folder, **parameters)
    assert "\n" not in str(failed.value)
    return str(failed.value)


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(content)

    assert failure(tmp_path).startswith("unit classifier: model.pt cannot be loaded as TorchScript, or the weights")


def test_a_truncated_script_is_refused(tmp_path: Path) -> None:
    path = save_script(tmp_path, line(), torch.ones(1, 2)) / "model.pt"
    path.write_bytes(path.read_bytes()[:-300])

    assert "model.pt cannot be loaded" in failure(tmp_path)


def test_a_whole_pickled_module_is_refused_with_what_to_do(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 1), tmp_path / "model.pt")

    assert "save torch.jit.script(model), or model.state_dict()" in failure(tmp_path)


def test_weights_without_their_class_say_what_is_missing(tmp_path: Path) -> None:
    torch.save(line().state_dict(), tmp_path / "model.pt")

    assert "put one Python file beside them" in failure(tmp_path)


def test_weights_of_another_class_are_refused(tmp_path: Path) -> None:
    message = failure(save_weights(tmp_path, line()), model_class="Lookup")

    assert "the weights of model.pt do not fit net.Lookup" in message


@pytest.mark.parametrize(("name", "words"), [("Missing", "has no class Missing"), ("NeedsMore", "width")])
def test_a_class_that_cannot_be_made_is_named(tmp_path: Path, name: str, words: str) -> None:
    assert words in failure(save_weights(tmp_path, line()), model_class=name)
