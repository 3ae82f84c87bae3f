"""Keeps Python environments for models that ask for libraries which are not here, each built once for all who ask.

An environment is a folder named by a digest of what is in it; it appears whole or not at all, and whoever wants one
that is being built waits for that build. Everything blocks, so callers run it in a thread. See docs/environments.md.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from fairlead.environments import contents
from fairlead.environments.failures import EnvironmentFailed, IndexUnavailable
from fairlead.environments.installing import OUR_PYTHON, RECORD, Build, Order
from fairlead.environments.mode import Mode
from fairlead.environments.uv import Say, Stop, Uv
from fairlead.runtimes.requirements import BadRequirements, Wanted, parsed, to_install, unmet
from fairlead.storage import locks
from fairlead.storage.cache import no_room

_OLDEST_PYTHON = (3, 11)
_PAGES = "pages keep to themselves"
"""What is changed in packages that are installed apart; those from before are built anew."""
_LEFTOVER_LIFE_S = 24 * 3600.0


class Builder:
    """Keeps the environments under `root`. `environ` holds the index settings of pip and uv. With `may_compile`,
    packages that exist only as sources are built, which runs their code here and not in a worker."""

    def __init__(self, root: Path, *, environ: Mapping[str, str], may_compile: bool = False) -> None:
        self._root, self._environ, self._may_compile = root, environ, may_compile
        self._uv = Uv(environ)

    def is_needed(self, wanted: Wanted, mode: Mode) -> bool:
        """Whether the model gets an environment of its own."""
        return mode is Mode.BUILD or (mode is Mode.AUTO and bool(unmet(wanted)))

    def build(self, wanted: Wanted, *, runtime: str, mode: Mode, say: Say, stop: Stop) -> Path:
        """The Python of the environment, built if it is not there. `say` is called while it is. Raises
        `EnvironmentFailed`, `BadRequirements`, or `IndexUnavailable`, also when `stop` says yes."""
        with self._readable_errors():
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            requirements = tuple(to_install(wanted, may_replace=mode is Mode.BUILD))
            python = self._python_for(wanted.python)
            order = Order(wanted=wanted, requirements=requirements, python=python, runtime=runtime, mode=mode)
            folder = self._root / self._key(order)
            if not _is_whole(folder):
                with locks.held(folder.with_suffix(".lock"), waiting=_Patience(say, stop)):
                    if not _is_whole(folder):
                        self._make(folder, order, say, stop)
            os.utime(folder / RECORD)
        return _python_of(folder)

    def prune(self, keep: Collection[Path], max_bytes: int, *, just_used_s: float = 600.0) -> None:
        """Remove environments, the least recently used first, until at most `max_bytes` are held. `keep` are the
        Pythons that run."""
        now = time.time()
        self._drop_leftovers(now - _LEFTOVER_LIFE_S)
        kept = {path.parents[1] for path in keep}
        found = sorted(self._root.glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime)
        held = sum(_size(record) for record in found)
        for record in found:
            if held <= max_bytes:
                return
            if record.parent not in kept and record.stat().st_mtime <= now - just_used_s:
                held -= _remove(record)

    def _make(self, folder: Path, order: Order, say: Say, stop: Stop) -> None:
        """Called by the one who holds the lock of `folder`: what lies there else was left by a build or a pruning that
        was killed."""
        for left in (folder, *self._root.glob(f".{folder.name}.*")):
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=self._root))
        build = Build(order, making, self._uv, environ=self._environ, may_compile=self._may_compile, say=say, stop=stop)
        try:
            build.run().rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def _python_for(self, asked: str) -> str:
        """The Python to build on. A model's own minor version if this machine has it, else ours: most models do not
        mind, and one whose packages do mind fails with both versions named."""
        if asked in ("", OUR_PYTHON) or tuple(map(int, asked.split("."))) < _OLDEST_PYTHON:
            return sys.executable
        return asked if self._uv.finds_python(asked, cwd=self._root) else sys.executable

    def _key(self, order: Order) -> str:
        """A digest of everything that decides what is in it."""
        lines = [
            *sorted({_normal(line) for line in order.requirements}),
            *order.wanted.options,
            *sorted(order.wanted.constraints),
            *_of_ours(order),
            sys.version,
            order.python,
            self._what_is_here if order.may_be_layer else "",
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]

    @cached_property
    def _what_is_here(self) -> str:
        return json.dumps(contents.installed(), sort_keys=True)

    def _drop_leftovers(self, before: float) -> None:
        """What builds left that were killed and that nobody asked for again."""
        for left in self._root.glob(".*"):
            if left.stat().st_mtime < before:
                shutil.rmtree(left, ignore_errors=True)

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except BadRequirements as error:
            raise BadRequirements(self._uv.cleaned(str(error))) from error
        except OSError as error:
            full = no_room(error, self._root)
            raise EnvironmentFailed(str(full or f"{self._root}: {error.strerror or error}")) from error


class _Patience:
    """Called while somebody else builds the same."""

    def __init__(self, say: Say, stop: Stop) -> None:
        self._say, self._stop, self._has_said = say, stop, False

    def __call__(self) -> None:
        if self._stop():
            raise IndexUnavailable("nobody waits for the environment any more")
        if not self._has_said:
            self._has_said = True
            self._say("waiting for another deployment that builds the same")


def _is_whole(folder: Path) -> bool:
    return (folder / RECORD).is_file() and _python_of(folder).exists()


def _python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


def _remove(record: Path) -> int:
    """The bytes that are free again."""
    lock = record.parent.with_suffix(".lock")
    with locks.exclusive_now(lock) as is_free:
        if not is_free:
            return 0
        size = _size(record)
        record.unlink()  # first: without it, what is left is not taken for an environment
        shutil.rmtree(record.parent, ignore_errors=True)
        lock.unlink(missing_ok=True)
        return size


def _of_ours(order: Order) -> list[str]:
    """What it has to do with this installation; an environment that holds nothing of ours outlives an upgrade."""
    if order.wanted.apart:
        return [order.wanted.apart, _PAGES]
    return [*sorted(contents.worker_needs(order.runtime)), sys.prefix, contents.version(), order.mode]


def _normal(line: str) -> str:
    requirement = parsed(line)
    return str(requirement).lower() + line.partition(" --hash")[2] if requirement is not None else line


def _size(record: Path) -> int:
    try:
        return int(json.loads(record.read_text())["bytes"])
    except (OSError, ValueError, KeyError):
        return 0
