"""What a router has learned, kept in a small file from one life of its process to the next, and shared by its replicas.

Every reward is added to the file under a lock, so replicas learn together and none overwrites another. A file belongs
to one kind of router with so many branches: another definition starts from nothing, and removes what it replaces. A
file that was removed is not made again by those who knew it. The file is replaced whole, so a kill leaves the one
before or the one after; nothing is forced to the disk, so a loss of power may take the last seconds.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_log = logging.getLogger(__name__)

HISTORY = 10_000
"""Rewards remembered one by one, for routers that are asked to; the oldest go first."""


class Counts(NamedTuple):
    """Of each branch, in their order. `history` has the branch, rows and reward of every feedback."""

    successes: list[int]
    tries: list[int]
    history: list[list[float]]

    @classmethod
    def none(cls, branches: int) -> "Counts":
        """Nothing is known yet."""
        return cls([0] * branches, [0] * branches, [])

    def add(self, branch: int, rows: int, reward: float, *, with_history: bool) -> None:
        """Count one feedback."""
        self.successes[branch] += int(reward * rows)
        self.tries[branch] += rows
        if with_history:
            self.history.append([branch, rows, reward])
            del self.history[:-HISTORY]


class KeptCounts:
    """The file of one router. Failures of the disk are logged and cost the memory, never a request."""

    def __init__(self, folder: Path, *, kind: str, branches: int) -> None:
        self._folder = folder
        self._file = folder / f"{kind}-{branches}.json"
        self._branches = branches
        self._mark: tuple[int, int] | None = None

    def open(self) -> Counts:
        """What is known from before, and the file to go on with."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                for other in self._folder.glob("*.json"):
                    if other != self._file:
                        other.unlink()
                counts = self._read()
                if counts is None:
                    counts = Counts.none(self._branches)
                    self._write(counts)
                return counts
        except OSError as error:
            _log.warning("what is learned is not kept: %s", error)
            return Counts.none(self._branches)

    def news(self) -> Counts | None:
        """What is known now, if another process has added to it."""
        try:
            return self._read() if self._look() not in (None, self._mark) else None
        except OSError:
            return None

    def add(self, branch: int, rows: int, reward: float, *, with_history: bool) -> Counts | None:
        """Add one feedback to what all replicas know; `None` when the file is gone or cannot be written."""
        try:
            with self._locked():
                counts = self._read()
                if counts is None:
                    return None
                counts.add(branch, rows, reward, with_history=with_history)
                self._write(counts)
                return counts
        except OSError as error:
            if self._folder.is_dir():
                _log.warning("a reward is not kept: %s", error)
            return None

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _read(self) -> Counts | None:
        mark = self._look()
        if mark is None:
            return None
        self._mark = mark
        try:
            saved = json.loads(self._file.read_text())
            counts = Counts(saved["successes"], saved["tries"], saved["history"])
            if all(self._is_whole(column) for column in (counts.successes, counts.tries)):
                return counts
            raise ValueError(f"expected {self._branches} numbers of each sort")
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("%s cannot be read and is started afresh: %s", self._file, error)
            return Counts.none(self._branches)

    def _is_whole(self, column: object) -> bool:
        return (
            isinstance(column, list) and len(column) == self._branches and all(isinstance(one, int) for one in column)
        )

    def _write(self, counts: Counts) -> None:
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(counts._asdict()))
        partial.replace(self._file)
        self._mark = self._look()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The kernel lets go of it when a process is killed.
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
