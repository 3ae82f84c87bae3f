"""The list of models that a unit is to hold: written by the back-end, or left in a folder by somebody else."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_LIST = "models.json"
_COMPLETE = "SUCCESS.*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """One model of the list: what runs it, where it is, what its owner says that it needs. A model whose `folder` or
    `runtime` changes is another model."""

    name: str
    runtime: str
    folder: str
    memory_bytes: int = 0


def list_of(kept: Path) -> Path:
    """The list of a unit, by the folder it keeps things in."""
    return kept / _LIST


def write_list(kept: Path, models: Iterable[Shelved]) -> bool:
    """Put a list in place at once; whether it is another than before."""
    lines = [
        {"name": one.name, "runtime": one.runtime, "folder": one.folder, "memoryBytes": one.memory_bytes}
        for one in sorted(models, key=lambda one: one.name)
    ]
    text = json.dumps(lines, indent=1)
    path = list_of(kept)
    if path.is_file() and path.read_text() == text:
        return False
    kept.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)
    return True


def read_list(kept: Path) -> list[Shelved]:
    """The list of a unit; empty when nobody wrote one."""
    path = list_of(kept)
    if not path.is_file():
        return []
    return [
        Shelved(name=one["name"], runtime=one["runtime"], folder=one["folder"], memory_bytes=one["memoryBytes"])
        for one in json.loads(path.read_text())
    ]


def models_in(folder: Path, runtime: str) -> list[Shelved]:
    """The models that somebody else puts into a folder, each in one of its name. KServe's puller marks what is complete
    with a file `SUCCESS.<hash>`, whose name is another one for another version."""
    complete = [path for path in sorted(folder.iterdir()) if any(path.glob(_COMPLETE))] if folder.is_dir() else []
    return [Shelved(name=path.name, runtime=runtime, folder=str(path)) for path in complete]
