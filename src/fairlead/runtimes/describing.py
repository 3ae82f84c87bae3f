"""What a model folder says of itself: its format, the libraries it was made with, the inputs it takes.

Files are read, never loaded: a pickle is searched for the words that scikit-learn leaves in it and nothing in it runs.
What cannot be told that way stays empty, and a file that makes no sense is no reason to refuse a model.
"""

import json
import mmap
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fairlead.runtimes.model_settings import FILE as SETTINGS
from fairlead.runtimes.onnx_signature import read_signature

_PICKLES = (".joblib", ".pkl", ".pickle")
_LARGEST_TEXT_BYTES = 256 * 1024**2
_MLSERVER = re.compile(r"mlserver_(\w+)\.")
_SAVED_BY_SKLEARN = re.compile(rb"_sklearn_version(?:\x94|q.)?(?:\x8c.|X....)(\d+\.\d+(?:\.\d+)?(?:[a-z.]+\d+)?)", re.S)
# One byte, two, or four, as pickles write small numbers (opcodes BININT1, BININT2, BININT).
_FEATURES = re.compile(rb"n_features_in_(?:\x94|q.)?(?:K(.)|M(..)|J(....))", re.S)
_BENTOML_FORMATS = {"keras": "tensorflow", "torchscript": "pytorch", "transformers": "huggingface"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`format` is a runtime's word, empty when nothing tells. `versions` are of libraries, by distribution. `inputs`
    and `outputs` are as the V2 protocol's metadata has them: name, datatype, shape (-1: any), as far as known."""

    format: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[Mapping[str, Any]] = ()
    outputs: Sequence[Mapping[str, Any]] = ()


def describe(path: Path) -> Description:
    """The model in a folder, or the one file that a model is."""
    folder, files = (path, sorted(path.iterdir())) if path.is_dir() else (path.parent, [path])
    names = {file.name for file in files}
    for name, reading in _BY_NAME.items():
        if name in names and (found := _quietly(reading, folder / name)):
            return found
    if _is_saved_model(files):
        return Description(format="tensorflow")
    for file in files:
        reading_of = _BY_SUFFIX.get(file.suffix.lower())
        if reading_of and file.is_file() and (found := _quietly(reading_of, file)):
            return found
    return Description()


def _quietly(reading: Callable[[Path], Description | None], path: Path) -> Description | None:
    try:
        return reading(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return None


def _is_saved_model(files: Sequence[Path]) -> bool:
    """A SavedModel, or versions of one in numbered folders."""
    numbered = (file / "saved_model.pb" for file in files if file.is_dir() and file.name.isdecimal())
    return any(file.name == "saved_model.pb" for file in files) or any(model.is_file() for model in numbered)


def _mlflow(path: Path) -> Description:
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    signature = said.get("signature") or {}
    return Description(
        format="mlflow",
        versions=dict(_mlflow_versions(said)),
        inputs=_mlflow_specs(signature.get("inputs")),
        outputs=_mlflow_specs(signature.get("outputs")),
    )


def _mlflow_versions(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if said.get("mlflow_version"):
        yield "mlflow", str(said["mlflow_version"])
    for flavor, content in (said.get("flavors") or {}).items():
        for key, value in content.items():
            if key in ("sklearn_version", "xgb_version", "lgb_version", "pytorch_version", "tensorflow_version"):
                yield {"sklearn": "scikit-learn"}.get(flavor, flavor), str(value)


_MLFLOW_TYPES = {"double": "FP64", "float": "FP32", "long": "INT64", "integer": "INT32", "boolean": "BOOL"}
_NUMPY_TYPES = {"float64": "FP64", "float32": "FP32", "int64": "INT64", "int32": "INT32", "bool": "BOOL"}


def _mlflow_specs(written: str | None) -> list[Mapping[str, Any]]:
    specs: list[Mapping[str, Any]] = []
    for at, column in enumerate(json.loads(written) if written else ()):
        tensor = column.get("tensor-spec")
        name = column.get("name") or f"input-{at}"
        if tensor:
            datatype = _NUMPY_TYPES.get(tensor["dtype"], "BYTES")
            specs.append({"name": name, "datatype": datatype, "shape": tensor["shape"]})
        else:
            specs.append({"name": name, "datatype": _MLFLOW_TYPES.get(column.get("type"), "BYTES"), "shape": [-1]})
    return specs


def _mlserver(path: Path) -> Description | None:
    said = json.loads(path.read_text(encoding="utf-8"))
    found = _MLSERVER.match(str(said.get("implementation", "")))
    if not found:
        return None
    return Description(
        format=found[1].replace("_", ""), inputs=said.get("inputs") or (), outputs=said.get("outputs") or ()
    )


def _bentoml(path: Path) -> Description:
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    framework = str(said.get("module") or "").rpartition(".")[2]
    versions = (said.get("context") or {}).get("framework_versions") or {}
    return Description(
        format=_BENTOML_FORMATS.get(framework, framework), versions={str(k): str(v) for k, v in versions.items()}
    )


def _hugging_face(path: Path) -> Description | None:
    said = json.loads(path.read_text(encoding="utf-8"))
    if not {"model_type", "architectures"} & said.keys():
        return None
    version = said.get("transformers_version")
    return Description(format="huggingface", versions={"transformers": str(version)} if version else {})


def _pickled(path: Path) -> Description:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        saved, features = _SAVED_BY_SKLEARN.search(content), _FEATURES.search(content)
        versions = {"scikit-learn": saved[1].decode()} if saved else {}
        width = int.from_bytes(next(part for part in features.groups() if part), "little") if features else 0
    inputs = [{"name": "input-0", "datatype": "FP64", "shape": [-1, width]}] if width else ()
    return Description(format="sklearn", versions=versions, inputs=inputs)


def _xgboost_json(path: Path) -> Description | None:
    if path.stat().st_size > _LARGEST_TEXT_BYTES:
        return None
    said = json.loads(path.read_text(encoding="utf-8"))
    learner = said["learner"]
    width = int(learner["learner_model_param"]["num_feature"])
    return Description(
        format="xgboost",
        versions={"xgboost": ".".join(str(part) for part in said["version"])},
        inputs=[{"name": "input-0", "datatype": "FP32", "shape": [-1, width]}],
    )


def _boosted(path: Path) -> Description | None:
    """XGBoost and LightGBM share an ending: LightGBM's files are text that begins with a word."""
    with path.open("rb") as file:
        beginning = file.read(64 * 1024)
    if beginning.startswith(b"tree\n"):
        widest = re.search(rb"^max_feature_idx=(\d+)$", beginning, re.M)
        inputs = [{"name": "input-0", "datatype": "FP64", "shape": [-1, int(widest[1]) + 1]}] if widest else ()
        return Description(format="lightgbm", inputs=inputs)
    if path.suffix == ".txt":
        return None
    if beginning.startswith(b'{"learner"') or path.suffix == ".json":
        return _xgboost_json(path)
    return Description(format="xgboost")


def _onnx(path: Path) -> Description:
    try:
        inputs, outputs = read_signature(path)
    except ValueError:
        return Description(format="onnx")
    return Description(format="onnx", inputs=inputs, outputs=outputs)


def _is(word: str) -> Callable[[Path], Description]:
    return lambda _path: Description(format=word)


_BY_NAME: dict[str, Callable[[Path], Description | None]] = {
    "MLmodel": _mlflow,
    SETTINGS: _mlserver,
    "model.yaml": _bentoml,
    "config.pbtxt": _is("triton"),
    "config.json": _hugging_face,
}
_BY_SUFFIX: dict[str, Callable[[Path], Description | None]] = {
    **dict.fromkeys(_PICKLES, _pickled),
    **dict.fromkeys((".json", ".ubj", ".bst", ".txt"), _boosted),
    ".onnx": _onnx,
    ".cbm": _is("catboost"),
    **dict.fromkeys((".keras", ".h5"), _is("tensorflow")),
    **dict.fromkeys((".pt", ".pth", ".mar", ".safetensors"), _is("pytorch")),
}
