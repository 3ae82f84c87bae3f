"""A folder as the archive that the registry keeps: plain tar, members beginning with `./`, as BentoML's clients do it.

Equal trees give equal bytes: names are sorted, and times and owners are left out. The size is known before the first
byte is read, so nothing is written to a disk on the way.
"""

import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fairlead.errors import BadRequest

_CHUNK_BYTES = 1024 * 1024
_BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True)
class _Member:
    header: bytes
    path: Path | None
    content: bytes
    size: int


class Archive:
    """The files under `folder` (or the one file that it is) and `extra` ones by name, which win; the folders `skip` at
    its top are left out. Raises `BadRequest` for what an archive of the registry cannot hold."""

    def __init__(self, folder: Path, extra: Mapping[str, bytes] | None = None, *, skip: Collection[str] = ()) -> None:
        added = dict(extra or {})
        members = {name: _of_bytes(name, content) for name, content in added.items()}
        for name, path in _files(folder):
            if name.partition("/")[0] not in skip:
                members.setdefault(name, _of_file(name, path))
        self._members = [member for _, member in sorted(members.items())]
        self.files = len(self._members)
        self.content_bytes = sum(member.size for member in self._members)
        content = sum(len(member.header) + _padded(member.size) for member in self._members)
        record = tarfile.RECORDSIZE
        self.size = -(-(content + 2 * _BLOCK_BYTES) // record) * record

    def chunks(self) -> Iterator[bytes]:
        """The archive from its beginning. Raises `BadRequest` when a file has changed its size meanwhile."""
        sent = 0
        for member in self._members:
            for chunk in _chunks_of(member):
                sent += len(chunk)
                yield chunk
        yield bytes(self.size - sent)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    if folder.is_file():
        yield folder.name, folder
        return
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            continue
        if not path.is_file():
            raise BadRequest(f"{path}: only files and folders can be pushed")
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            raise BadRequest(f"{path}: is a link that leads out of {folder}; put the file itself there")
        yield path.relative_to(folder).as_posix(), path


def _of_bytes(name: str, content: bytes) -> _Member:
    return _Member(_header(name, len(content), mode=0o644), None, content, len(content))


def _of_file(name: str, path: Path) -> _Member:
    status = path.stat()
    mode = 0o755 if status.st_mode & 0o100 else 0o644
    return _Member(_header(name, status.st_size, mode=mode), path, b"", status.st_size)


def _header(name: str, size: int, *, mode: int) -> bytes:
    info = tarfile.TarInfo(f"./{name}")
    info.size, info.mode = size, mode
    return info.tobuf(format=tarfile.PAX_FORMAT)


def _padded(size: int) -> int:
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES


def _chunks_of(member: _Member) -> Iterator[bytes]:
    yield member.header
    read = 0
    for chunk in _content(member):
        read += len(chunk)
        yield chunk
    if read != member.size:
        raise BadRequest(f"{member.path}: changed while it was pushed; push it again")
    yield bytes(_padded(member.size) - member.size)


def _content(member: _Member) -> Iterator[bytes]:
    if member.path is None:
        yield member.content
        return
    left = member.size + 1
    with member.path.open("rb") as file:
        while chunk := file.read(min(_CHUNK_BYTES, left)):
            left -= len(chunk)
            yield chunk
