"""Repositories as people have them, with the real libraries of the formats inside."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.errors import BadRequest, LoadError, NotFound, NotReady, UnitFailed
from fairlead.plan.model import Method
from fairlead.protocols.message import Asked, Output
from fairlead.runtimes.base import ModelState, Servable
from support.formats import needed, save_onnx_graph
from support.units import asking, unit
from support.user_files import forgotten, listed, load, tensors


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with forgotten():
        yield


def onnx_model(repository: Path, name: str, config: str = "", version: str = "1", operator: str = "Add") -> Path:
    """Doubles (or squares) a row of numbers."""
    needed("onnx", "pip install onnx")
    folder = repository / name / version
    folder.mkdir(parents=True)
    save_onnx_graph(folder, {"x": ("FLOAT", [None, 2])}, {"y": ("FLOAT", [None, 2])}, (operator, ["x", "x"], ["y"]))
    if config:
        (repository / name / "config.pbtxt").write_text(config)
    return repository


CONFIG = """
name: "double"
platform: "onnxruntime_onnx"
max_batch_size: 4
input [ { name: "x" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 2 ] } ]
"""


def python_model(repository: Path, name: str, execute: str, config: str = "", rest: str = "") -> Path:
    """A model.py with this `execute`."""
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    body = "\n".join(f"        {line}" for line in execute.strip().splitlines())
    (folder / "model.py").write_text(
        "import json\nimport numpy as np\nimport triton_python_backend_utils as pb_utils\n\n"
        f"class TritonPythonModel:\n{rest}\n    def execute(self, requests):\n{body}\n"
    )
    (repository / name / "config.pbtxt").write_text(f'backend: "python"\n{config}')
    return repository


ECHO = """
answers = []
for request in requests:
    x = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
    answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", x + 1)]))
