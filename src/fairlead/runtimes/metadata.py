"""The description a model gives of itself: defaults, what its code says, what its environment says, and the schema.

A description that breaks the schema is reported when the unit starts and each time it is asked for; the model
itself serves all the same.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from fairlead.plan.model import Unit
from fairlead.runtimes.failures import BadMetadata
from fairlead.runtimes.operations import ABSENT, first_answer

_log = logging.getLogger(__name__)

_INTEGERS = (f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_DATATYPES = frozenset(("BOOL", "BYTES", "FP16", "FP32", "FP64", *_INTEGERS))
_ARRAYS = frozenset(("tensor", "ndarray", "tftensor"))


def served_metadata(
    unit: Unit, init_metadata: Callable[[], Any] | None, env: Mapping[str, str]
) -> Callable[[], dict[str, Any]]:
    """A function that gives the metadata of a unit, settled now; it raises `BadMetadata` if there is none."""
    try:
        settled = {**default_metadata(unit), **_said_by_code(init_metadata), **_said_by_env(env)}
        problems = metadata_problems(settled)
    except Exception as error:
        _log.warning("unit %s: model metadata cannot be read", unit.name, exc_info=error)
        problems = [str(error)]
        settled = {}

    def give() -> dict[str, Any]:
        if problems:
            raise BadMetadata("Model metadata unavailable")
        return settled

    if problems:
        _log.error("unit %s: model metadata is not valid: %s", unit.name, "; ".join(problems))
    return give


def default_metadata(unit: Unit) -> dict[str, Any]:
    """What is known of any unit: its image and the image's tag."""
    name, tag = split_image(unit.image)
    return {
        "name": name or str(unit.name),
        "versions": [tag] if tag else [],
        "platform": "",
        "inputs": [],
        "outputs": [],
        "custom": {},
    }


def split_image(image: str) -> tuple[str, str]:
    """Name and tag of an image; the colon of a registry's port is not a tag's."""
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "")


def metadata_problems(metadata: Mapping[str, Any]) -> list[str]:
    """Everything in a description that the schema does not allow, one sentence each."""
    problems = [f"{key} is not a known key" for key in metadata if key not in _KEYS]
    for key in ("name", "platform"):
        if not isinstance(metadata.get(key), str):
            problems.append(f"{key} must be a string")
    if not _is_list_of(metadata.get("versions"), str):
        problems.append("versions must be a list of strings")
    custom = metadata.get("custom")
    if not isinstance(custom, dict) or not _is_list_of([*custom.keys(), *custom.values()], str):
        problems.append("custom must map strings to strings")
    for key in ("inputs", "outputs"):
        problems += _tensor_problems(key, metadata.get(key))
    return problems


_KEYS = frozenset(("name", "versions", "platform", "inputs", "outputs", "custom"))


def _tensor_problems(key: str, entries: Any) -> list[str]:
    if not isinstance(entries, list):
        return [f"{key} must be a list"]
    problems = []
    for index, entry in enumerate(entries):
        what = _entry_problem(entry)
        if what:
            problems.append(f"{key}[{index}] {what}")
    return problems


def _entry_problem(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "must be a map"
    return _message_problem(entry) if "messagetype" in entry else _tensor_problem(entry)


def _message_problem(entry: dict[str, Any]) -> str:
    kind = entry["messagetype"]
    if not isinstance(kind, str):
        return "messagetype must be a string"
    wanted = {"messagetype"} if kind in ("strData", "binData") else {"messagetype", "schema"}
    if set(entry) != wanted:
        return f"of messagetype {kind} must have exactly the keys {', '.join(sorted(wanted))}"
    if kind in _ARRAYS:
        return _array_schema_problem(entry["schema"])
    return "" if "schema" not in entry or isinstance(entry["schema"], dict) else "schema must be a map"


def _array_schema_problem(schema: Any) -> str:
    if not isinstance(schema, dict) or not set(schema) <= {"names", "shape"}:
        return "schema must have the keys names and shape and no others"
    if not _is_list_of(schema.get("names", []), str):
        return "schema.names must be a list of strings"
    return "" if _is_list_of(schema.get("shape", []), int) else "schema.shape must be a list of integers"


def _tensor_problem(entry: dict[str, Any]) -> str:
    if set(entry) != {"name", "datatype", "shape"}:
        return "must have messagetype, or exactly the keys name, datatype and shape"
    if not isinstance(entry["name"], str):
        return "name must be a string"
    if entry["datatype"] not in _DATATYPES:
        return f"datatype must be one of {', '.join(sorted(_DATATYPES))}"
    return "" if _is_list_of(entry["shape"], int) else "shape must be a list of integers"


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _said_by_code(init_metadata: Callable[[], Any] | None) -> dict[str, Any]:
    if init_metadata is None:
        return {}
    said = first_answer((init_metadata,))
    return {} if said is ABSENT or said is None else _as_map(said, "init_metadata()")


def _said_by_env(env: Mapping[str, str]) -> dict[str, Any]:
    text = env.get("MODEL_METADATA", "")
    return _as_map(yaml.safe_load(text), "MODEL_METADATA") if text.strip() else {}


def _as_map(value: Any, source: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{source} must give a map, not {type(value).__name__}")
    return value


def read_metadata(folder: Path | None) -> dict[str, Any]:
    """What `metadata.yaml` beside a model says, nothing when there is no file. Errors are for whoever
    validates metadata."""
    if folder is None:
        return {}
    path = folder / "metadata.yaml"
    if not path.is_file():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise TypeError(f"metadata.yaml must hold a map, not {type(content).__name__}")
    return content
