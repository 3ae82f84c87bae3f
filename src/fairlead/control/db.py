"""The control plane's SQLite file: the only module that knows SQL.

It offers what the store above needs and no more: load every object, write a batch, remember a number. A write that
returned is on disk (WAL with synchronous=FULL), so neither `kill -9` nor, as far as the disk keeps its promises, a
power failure takes it back. The file is locked for as long as it is open, because the store keeps a copy of all of
it in memory: a second control process must fail to start rather than disagree.

Python's own sqlite3 on a thread of its own is all this takes. SQLAlchemy and alembic, for the same five statements,
were half of the control process's start (0.9 s of 1.7 s on a slow core, and as much again in a new home) and a third
of its memory.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from fairlead.control import migrations
from fairlead.errors import ConfigError, Retryable

_T = TypeVar("_T")

_PUT = (
    'INSERT INTO objects ("group", plural, namespace, name, body) VALUES (?, ?, ?, ?, ?) '
    'ON CONFLICT ("group", plural, namespace, name) DO UPDATE SET body = excluded.body'
)
_DELETE = 'DELETE FROM objects WHERE "group" = ? AND plural = ? AND namespace = ? AND name = ?'
_LOAD = 'SELECT "group", plural, namespace, name, body FROM objects ORDER BY "group", plural, namespace, name'
_NUMBER = "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_COUNTER = "SELECT value FROM counters WHERE name = ?"

# Another control process may be on its way out; SQLite waits this long for its lock.
_BUSY_TIMEOUT_S = 5.0
_PRAGMAS = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=ON",  # macOS only: fsync alone leaves data in the drive's cache there
)


class ObjectKey(NamedTuple):
    """Where an object lives; `namespace` is empty for cluster-wide kinds."""

    group: str
    plural: str
    namespace: str
    name: str


class Database:
    """One open file. Methods are for one caller at a time, which is the store's writer."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor, path: Path) -> None:
        self._connection = connection
        self._thread = thread
        self._path = path

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Create the file if need be, bring its schema up to date and lock it."""
        _create_private(path)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, _open, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(connection, thread, path)

    async def load(self) -> list[tuple[ObjectKey, bytes]]:
        """Every object, in the order of their keys."""
        rows = await self._run(lambda: self._connection.execute(_LOAD).fetchall())
        return [(ObjectKey(*row[:4]), bytes(row[4])) for row in rows]

    async def counter(self, name: str) -> int:
        """A number kept by `write`; 0 if it never was."""
        row = await self._run(lambda: self._connection.execute(_COUNTER, (name,)).fetchone())
        return int(row[0]) if row else 0

    async def write(
        self,
        puts: Sequence[tuple[ObjectKey, bytes]],
        deletes: Sequence[ObjectKey],
        numbers: Sequence[tuple[str, int]] = (),
    ) -> None:
        """All of it or nothing. When this returns it is on disk; when it raises nothing of it is."""

        def work() -> None:
            with _transaction(self._connection):
                self._connection.executemany(_PUT, [(*key, body) for key, body in puts])
                self._connection.executemany(_DELETE, deletes)
                self._connection.executemany(_NUMBER, numbers)

        try:
            await self._run(work)
        except sqlite3.Error as error:
            # SQLite's words name no value of a row, which may be a secret.
            raise Retryable(f"{self._path}: cannot write: {error}", after_s=1.0) from error

    async def close(self) -> None:
        """Give the file and its lock back."""
        try:
            await self._run(self._connection.close)
        finally:
            self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _create_private(path: Path) -> None:
    """Secrets live in the file (and in SQLite's files beside it, which take its mode), so its owner alone reads it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be used as the control plane's database: {error.strerror}") from error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        _migrate(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise ConfigError(f"{path}: cannot be used as the control plane's database: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """All missing steps or none. The transaction is also what takes the file's lock, for as long as it is open."""
    with _transaction(connection):
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        newest = len(migrations.STEPS)
        if found > newest:
            raise ConfigError(
                f"{path}: written by a newer Fairlead (schema {found}, this one knows up to {newest}): "
                "upgrade Fairlead, or start with another home"
            )
        for statement in (statement for step in migrations.STEPS[found:] for statement in step):
            connection.execute(statement)
        if found < newest:
            connection.execute(f"PRAGMA user_version = {newest}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has ended the transaction already; anything else has not.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