return answers
"""
PORTS = (
    'input [ { name: "x" data_type: TYPE_FP32 dims: [ -1 ] } ] '
    'output [ { name: "y" data_type: TYPE_FP32 dims: [ -1 ] } ]'
)


def ask(servable: Servable, *, model: str = "", version: str = "", wanted: list[str] | None = None, **x: Any) -> Any:
    asked = Asked(model=model, version=version, outputs=[Output(name) for name in wanted or []])
    return listed(servable.invoke(Method.PREDICT, tensors(asked=asked, **x)))


X = np.array([[1.5, 2.0]], np.float32)


def test_a_model_answers_by_its_configuration(tmp_path: Path) -> None:
    servable = load(unit("triton", name="double"), folder=onnx_model(tmp_path, "double", CONFIG))

    assert ask(servable, x=X) == {"y": [[3.0, 4.0]]}
    assert ask(servable, x=X, wanted=["y"]) == {"y": [[3.0, 4.0]]}
    assert (servable.inputs[0].shape, servable.platform) == ((-1, 2), "onnxruntime_onnx")
    assert servable.invoke(Method.PREDICT, asking([[1, 2]])).payload.value.tolist() == [[2, 4]]
    with pytest.raises(BadRequest, match="Unexpected inference output 'z' for model 'double'"):
        ask(servable, x=X, wanted=["z"])


def test_a_batch_has_a_limit(tmp_path: Path) -> None:
    servable = load(unit("triton"), folder=onnx_model(tmp_path, "double", CONFIG))

    assert len(ask(servable, x=np.ones((4, 2), np.float32))["y"]) == 4
    with pytest.raises(BadRequest, match="inference request batch-size must be <= 4 for 'double', got 5"):
        ask(servable, x=np.ones((5, 2), np.float32))


def test_dynamic_batching_joins_requests_in_calls_of_the_allowed_size(tmp_path: Path) -> None:
    plain = load(unit("triton"), folder=onnx_model(tmp_path / "a", "double", CONFIG))
    joined = load(unit("triton"), folder=onnx_model(tmp_path / "b", "double", CONFIG + "dynamic_batching { }"))

    assert plain.rows is None
    assert joined.rows is not None
    assert joined.rows.predict(np.ones((11, 2), np.float32)).tolist() == [[2.0, 2.0]] * 11


def test_no_configuration_is_needed_where_the_file_says_enough(tmp_path: Path) -> None:
    servable = load(unit("triton"), folder=onnx_model(tmp_path, "double"))

    assert ask(servable, x=X) == {"y": [[3.0, 4.0]]}


def test_a_models_own_folder_is_a_repository_of_one(tmp_path: Path) -> None:
    servable = load(unit("triton", name="double"), folder=onnx_model(tmp_path, "double", CONFIG) / "double")

    assert ask(servable, x=X) == {"y": [[3.0, 4.0]]}


def test_models_are_asked_by_name_and_version(tmp_path: Path) -> None:
    onnx_model(tmp_path, "double", CONFIG + "version_policy: { all { } }")
    onnx_model(tmp_path, "double", version="3", operator="Mul")
    onnx_model(tmp_path, "square", operator="Mul")
    servable = load(unit("triton", name="double"), folder=tmp_path)
    held = servable.repository
    assert held is not None

    assert ask(servable, x=X) == {"y": [[2.25, 4.0]]}  # the newest version
    assert ask(servable, x=X, model="double", version="1") == {"y": [[3.0, 4.0]]}
    assert ask(servable, x=X, model="square") == {"y": [[2.25, 4.0]]}
    assert [(one.name, one.version) for one in held.models()] == [("double", "1"), ("double", "3"), ("square", "1")]
    assert servable.rows is None
    with pytest.raises(NotFound, match="Model double with version 2 not found; loaded: 1, 3"):
        ask(servable, x=X, model="double", version="2")


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", ["3"]),
        ("version_policy: { latest { num_versions: 2 } }", ["2", "3"]),
        ("version_policy: { all { } }", ["1", "2", "3"]),
        ("version_policy: { specific { versions: [ 1 ] } }", ["1"]),
    ],
)
def test_the_policy_chooses_versions(tmp_path: Path, policy: str, versions: list[str]) -> None:
    for version in ("1", "2", "3"):
        onnx_model(tmp_path, "double", CONFIG + policy, version)

    held = load(unit("triton"), folder=tmp_path).repository

    assert held is not None
    assert [one.version for one in held.models()] == versions


def test_models_are_unloaded_and_loaded_anew_from_the_folder(tmp_path: Path) -> None:
    servable = load(unit("triton"), folder=onnx_model(tmp_path, "double", CONFIG))
    held = servable.repository
    assert held is not None

    held.unload("double")
    assert [(one.state, one.reason) for one in held.models()] == [(ModelState.UNAVAILABLE, "unloaded")]
    with pytest.raises(NotReady, match="Model with name double is not ready"):
        ask(servable, x=X, model="double")

    onnx_model(tmp_path, "double", version="2", operator="Mul")
    onnx_model(tmp_path, "new", operator="Mul")
    held.load("double")
    held.load("new")
    assert ask(servable, x=X, model="double") == {"y": [[2.25, 4.0]]}
    assert ask(servable, x=X, model="new") == {"y": [[2.25, 4.0]]}
    with pytest.raises(NotFound, match="nothing does not exist"):
        held.load("nothing")
    servable.close()


def test_one_bad_model_leaves_the_others_in_service(tmp_path: Path) -> None:
    onnx_model(tmp_path, "double", CONFIG)
    (tmp_path / "bad" / "1").mkdir(parents=True)
    (tmp_path / "bad" / "config.pbtxt").write_text('backend: "tensorrt"')

    servable = load(unit("triton"), folder=tmp_path)

    assert ask(servable, x=X) == {"y": [[3.0, 4.0]]}
    assert servable.repository is not None
    bad = servable.repository.models()[0]
    assert (bad.name, bad.state) == ("bad", ModelState.UNAVAILABLE)
    assert "backend 'tensorrt' runs in Triton's own container alone" in bad.reason
    with pytest.raises(LoadError, match=r"unit bad: bad/config\.pbtxt: backend 'tensorrt'"):
        load(unit("triton", name="bad"), folder=tmp_path)


def test_reshape_gives_the_file_its_own_shape(tmp_path: Path) -> None:
    config = CONFIG.replace("dims: [ 2 ]", "dims: [ 2, 1 ] reshape { shape: [ 2 ] }")
    servable = load(unit("triton"), folder=onnx_model(tmp_path, "double", config))

    assert ask(servable, x=X.reshape(1, 2, 1)) == {"y": [[[3.0], [4.0]]]}


def test_a_torch_files_tensors_are_known_by_place(tmp_path: Path) -> None:
    torch = needed("torch", "a CPU wheel")

    class Difference(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch has no types here
        def forward(self, a: Any, b: Any) -> Any:
            return a - b

    (tmp_path / "diff" / "1").mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and what Triton's repositories hold
        traced = torch.jit.trace(Difference(), (torch.ones(1, 2), torch.ones(1, 2)))
        traced.save(tmp_path / "diff" / "1" / "model.pt")
    ports = "data_type: TYPE_FP32 dims: [ 2 ]"
    (tmp_path / "diff" / "config.pbtxt").write_text(
        f'platform: "pytorch_libtorch" max_batch_size: 8\n'
        f'input [ {{ name: "INPUT__1" {ports} }}, {{ name: "INPUT__0" {ports} }} ]\n'
        f'output [ {{ name: "OUTPUT__0" {ports} }} ]'
    )

    servable = load(unit("triton"), folder=tmp_path)

    assert ask(servable, INPUT__1=X, INPUT__0=2 * X) == {"OUTPUT__0": [[1.5, 2.0]]}


def test_a_python_model_is_initialized_asked_and_finalized(tmp_path: Path) -> None:
    rest = """
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.dtype = pb_utils.triton_string_to_numpy(pb_utils.get_output_config_by_name(config, "y")["data_type"])
        self.by = int(config["parameters"]["by"]["string_value"])
        self.seen = [args["model_name"], args["model_version"]]
    def finalize(self):
        self.seen.append("gone")
        TritonPythonModel.last = self.seen
