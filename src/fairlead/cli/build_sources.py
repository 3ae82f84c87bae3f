"""What `fairlead build` is given, as folders on this machine: a path, a tag of the registry, or any URI of a model.

A bento's models come from where they are: inside of it, in BentoML's own store, or from the registry.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.cli.exits import UsageError
from fairlead.cli.pull import bring
from fairlead.cli.registries import RegistryConnection
from fairlead.cli.tags import read_tag
from fairlead.cli.versions import newest
from fairlead.runtimes.bento.description import describe, is_bento
from fairlead.storage.fetch import Fetcher
from fairlead.storage.uris import RegistryUri


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSource:
    """`name` and `version` are what it is called; `models` are a bento's that are not in its folder, by their tags."""

    folder: Path
    name: str
    version: str = ""
    models: Mapping[str, Path] = field(default_factory=dict)

    @property
    def is_bento(self) -> bool:
        return is_bento(self.folder)


@contextmanager
def source_of(what: str, connection: RegistryConnection) -> Iterator[BuildSource]:
    """The folder, for as long as the block runs. Raises UsageError, or what the store or the registry says."""
    with tempfile.TemporaryDirectory(prefix="fairlead-build-") as scratch:
        if "://" in what and not what.startswith("fairlead://"):
            folder = Fetcher(Path(scratch, "cache"), defaults=os.environ).fetch(what, unpacks=True)
            name = what.rstrip("/").rpartition("/")[2].partition(".")[0].partition(":")[0]
            yield _found(folder, name, connection, Path(scratch))
        elif "://" in what or not Path(what).exists():
            yield _of_registry(read_tag(what), connection, Path(scratch))
        else:
            path = Path(what).resolve()
            if path.is_file() and path.suffix == ".bento":
                path = _unpacked(path, Path(scratch, "unpacked"))
            yield _found(path, path.stem if path.is_file() else path.name, connection, Path(scratch))


def _of_registry(asked: RegistryUri, connection: RegistryConnection, scratch: Path) -> BuildSource:
    with connection.open() as registry:
        version = asked.tag or newest(registry, asked)
        folder = scratch / "content"
        bring(registry, asked, version, folder)
    found = _found(folder, asked.name, connection, scratch)
    return BuildSource(folder=folder, name=asked.name, version=version, models=found.models)


def _found(folder: Path, name: str, connection: RegistryConnection, scratch: Path) -> BuildSource:
    if not is_bento(folder):
        return BuildSource(folder=folder, name=name)
    bento = describe(folder)
    missing = [tag for tag in bento.models if not (folder / "models" / tag.replace(":", "/")).is_dir()]
    models = {tag: _model(tag, connection, scratch) for tag in missing}
    return BuildSource(folder=folder, name=bento.name, version=bento.version, models=models)


def _model(tag: str, connection: RegistryConnection, scratch: Path) -> Path:
    store = Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml")
    here = store / "models" / tag.replace(":", "/")
    if here.is_dir():
        return here
    asked = read_tag(tag)
    folder = scratch / "models" / tag.replace(":", "/")
    with connection.open() as registry:
        bring(registry, asked, asked.tag or newest(registry, asked), folder)
    return folder


def _unpacked(path: Path, folder: Path) -> Path:
    import tarfile

    try:
        with tarfile.open(path, "r:*") as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as problem:
        raise UsageError(f"{path}: cannot be unpacked: {problem}") from problem
    return folder
