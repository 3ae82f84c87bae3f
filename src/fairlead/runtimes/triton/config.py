"""What a model's `config.pbtxt` says, checked once; and what Triton would assume where there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.errors import LoadError
from fairlead.protocols.tensors import BYTES, DTYPES
from fairlead.runtimes.base import TensorSpec
from fairlead.runtimes.triton.text_format import Fields, parse

FILE = "config.pbtxt"

_BACKENDS = {
    "onnxruntime": "onnx", "onnxruntime_onnx": "onnx",
    "pytorch": "pytorch", "pytorch_libtorch": "pytorch",
    "tensorflow": "tensorflow", "tensorflow_savedmodel": "tensorflow",
    "python": "python",
    "ensemble": "ensemble",
}  # fmt: skip
FILES = {"onnx": "model.onnx", "pytorch": "model.pt", "tensorflow": "model.savedmodel", "python": "model.py"}
PLATFORMS = {
    "onnx": "onnxruntime_onnx",
    "pytorch": "pytorch_libtorch",
    "tensorflow": "tensorflow_savedmodel",
    "python": "python",
    "ensemble": "ensemble",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output. `spec.shape` includes the rows where the model is batched; `reshaped` is the shape the file
    inside has instead, without the rows (`None`: the same)."""

    spec: TensorSpec
    reshaped: tuple[int, ...] | None = None
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleStep:
    """One model of an ensemble: its inputs and outputs by the ensemble's names for them."""

    model: str
    version: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One model. `backend` is a key of `PLATFORMS`. `said` is the file's content for models that want to read it."""

    name: str
    backend: str
    max_batch_size: int = 0
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    file: str = ""
    is_batched_dynamically: bool = False
    policy: str = "latest"
    latest: int = 1
    specific: tuple[int, ...] = ()
    steps: tuple[EnsembleStep, ...] = ()
    said: Mapping[str, Any] = field(default_factory=dict)


def read_config(folder: Path, name: str) -> ModelConfig:
    """The configuration of the model in a folder. Raises `LoadError` for what cannot be read or is not served here."""
    path = folder / FILE
    if not path.is_file():
        return ModelConfig(name=name, backend=_guessed(folder, name), said={"name": name})
    where = f"{name}/{FILE}"
    try:
        fields = parse(path.read_text(encoding="utf-8"), where=where)
    except UnicodeDecodeError as error:
        raise LoadError(f"{where}: not UTF-8 text") from error
    said = str(_one(fields, "name", name) or name)
    if said != name:
        raise LoadError(f"{where}: name is {said!r}, but the model's folder is {name!r}; both must be the same")
    return _config(fields, folder, name, where)


def _config(fields: Fields, folder: Path, name: str, where: str) -> ModelConfig:
    asked = str(_one(fields, "backend", "") or _one(fields, "platform", ""))
    backend = _BACKENDS.get(asked) if asked else _guessed(folder, name)
    if backend is None:
        raise LoadError(_only_triton(where, asked))
    batch = _whole(_one(fields, "max_batch_size", 0), f"{where}: max_batch_size")
    policy: Fields = _one(fields, "version_policy", {})
    latest: Fields = _one(policy, "latest", {})
    specific: Fields = _one(policy, "specific", {})
    return ModelConfig(
        name=name,
        backend=backend,
        max_batch_size=batch,
        inputs=tuple(_port(one, batch, f"{where}: input") for one in fields.get("input", ())),
        outputs=tuple(_port(one, batch, f"{where}: output") for one in fields.get("output", ())),
        file=str(_one(fields, "default_model_filename", "")),
        is_batched_dynamically="dynamic_batching" in fields,
        policy=next(iter(policy), "latest"),
        latest=_whole(_one(latest, "num_versions", 1), f"{where}: num_versions"),
        specific=tuple(_whole(one, f"{where}: versions") for one in specific.get("versions", ())),
        steps=tuple(_step(one, where) for one in _one(fields, "ensemble_scheduling", {}).get("step", ())),
        said=as_json(fields) | {"name": name, "max_batch_size": batch},
    )


def _guessed(folder: Path, name: str) -> str:
    """The back-end by the file that a version holds."""
    for backend, file in FILES.items():
        if any(path.parent.name.isdigit() for path in folder.glob(f"*/{file}")):
            return backend
    known = ", ".join(FILES.values())
    raise LoadError(f"model {name}: no {FILE} that names a backend, and no version folder with one of {known}")


def _only_triton(where: str, asked: str) -> str:
    known = ", ".join(sorted(_BACKENDS))
    return (
        f"{where}: backend {asked!r} runs in Triton's own container alone: name its image (nvcr.io/nvidia/tritonserver)"
        f" in the manifest, and have Docker or Podman on this machine. Served here: {known}"
    )


def _port(fields: Fields, batch: int, where: str) -> Port:
    if not isinstance(fields, dict):
        raise LoadError(f"{where}: expected fields in braces")
    name, kind = _one(fields, "name", ""), str(_one(fields, "data_type", ""))
    datatype = BYTES if kind == "TYPE_STRING" else kind.removeprefix("TYPE_")
    if not name or datatype not in DTYPES:
        known = ", ".join(f"TYPE_{one}" if one != BYTES else "TYPE_STRING" for one in DTYPES)
        raise LoadError(f"{where} {name!r}: data_type is {kind or 'missing'}; known: {known}")
    dims = tuple(_whole(one, f"{where} {name!r}: dims", least=-1) for one in fields.get("dims", ()))
    reshape: Fields | None = _one(fields, "reshape", None)
    return Port(
        spec=TensorSpec(name=str(name), datatype=datatype, shape=((-1, *dims) if batch else dims)),
        reshaped=None if reshape is None else tuple(int(one) for one in reshape.get("shape", ())),
        is_optional=bool(_one(fields, "optional", False)),
    )


def _step(fields: Fields, where: str) -> EnsembleStep:
    model = str(_one(fields, "model_name", ""))
    if not model:
        raise LoadError(f"{where}: ensemble_scheduling: a step without model_name")
    version = int(_one(fields, "model_version", -1))
    return EnsembleStep(
        model=model,
        version=str(version) if version > 0 else "",
        inputs=_map(fields, "input_map"),
        outputs=_map(fields, "output_map"),
    )


def _map(fields: Fields, name: str) -> dict[str, str]:
    return {str(_one(entry, "key", "")): str(_one(entry, "value", "")) for entry in fields.get(name, ())}


def _one(fields: Fields, name: str, default: Any) -> Any:
    """A field that comes once; the last one wins, as protobuf has it."""
    given = fields.get(name)
    return given[-1] if given else default


def _whole(value: Any, where: str, *, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise LoadError(f"{where} is {value!r}; expected a whole number from {least}")
    return value


_REPEATED = frozenset(("input", "output", "dims", "instance_group", "shape", "versions", "step", "gpus"))
_MAPS = frozenset(("parameters", "input_map", "output_map", "metric_tags", "cc_model_filenames"))


def as_json(fields: Fields) -> dict[str, Any]:
    """The fields as Triton shows its configuration in JSON: lists for what repeats, objects for maps."""
    return {name: _json(name, values) for name, values in fields.items()}


def _json(name: str, values: list[Any]) -> Any:
    if name in _MAPS:
        return {str(_one(entry, "key", "")): _plain(_one(entry, "value", "")) for entry in values}
    plain = [_plain(value) for value in values]
    return plain if name in _REPEATED else plain[-1]


def _plain(value: Any) -> Any:
    return as_json(value) if isinstance(value, dict) else value
