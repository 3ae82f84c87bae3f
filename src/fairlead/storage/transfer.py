"""Bring one file of a source into the cache: resumed where it stopped, checked on the way, retried with patience.

A store that fails for a moment is asked again; failures count only while no new bytes arrive, so a large file over a
bad line gets through. What was received stays in the partial file, for the next attempt or the next process.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from fairlead.errors import Retryable, StorageError, StorageUnavailable
from fairlead.storage.cache import Blob, Cache, no_room
from fairlead.storage.source import Changed, Entry, Restart, Source

_READ_BYTES = 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a store, and how often to ask it again before it counts as unavailable."""

    attempts: int = 5
    first_pause_s: float = 0.5
    longest_pause_s: float = 15.0
    connect_timeout_s: float = 15.0
    read_timeout_s: float = 30.0

    def pause_s(self, failures: int) -> float:
        """Doubling pauses with jitter, so that many deployments do not return together."""
        spread = random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards no secret
        return float(min(self.longest_pause_s, self.first_pause_s * 2 ** (failures - 1)) * spread)


class _OverLimit(StorageError):
    """More arrived than the owner allows for one model."""


class Stop:
    """The caller's wish to stop, and the wish of a sibling transfer that failed."""

    def __init__(self, name: str, asked: Callable[[], bool]) -> None:
        self._name = name
        self._asked = asked
        self._set = threading.Event()

    def set(self) -> None:
        """Stop every transfer that shares this."""
        self._set.set()

    def check(self) -> None:
        """Raise StorageUnavailable if somebody wants to stop."""
        if self._set.is_set() or self._asked():
            raise StorageUnavailable(f"{self._name}: the transfer was stopped; what has arrived is kept")

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than until somebody wants to stop."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            self._set.wait(min(left, 0.2))
        self.check()


def patiently(act: Callable[[], T], *, patience: Patience, stop: Stop, moved: Callable[[], bool] = lambda: False) -> T:
    """Do it again while it fails with Retryable and attempts last. `moved` tells (and forgets) whether the failed
    attempt got further than all before it."""
    failures = 0
    while True:
        stop.check()
        try:
            return act()
        except Changed:
            raise
        except Retryable as error:
            failures = 1 if moved() else failures + 1
            if failures >= patience.attempts:
                raise
            stop.wait(max(patience.pause_s(failures), error.after_s or 0.0))


class Transfer:
    """One file on its way. `report` hears how many bytes of it are here now."""

    def __init__(
        self,
        cache: Cache,
        source: Source,
        entry: Entry,
        *,
        patience: Patience,
        stop: Stop,
        limit_bytes: int | None,
        report: Callable[[int], None],
    ) -> None:
        self._cache = cache
        self._source = source
        self._entry = entry
        self._patience = patience
        self._stop = stop
        self._limit_bytes = limit_bytes
        self._report = report
        self._furthest = 0
        self._last_furthest = 0
        self._hash = hashlib.sha256()
        self._hashed_bytes = 0

    def run(self, *, thorough: bool) -> Blob:
        """The file as a blob: the one that is here already, or a new one."""
        self._stop.check()
        key = self.key
        with self._cache.writing(key, waiting=self._waiting) as partial:
            blob = self._cache.known(key, thorough=thorough) if self._entry.version else None
            if blob is None:
                blob = self._bring_safely(partial)
        self._report(blob.size)
        return blob

    @property
    def key(self) -> str:
        """Names this version of this file as this caller may read it."""
        parts = (self._source.identity, self._entry.path, self._entry.version, str(self._entry.size))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _waiting(self) -> None:
        """Somebody else brings the same file: show their progress as ours."""
        self._stop.check()
        try:
            self._report(self._cache.partial(self.key).stat().st_size)
        except FileNotFoundError:
            return

    def _bring_safely(self, partial: Path) -> Blob:
        """`_bring`, leaving a partial file behind only if another attempt can go on from it."""
        try:
            return self._bring(partial)
        except (Changed, _OverLimit):
            partial.unlink(missing_ok=True)
            raise
        except OSError as error:
            if full := no_room(error, self._cache.root):
                partial.unlink(missing_ok=True)
                raise full from error
            raise StorageError(f"{self._source.name}: {self._entry.path}: {error}") from error

    def _bring(self, partial: Path) -> Blob:
        if not self._entry.version:
            partial.unlink(missing_ok=True)
        if not partial.exists() and self._source.clone(self._entry, partial):
            sha256 = _digest(partial)
        else:
            sha256 = patiently(
                lambda: self._receive(partial), patience=self._patience, stop=self._stop, moved=self._moved
            )
        return self._cache.adopt(partial, sha256, key=self.key if self._entry.version else "")

    def _receive(self, partial: Path) -> str:
        with partial.open("a+b") as file:
            try:
                return self._append(file)
            except Restart:
                file.truncate(0)
                return self._append(file)

    def _append(self, file: BinaryIO) -> str:
        entry = self._entry
        file.seek(0, 2)
        if not entry.version or (entry.size is not None and file.tell() > entry.size):
            file.truncate(0)
        seen = self._hash_of(file)
        arrived = file.tell()
        if entry.size is None or arrived < entry.size or not arrived:
            for chunk in self._source.read(entry, arrived):
                self._stop.check()
                file.write(chunk)
                seen.update(chunk)
                arrived += len(chunk)
                self._hashed_bytes = arrived
                self._check_size(arrived)
                self._furthest = max(self._furthest, arrived)
                self._report(arrived)
            file.flush()
        if entry.size is not None and arrived != entry.size:
            raise StorageUnavailable(
                f"{self._source.name}: {entry.path}: the transfer ended after {arrived} of {entry.size} bytes"
            )
        if entry.sha256 and seen.hexdigest() != entry.sha256:
            file.truncate(0)
            raise StorageUnavailable(
                f"{self._source.name}: {entry.path}: what arrived is damaged: its SHA-256 is {seen.hexdigest()}, and "
                f"the store says {entry.sha256}"
            )
        return seen.hexdigest()

    def _hash_of(self, file: BinaryIO) -> "hashlib._Hash":
        """The hash of what the file holds; read again only if it is not what this transfer wrote."""
        if file.seek(0, 2) != self._hashed_bytes:
            self._hash = hashlib.sha256()
            file.seek(0)
            while chunk := file.read(_READ_BYTES):
                self._stop.check()
                self._hash.update(chunk)
            self._hashed_bytes = file.tell()
        elif not self._hashed_bytes:
            self._hash = hashlib.sha256()
        return self._hash

    def _moved(self) -> bool:
        """Bytes that cannot be resumed do not count: they will be fetched again."""
        moved = bool(self._entry.version) and self._furthest > self._last_furthest
        self._last_furthest = self._furthest
        return moved

    def _check_size(self, arrived: int) -> None:
        if self._entry.size is not None and arrived > self._entry.size:
            raise Changed(f"{self._source.name}: {self._entry.path} is larger than its listing said")
        if self._limit_bytes is not None and arrived > self._limit_bytes:
            raise _OverLimit(f"{self._source.name}: larger than the limit of {self._limit_bytes} bytes")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
