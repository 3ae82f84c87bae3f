"""Golden folders of Kubernetes objects: a manifest and what lies in a cluster for it, compared as text.

A folder asks to be looked at by a file `kubernetes.yaml`; an empty one will do, `--update-golden` fills it. Beside the
manifest may be `world.yaml` (other objects that are stored), `values.yaml` (of the installation) and `config.toml`.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol, cast

from fairlead.backends.kubernetes import values
from fairlead.backends.kubernetes.render import rendered
from fairlead.backends.kubernetes.text import yaml_of
from fairlead.dialects.base import Dialect, Document
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.clusters import ClusterDialect, ClusterSettings
from fairlead.dialects.document import Loaded, load
from fairlead.dialects.given import GivenWorld
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import FairleadError, InvalidManifest
from support import golden
from support.object_schemas import OLDEST

EXPECTED = "kubernetes.yaml"


class LayingOut(Dialect, ClusterDialect, Protocol):
    """A dialect with both sides."""


def folders() -> list[Path]:
    """Every folder that has, or asks for, objects."""
    return sorted(path.parent for path in golden.ROOT.rglob(EXPECTED) if (path.parent / "manifest.yaml").exists())


def dialect_of(folder: Path, settings: ClusterSettings) -> LayingOut:
    """The dialect whose folder this is in, in an installation."""
    name = folder.relative_to(golden.ROOT).parts[0]
    made = {"kserve": KServeDialect, "seldon": SeldonDialect, "bento": BentoDialect}[name](settings=settings)
    return cast(LayingOut, made)


def outcome(folder: Path) -> str:
    """The text of `kubernetes.yaml`: what there is to be told as comments, then the objects, or the words that refuse
    the manifest."""
    try:
        objects, warnings = objects_of(folder)
    except InvalidManifest as error:
        loaded = _loaded(folder / "manifest.yaml")[0]
        return _comments("refused", [str(problem) for problem in loaded.locate(error).problems] or [str(error)])
    except FairleadError as error:
        return _comments("refused", [str(error)])
    return _comments("warning", warnings) + yaml_of(objects)


def objects_of(
    folder: Path, *, settings: ClusterSettings | None = None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The objects of a folder's manifest and the warnings, in its own installation or another. Raises what the dialect
    raises."""
    settings = settings or settings_of(folder)
    dialect = dialect_of(folder, settings)
    catalog, world = golden.catalog_of(folder), _world(folder, dialect)
    doc = _loaded(folder / "manifest.yaml")[0].doc
    placed = dialect.default(_placed(doc, dialect), world=world)
    dialect.validate(placed, catalog=catalog, world=world)
    layout = dialect.lay_out(placed, settings=settings, catalog=catalog, world=world)
    written = rendered(layout, settings)
    return [*written.objects, *written.late], written.warnings


def since(folder: Path) -> str:
    """The first version of Kubernetes that has every field which the manifest asks for."""
    path = folder / "since.txt"
    return path.read_text().strip() if path.exists() else OLDEST


def settings_of(folder: Path) -> ClusterSettings:
    """The installation of a folder."""
    path = folder / "values.yaml"
    return values.read(path.read_text() if path.exists() else "", path.name).settings


def _world(folder: Path, dialect: Dialect) -> GivenWorld:
    """What is stored, and the kinds that an installation brings along; its settings, the front-end has itself."""
    path = folder / "world.yaml"
    stored = [_placed(one.doc, dialect) for one in _loaded(path)] if path.exists() else []
    seeds = [seed for seed in dialect.seeds() if seed["kind"] != "ConfigMap"]
    return GivenWorld([*(_without_values(one) for one in stored), *seeds])


def _without_values(doc: dict[str, Any]) -> dict[str, Any]:
    """A Secret as dialects may see it: the names of its keys."""
    if doc["kind"] != "Secret":
        return doc
    keys = {**(doc.get("data") or {}), **(doc.get("stringData") or {})}
    return {**{key: value for key, value in doc.items() if key != "stringData"}, "data": dict.fromkeys(keys, "")}


def _placed(doc: Document, dialect: Dialect) -> dict[str, Any]:
    """The document in the namespace that an object without one gets."""
    placed = deepcopy(dict(doc))
    wide = {"Namespace", *(kind.kind for kind in dialect.kinds if not kind.is_namespaced)}
    if placed["kind"] not in wide:
        placed["metadata"].setdefault("namespace", "default")
    return placed


def _loaded(path: Path) -> list[Loaded]:
    return load(path.read_text(), path.name)


def _comments(word: str, lines: Any) -> str:
    return "".join(f"# {word}: {line}\n" for text in lines for line in str(text).splitlines())
