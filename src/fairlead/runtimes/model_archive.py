"""TorchServe's model archives (`.mar`): a zip with the model's file, the class it belongs to, and a manifest.

What is in them that belongs to the model is served. A handler is code for TorchServe itself, so only the one that hands
tensors to the model and back (`base_handler`) is understood; an archive with another is refused, and says what to do.
"""

import ast
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from fairlead.errors import LoadError

_MANIFEST = "MAR-INF/MANIFEST.json"
_PLAIN_HANDLERS = ("", "base_handler")


class Archive(NamedTuple):
    """An archive that was unpacked. `model_class` is empty for TorchScript."""

    name: str
    version: str
    path: Path
    model_class: str


def find_archive(folder: Path | None) -> Path | None:
    """The archive in a folder, or in the `model-store` below it, where TorchServe looks; `None` when there is none."""
    if folder is None:
        return None
    for place in (folder / "model-store", folder):
        found = sorted(place.glob("*.mar")) if place.is_dir() else []
        if found:
            return found[0]
    return None


def unpacked(archive: Path, workdir: Path | None, *, unit: str) -> Archive:
    """The archive, unpacked below `workdir`. Raises `LoadError` for one that cannot be served."""
    into = Path(tempfile.mkdtemp(prefix="mar-", dir=workdir))
    try:
        with zipfile.ZipFile(archive) as file:
            manifest = json.loads(file.read(_MANIFEST))
            file.extractall(into)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise LoadError(f"unit {unit}: {archive.name} is not a model archive of TorchServe: {error}") from error
    said = manifest.get("model") if isinstance(manifest, dict) else None
    if not isinstance(said, dict) or not isinstance(said.get("serializedFile"), str):
        raise LoadError(f"unit {unit}: {archive.name}: {_MANIFEST} names no model file (model.serializedFile)")
    handler = str(said.get("handler") or "")
    if handler.partition(":")[0] not in _PLAIN_HANDLERS:
        raise LoadError(
            f"unit {unit}: {archive.name} has the handler {handler}, which only TorchServe runs; serve the model's "
            "file by itself (TorchScript as model.pt), or put what the handler does into a transformer"
        )
    return Archive(
        name=str(said.get("modelName") or archive.stem),
        version=str(said.get("modelVersion") or ""),
        path=into / Path(said["serializedFile"]).name,
        model_class=_class_of(into, said.get("modelFile"), unit=unit),
    )


def _class_of(folder: Path, file: Any, *, unit: str) -> str:
    """The one class that the model's source defines, as TorchServe finds it."""
    if not file:
        return ""
    source = folder / Path(str(file)).name
    try:
        tree = ast.parse(source.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise LoadError(f"unit {unit}: the archive's {source.name} cannot be read: {error}") from error
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if len(classes) != 1:
        found = ", ".join(classes) or "none"
        raise LoadError(f"unit {unit}: the archive's {source.name} is to define one class, the model; it has {found}")
    return f"{source.stem}.{classes[0]}"
