"""What `fairlead push` is given, made ready to send: a model of any format, or a bento with the models it brings.

A folder with a `bento.yaml` is a bento; `.bento` and `.bentomodel` files are BentoML's exports, unpacked first. All
else is a model, described by `runtimes.describing`, with a `model.yaml` so that BentoML's clients can pull it too.
"""

import hashlib
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import yaml

from fairlead.cli.exits import UsageError
from fairlead.cli.shipping import Shipment
from fairlead.cli.tags import name_for
from fairlead.registry.packing import Archive
from fairlead.runtimes.describing import Description, describe
from fairlead.storage.uris import RegistryUri

_EXPORTS = (".bento", ".bentomodel")
_BENTO, _MODEL = "bento.yaml", "model.yaml"
_KEPT_OF_MODEL = ("module", "api_version", "metadata", "context", "options")
_KEPT_OF_BENTO = (
    "service", "name", "entry_service", "bentoml_version", "services", "envs", "schema", "image", "spec", "version",
    "runners", "args",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the person said about it, where the files say otherwise or nothing."""

    tag: RegistryUri | None = None
    format: str = ""
    description: str = ""
    labels: Sequence[tuple[str, str]] = ()


@contextmanager
def parcels_of(path: Path, wish: Wish) -> Iterator[list[Shipment]]:
    """Everything to send for `path`, models before the bento that needs them. Raises UsageError."""
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    with ExitStack() as stack:
        folder = path
        if path.is_file() and path.suffix in _EXPORTS:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairlead-push-")))
            _unpack(path, folder)
        if (folder / _BENTO).is_file():
            yield [*_models_within(folder), _bento(folder, wish)]
        elif wish.tag is None and (folder / _MODEL).is_file():
            yield [_bentoml_model(folder, wish)]
        else:
            yield [_model(folder, path, wish)]


def _unpack(path: Path, folder: Path) -> None:
    import tarfile

    try:
        with tarfile.open(path, "r:*") as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as problem:
        raise UsageError(f"{path}: cannot be read as an export of BentoML: {problem}") from problem


def _model(folder: Path, written: Path, wish: Wish) -> Shipment:
    found = describe(folder)
    format_ = wish.format or found.format
    if not format_:
        raise UsageError(f"{written}: nothing in it tells the model's format; give --format, such as --format sklearn")
    name = wish.tag.name if wish.tag else name_for(written.stem if written.is_file() else written.resolve().name)
    version = (wish.tag.tag if wish.tag else "") or _digest(Archive(folder))
    manifest = _manifest(format_, found)
    archive = Archive(folder, _model_yaml(folder, name, version, manifest, wish.labels))
    manifest["size_bytes"] = archive.content_bytes
    return Shipment(
        kind="model", name=name, version=version, archive=archive, manifest=manifest, description=wish.description,
        labels=wish.labels,
    )  # fmt: skip


def _digest(archive: Archive) -> str:
    """A version that equal files get again."""
    seen = hashlib.sha256()
    for chunk in archive.chunks():
        seen.update(chunk)
    return seen.hexdigest()[:12]


def _manifest(format_: str, found: Description) -> dict[str, Any]:
    """A model's manifest in the form that BentoML's clients read."""
    return {
        "module": "fairlead",
        "api_version": "v1",
        "bentoml_version": "",
        "metadata": {
            "format": format_,
            "inputs": [dict(spec) for spec in found.inputs],
            "outputs": [dict(spec) for spec in found.outputs],
            "pushed_with": f"fairlead {installed_version('fairlead')}",
        },
        "context": {
            "framework_name": format_,
            "framework_versions": dict(found.versions),
            "bentoml_version": "",
            "python_version": platform.python_version(),
        },
        "options": {},
    }


def _model_yaml(
    folder: Path, name: str, version: str, manifest: Mapping[str, Any], labels: Sequence[tuple[str, str]]
) -> dict[str, bytes]:
    """The file by which BentoML's own store knows a model, unless there is one. Its time is that of the newest file, so
    that equal folders give equal archives."""
    if (folder / _MODEL).is_file():
        return {}
    files = [folder] if folder.is_file() else [path for path in folder.rglob("*") if path.is_file()]
    newest = max((path.stat().st_mtime for path in files), default=0.0)
    said = {
        "name": name,
        "version": version,
        "module": manifest["module"],
        "labels": dict(labels),
        "options": {},
        "metadata": manifest["metadata"],
        "context": manifest["context"],
        "signatures": {},
        "api_version": "v1",
        "creation_time": datetime.fromtimestamp(newest, UTC).isoformat(),
    }
    return {_MODEL: yaml.safe_dump(said, sort_keys=False).encode()}


def _bentoml_model(folder: Path, wish: Wish) -> Shipment:
    """A model of BentoML's own store, under the name that it has there."""
    said = _read(folder / _MODEL)
    archive = Archive(folder)
    context = said.get("context") or {}
    manifest = {
        **{key: said[key] for key in _KEPT_OF_MODEL if said.get(key) is not None},
        "bentoml_version": str(context.get("bentoml_version", "")),
        "size_bytes": archive.content_bytes,
    }
    return Shipment(
        kind="model", name=str(said["name"]), version=str(said["version"]), archive=archive, manifest=manifest,
        description=wish.description, labels=wish.labels or _labels(said),
    )  # fmt: skip


def _models_within(folder: Path) -> list[Shipment]:
    """The models that an exported bento brings along."""
    found = sorted((folder / "models").glob(f"*/*/{_MODEL}"))
    return [_bentoml_model(path.parent, Wish()) for path in found]


def _bento(folder: Path, wish: Wish) -> Shipment:
    said = _read(folder / _BENTO)
    archive = Archive(folder, skip=("models",))
    readme = folder / "README.md"
    manifest = {key: said[key] for key in _KEPT_OF_BENTO if key in said}
    models = [str(model.get("tag", "")) for model in said.get("models") or ()]
    manifest |= {"apis": {}, "models": models, "size_bytes": archive.content_bytes}
    tag = wish.tag
    if tag is not None and tag.tag and (tag.name, tag.tag) != (said["name"], said["version"]):
        raise UsageError(
            f"{folder}: it was built as {said['name']}:{said['version']}, and its name is part of it; push it as that"
        )
    return Shipment(
        kind="bento", name=str(said["name"]), version=str(said["version"]), archive=archive, manifest=manifest,
        description=wish.description or (readme.read_text(encoding="utf-8") if readme.is_file() else ""),
        labels=wish.labels or _labels(said),
    )  # fmt: skip


def _labels(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(key), str(value)) for key, value in (said.get("labels") or {}).items()]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path}: cannot be read: {problem}") from problem
    if not isinstance(said, dict) or not said.get("name") or not said.get("version"):
        raise UsageError(f"{path}: has no name and version; it is not as BentoML writes it")
    return said
