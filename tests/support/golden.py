"""Golden folders: a manifest and what it becomes, compared as text so that a difference reads as one."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from fairlead.dialects.base import Dialect, Document
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.document import load
from fairlead.errors import FairleadError, InvalidManifest
from fairlead.plan.access import OPEN
from fairlead.plan.model import Plan
from support.stored_docs import DocumentWorld

ROOT = Path(__file__).parent.parent / "golden"
# Stands for the folder of the configuration file in expected plans, so that they hold on every machine.
CONFIG_FOLDER = Path("/etc/fairlead")


def folders(dialect: str) -> list[Path]:
    """The golden folders of a dialect, by name."""
    return sorted(path.parent for path in (ROOT / dialect).glob("*/manifest.yaml"))


def outcome(folder: Path, dialect: Dialect, *, is_stored: bool = False) -> tuple[str, str]:
    """The name of the expected file and its text: `plan.json`, or `error.txt` when the manifest is refused. Objects in
    the folder's `world.yaml` are stored when it is looked at; where the manifest `is_stored` itself, as the API does
    it, it has its defaults and the objects of an installation are beside it."""
    manifest = folder / "manifest.yaml"
    loaded = load(manifest.read_text(), manifest.name)[0]
    try:
        plan = planned(folder, dialect, loaded.doc, is_stored=is_stored)
    except InvalidManifest as error:
        problems = "".join(f"{problem}\n" for problem in loaded.locate(error).problems)
        return "error.txt", f"{type(error).__name__}: {error}\n\n{problems}"
    except FairleadError as error:
        return "error.txt", f"{type(error).__name__}: {error}\n"
    written = msgspec.to_builtins(plan)
    if plan.access == OPEN:
        del written["access"]
    return "plan.json", json.dumps(_brief(written), indent=2, ensure_ascii=False) + "\n"


def planned(folder: Path, dialect: Dialect, doc: Document, *, is_stored: bool = False) -> Plan:
    """The plan of a folder's manifest. Raises what the dialect raises."""
    catalog, world = catalog_of(folder), _world(folder, dialect.seeds() if is_stored else ())
    doc = dialect.default(doc, world=world) if is_stored else doc
    dialect.validate(doc, catalog=catalog, world=world)
    return dialect.lower(doc, catalog=catalog, world=world)


def refusal(folder: Path, dialect: Dialect) -> str:
    """What the dialect's rules say of a manifest that they refuse, as it is or as an update of `old.yaml`."""
    manifest = folder / "manifest.yaml"
    loaded = load(manifest.read_text(), manifest.name)[0]
    before, world = folder / "old.yaml", _world(folder)
    old = load(before.read_text(), before.name)[0].doc if before.exists() else None
    defaulted = dialect.default(loaded.doc, world=world)
    try:
        dialect.validate(defaulted, catalog=catalog_of(folder), old=old, world=world)
    except InvalidManifest as error:
        problems = "".join(f"{problem}\n" for problem in loaded.locate(error).problems)
        return f"{error}\n\n{problems}"
    return ""


def catalog_of(folder: Path) -> Catalog:
    """What the folder's configuration has in place of images."""
    config = folder / "config.toml"
    return Catalog.from_config(tomllib.loads(config.read_text()) if config.exists() else {}, CONFIG_FOLDER)


def _world(folder: Path, seeds: Sequence[Document] = ()) -> DocumentWorld:
    stored = folder / "world.yaml"
    own = [one.doc for one in load(stored.read_text(), stored.name)] if stored.exists() else []
    return DocumentWorld([*own, *seeds])


def _brief(value: Any) -> Any:
    """Variables as `NAME=value`, and nothing that is empty: what is left is what the manifest says."""
    if isinstance(value, dict):
        if value.keys() == {"name", "value", "source"} and value["source"] is None:
            return f"{value['name']}={value['value']}"
        brief = {key: _brief(item) for key, item in value.items()}
        return {key: item for key, item in brief.items() if item not in ("", None, [], {})}
    return [_brief(item) for item in value] if isinstance(value, list | tuple) else value
