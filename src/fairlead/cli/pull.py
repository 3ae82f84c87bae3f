"""`fairlead pull`: a model or bento of the registry into a folder."""

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.client import HTTPResponse
from pathlib import Path

from fairlead.cli import output
from fairlead.cli.exits import CommandFailed, UsageError
from fairlead.cli.registries import Registry, RegistryConnection
from fairlead.cli.tags import kind_of, read_tag
from fairlead.cli.transfer_bar import bar
from fairlead.cli.versions import newest
from fairlead.errors import NotFound
from fairlead.storage.uris import RegistryUri

_CHUNK_BYTES = 1024 * 1024


def pull(tag: str, folder: Path | None = None, /, *, connection: RegistryConnection | None = None) -> None:
    """Pull a model or a bento of the registry into a folder.

    Parameters
    ----------
    tag
        name, name:version, or bentos/name:version. Without a version the newest one.
    folder
        Where to put it; it must not exist (default: name-version here).
    """
    asked = read_tag(tag)
    with (connection or RegistryConnection()).open() as registry:
        version = asked.tag or newest(registry, asked)
        target = folder or Path(f"{asked.name}-{version}")
        if target.exists():
            raise UsageError(f"{target}: is there already; name another folder, or remove it")
        bring(registry, asked, version, target)
    output.note(f"{asked.name}:{version} pulled")
    output.say(str(target))


def bring(registry: Registry, asked: RegistryUri, version: str, target: Path) -> None:
    """The content of a version in a folder that is not there yet; whole, or not at all."""
    path = registry.item(kind_of(asked), asked.name, version)
    described = registry.find(path)
    if described is None:
        raise NotFound(f"{asked.name}:{version}: the registry has no such {kind_of(asked)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that it appears by a rename: whole or not at all.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as work:
        archive = Path(work) / "content.tar"
        with registry.download(f"{path}/download") as answer, _bar_of(f"{asked.name}:{version}", answer) as arrived:
            digest = _save(answer, archive, arrived)
        expected = str(described.get("digest") or "").removeprefix("sha256:")
        if expected and digest != expected:
            raise CommandFailed(f"{asked.name}:{version}: what arrived is not what was pushed; pull it again")
        content = Path(work) / "content"
        _unpack(archive, content)
        shutil.move(content, target)


def _bar_of(what: str, answer: HTTPResponse) -> AbstractContextManager[Callable[[int], None]]:
    return bar(what, int(answer.headers.get("Content-Length") or 0))


def _save(answer: HTTPResponse, path: Path, arrived: Callable[[int], None]) -> str:
    seen = hashlib.sha256()
    with path.open("wb") as file:
        while chunk := answer.read(_CHUNK_BYTES):
            file.write(chunk)
            seen.update(chunk)
            arrived(len(chunk))
    return seen.hexdigest()


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive, "r:*") as tar:
            tar.extractall(folder, filter="data")
    except tarfile.TarError as problem:
        raise CommandFailed(f"the archive cannot be unpacked: {problem}") from problem
