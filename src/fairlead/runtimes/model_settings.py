"""`model-settings.json`, MLServer's description of a model, in the folder of the model it describes.

Its name, version and file win over what is found by convention. What it says about MLServer itself (the class that
implements it, its workers, its batching) has no meaning here and is passed over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.errors import LoadError
from fairlead.protocols.tensors import DTYPES
from fairlead.runtimes.base import TensorSpec

FILE = "model-settings.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What the file says; empty where it says nothing. `uri` is the model's file inside the folder. `extra` is free for
    the format."""

    name: str = ""
    version: str = ""
    platform: str = ""
    uri: str = ""
    content_type: str = ""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_settings(folder: Path | None, *, unit: str) -> ModelSettings:
    """The settings in a folder; those of nobody when there is no file. Raises `LoadError` for one that is no JSON
    object."""
    path = None if folder is None else folder / FILE
    if path is None or not path.is_file():
        return ModelSettings()
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LoadError(f"unit {unit}: {FILE} is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise LoadError(f"unit {unit}: {FILE} must hold an object like {_EXAMPLE}")
    parameters = _object(said.get("parameters"), "parameters", unit)
    return ModelSettings(
        name=_text(said, "name", unit),
        version=_text(parameters, "version", unit),
        platform=_text(said, "platform", unit),
        uri=_text(parameters, "uri", unit),
        content_type=_text(parameters, "content_type", unit),
        inputs=read_specs(said.get("inputs") or [], f"unit {unit}: {FILE}: inputs"),
        outputs=read_specs(said.get("outputs") or [], f"unit {unit}: {FILE}: outputs"),
        extra=_object(parameters.get("extra"), "parameters.extra", unit),
    )


_EXAMPLE = '{"name": "iris", "parameters": {"uri": "./model.joblib", "version": "v0.1.0"}}'


def model_file(settings: ModelSettings, folder: Path, *, unit: str) -> Path | None:
    """The file that the settings name, `None` when they name none, or the folder itself. Raises `LoadError` for one
    that is not there or lies outside the folder."""
    uri = settings.uri.removeprefix("file:")
    if not uri or (folder / uri).resolve() == folder.resolve():
        return None
    path = (folder / uri).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise LoadError(f"unit {unit}: {FILE}: parameters.uri {settings.uri!r} is outside the model's folder")
    if not path.exists():
        raise LoadError(f"unit {unit}: {FILE}: parameters.uri {settings.uri!r} is not in the model's folder")
    return None if path.is_dir() else path


def _text(of: Mapping[str, Any], key: str, unit: str) -> str:
    value = of.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LoadError(f"unit {unit}: {FILE}: {key} must be a string, not {value!r}")
    return value


def _object(value: Any, key: str, unit: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LoadError(f"unit {unit}: {FILE}: {key} must be an object, not {value!r}")
    return value


def read_specs(entries: Any, where: str) -> tuple[TensorSpec, ...]:
    """Inputs or outputs as a list of objects with name, datatype and shape. Raises `LoadError`, which starts with
    `where`."""
    if not isinstance(entries, list):
        raise LoadError(f"{where}: expected a list of objects with name, datatype and shape")
    return tuple(_spec(entry, f"{where}[{index}]") for index, entry in enumerate(entries))


def _spec(entry: Any, where: str) -> TensorSpec:
    name, datatype, shape = (
        entry.get(key) if isinstance(entry, dict) else None for key in ("name", "datatype", "shape")
    )
    if not isinstance(name, str) or not isinstance(datatype, str) or not isinstance(shape, list):
        raise LoadError(f"{where} must have name, datatype and shape")
    if datatype not in DTYPES or not all(isinstance(size, int) for size in shape):
        raise LoadError(f"{where}: datatype must be one of {', '.join(DTYPES)}, and shape a list of integers")
    return TensorSpec(name=name, datatype=datatype, shape=tuple(shape))