"""
    execute = """
x = pb_utils.get_input_tensor_by_name(requests[0], "x").as_numpy()
return [pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("y", (x * self.by).astype(self.dtype))])]
"""
    config = PORTS + ' parameters { key: "by" value: { string_value: "3" } }'
    servable = load(unit("triton"), folder=python_model(tmp_path, "times", execute, config, rest))

    assert ask(servable, x=X[0]) == {"y": [4.5, 6.0]}
    servable.close()
    assert sys.modules["triton_model_times_1"].TritonPythonModel.last == ["times", "1", "gone"]


def test_a_python_models_errors_have_a_status(tmp_path: Path) -> None:
    refusing = 'return [pb_utils.InferenceResponse(error=pb_utils.TritonError("no", pb_utils.TritonError.INVALID_ARG))]'
    failing = 'raise pb_utils.TritonModelException("broken")'
    python_model(tmp_path, "refusing", refusing, PORTS)
    python_model(tmp_path, "failing", failing, PORTS)
    python_model(tmp_path, "silent", "return []", PORTS)
    servable = load(unit("triton"), folder=tmp_path)

    with pytest.raises(BadRequest, match=r"^no$"):
        ask(servable, model="refusing", x=X[0])
    with pytest.raises(UnitFailed, match="TritonModelException: broken"):
        ask(servable, model="failing", x=X[0])
    with pytest.raises(UnitFailed, match="must return a list with one InferenceResponse"):
        ask(servable, model="silent", x=X[0])


def test_a_python_model_asks_others_of_its_repository(tmp_path: Path) -> None:
    execute = """
inner = pb_utils.InferenceRequest(model_name="echo", requested_output_names=["y"], inputs=requests[0].inputs())
answer = inner.exec()
missing = pb_utils.InferenceRequest(model_name="nobody", requested_output_names=[], inputs=[]).exec()
assert missing.has_error() and "nobody" in missing.error().message()
y = pb_utils.get_output_tensor_by_name(answer, "y").as_numpy()
return [pb_utils.InferenceResponse([pb_utils.Tensor("y", y * 10)])]
"""
    python_model(tmp_path, "echo", ECHO, PORTS)
    servable = load(unit("triton", name="outer"), folder=python_model(tmp_path, "outer", execute, PORTS))

    assert ask(servable, x=X[0]) == {"y": [25.0, 30.0]}


def test_an_ensemble_feeds_its_models_with_each_others_answers(tmp_path: Path) -> None:
    python_model(tmp_path, "echo", ECHO, PORTS)
    (tmp_path / "both" / "1").mkdir(parents=True)
    ports = PORTS.replace('"x"', '"in"').replace('"y"', '"out"')
    steps = """
platform: "ensemble"
ensemble_scheduling {
  step [
    { model_name: "echo" model_version: -1 input_map { key: "x" value: "half" } output_map { key: "y" value: "out" } },
    { model_name: "echo" model_version: -1 input_map { key: "x" value: "in" } output_map { key: "y" value: "half" } }
  ]
}
"""
    (tmp_path / "both" / "config.pbtxt").write_text(ports + steps)
    servable = load(unit("triton", name="both"), folder=tmp_path)

    assert listed(servable.invoke(Method.PREDICT, tensors(**{"in": X[0]}))) == {"out": [3.5, 4.0]}

    (tmp_path / "both" / "config.pbtxt").write_text(ports + steps.replace('value: "in"', 'value: "nowhere"'))
    with pytest.raises(LoadError, match="ensemble both: nothing gives 'half' to its step 'echo'"):
        load(unit("triton", name="both"), folder=tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('name: "other" backend: "python"', "name is 'other', but the model's folder is 'm'"),
        ('backend: "dali"', "backend 'dali' runs in Triton's own container alone"),
        ('backend: "python" max_batch_size: -2', "max_batch_size is -2; expected a whole number from 0"),
        ('backend: "python" input [ { name: "x" data_type: TYPE_BF16 } ]', "data_type is TYPE_BF16; known: TYPE_BOOL"),
        ('backend: "onnxruntime"', "version 1 holds model.py; expected model.onnx"),
        ('backend: "python" version_policy { specific { versions: 7 } }', "version_policy names version 7"),
        ('backend: "python', "m/config.pbtxt:1: unexpected"),
    ],
)
def test_what_is_wrong_with_a_model_is_said(tmp_path: Path, config: str, words: str) -> None:
    python_model(tmp_path, "m", ECHO)
    (tmp_path / "m" / "config.pbtxt").write_text(config)

    with pytest.raises(LoadError) as failed:
        load(unit("triton"), folder=tmp_path)

    assert words in str(failed.value)


def test_a_folder_without_models_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no models: found an empty folder; expected folders of models"):
        load(unit("triton"), folder=tmp_path)
    with pytest.raises(LoadError, match="modelUri is not set"):
        load(unit("triton"))
