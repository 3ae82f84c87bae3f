"""Reads the text of manifests from where `-f` points: a file, a folder, a URL or standard input. A bento that lies here
stands for the manifest that serves it."""

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairlead.cli import bento_files
from fairlead.errors import NotFound, TooLarge

_SUFFIXES = (".yaml", ".yml", ".json")
# A manifest is written by people; one of this size is a mistake (a model, a dump), and parsing it would take minutes.
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file, under the name that messages use."""

    name: str
    text: str


def read_all(names: Sequence[str]) -> list[Source]:
    """Every source the `-f` options mean, in order; the files of a folder by name. Raises `NotFound`."""
    return [source for name in names for source in _read(name)]


def _read(name: str) -> Iterator[Source]:
    if name == "-":
        yield Source("<stdin>", _text(sys.stdin.buffer.read(_MOST_BYTES + 1), "<stdin>"))
    elif name.startswith(("http://", "https://")):
        yield Source(name, _text(_download(name), name))
    elif bento_files.is_one(name):
        yield Source(name, bento_files.manifest_of(name))
    elif Path(name).is_dir():
        yield from _read_folder(Path(name))
    else:
        yield _read_file(Path(name))


def _read_folder(folder: Path) -> Iterator[Source]:
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    if not files:
        raise NotFound(f"{folder}: no {', '.join(_SUFFIXES)} file in this folder")
    for path in files:
        yield _read_file(path)


def _read_file(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            return Source(str(path), _text(file.read(_MOST_BYTES + 1), str(path)))
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file or folder") from None
    except OSError as problem:
        raise NotFound(f"{path}: cannot be read: {problem.strerror}") from problem


def _download(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - the caller let only http(s) through
            return bytes(answer.read(_MOST_BYTES + 1))
    except urllib.error.HTTPError as problem:
        raise NotFound(f"{url}: the server answers {problem.code} {problem.reason}") from problem
    except OSError as problem:
        raise NotFound(f"{url}: cannot be read: {getattr(problem, 'reason', problem)}") from problem


def _text(content: bytes, name: str) -> str:
    if len(content) > _MOST_BYTES:
        raise TooLarge(f"{name}: larger than {_MOST_BYTES // 2**20} MiB, which is no manifest")
    return content.decode("utf-8-sig", errors="replace")
