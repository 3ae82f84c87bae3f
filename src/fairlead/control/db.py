"""The control plane's SQLite file: the only module that knows SQL.

It offers what the store above needs and no more: load every object, write a batch, remember a number. A write that
returned is on disk (WAL with synchronous=FULL), so neither `kill -9` nor, as far as the disk keeps its promises, a
power failure takes it back. The file is locked for as long as it is open, because the store keeps a copy of all of
it in memory: a second control process must fail to start rather than disagree.

SQLAlchemy Core is used as it is, on one thread: for one writer its asyncio extension would only add two libraries
and a third to the import.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fairlead.control.migrations import HEAD
from fairlead.errors import ConfigError, Retryable

_T = TypeVar("_T")

_metadata = sa.MetaData()

objects = sa.Table(
    "objects",
    _metadata,
    sa.Column("group", sa.Text, primary_key=True),
    sa.Column("plural", sa.Text, primary_key=True),
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
counters = sa.Table(
    "counters",
    _metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)

_UPSERT = insert(objects)
_UPSERT = _UPSERT.on_conflict_do_update(
    index_elements=["group", "plural", "namespace", "name"], set_={"body": _UPSERT.excluded.body}
)
_COUNT = insert(counters)
_COUNT = _COUNT.on_conflict_do_update(index_elements=["name"], set_={"value": _COUNT.excluded.value})
_DELETE = sa.delete(objects).where(
    objects.c.group == sa.bindparam("b_group"),
    objects.c.plural == sa.bindparam("b_plural"),
    objects.c.namespace == sa.bindparam("b_namespace"),
    objects.c.name == sa.bindparam("b_name"),
)

# Another control process may be on its way out; SQLite waits this long for its lock.
_BUSY_TIMEOUT_MS = 5000
_PRAGMAS = (
    f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}",
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

    def __init__(self, connection: sa.Connection, thread: ThreadPoolExecutor, path: Path) -> None:
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
        return await self._run(self._load)

    async def counter(self, name: str) -> int:
        """A number kept by `write`; 0 if it never was."""
        return await self._run(lambda: self._counter(name))

    async def write(
        self,
        puts: Sequence[tuple[ObjectKey, bytes]],
        deletes: Sequence[ObjectKey],
        numbers: Sequence[tuple[str, int]] = (),
    ) -> None:
        """All of it or nothing. When this returns it is on disk; when it raises nothing of it is."""
        try:
            await self._run(lambda: self._write(puts, deletes, numbers))
        except SQLAlchemyError as error:
            raise Retryable(f"{self._path}: cannot write: {_words(error)}", after_s=1.0) from error

    async def close(self) -> None:
        """Give the file and its lock back."""
        try:
            await self._run(self._close)
        finally:
            self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _load(self) -> list[tuple[ObjectKey, bytes]]:
        with self._connection.begin():
            rows = self._connection.execute(sa.select(objects).order_by(*objects.primary_key.columns))
            return [(ObjectKey(row[0], row[1], row[2], row[3]), bytes(row[4])) for row in rows]

    def _counter(self, name: str) -> int:
        with self._connection.begin():
            return int(self._connection.scalar(sa.select(counters.c.value).where(counters.c.name == name)) or 0)

    def _write(
        self, puts: Sequence[tuple[ObjectKey, bytes]], deletes: Sequence[ObjectKey], numbers: Sequence[tuple[str, int]]
    ) -> None:
        with self._connection.begin():
            if puts:
                self._connection.execute(_UPSERT, [{**key._asdict(), "body": body} for key, body in puts])
            if deletes:
                parameters = [{f"b_{name}": part for name, part in key._asdict().items()} for key in deletes]
                self._connection.execute(_DELETE, parameters)
            if numbers:
                self._connection.execute(_COUNT, [{"name": name, "value": n} for name, n in numbers])

    def _close(self) -> None:
        engine = self._connection.engine
        self._connection.close()
        engine.dispose()


def _create_private(path: Path) -> None:
    """Secrets live in the file (and in SQLite's files beside it, which take its mode), so its owner alone reads it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be used as the control plane's database: {error.strerror}") from error


def _open(path: Path) -> sa.Connection:
    engine = _engine(path)
    try:
        connection = engine.connect()
        try:
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    except SQLAlchemyError as error:
        engine.dispose()
        raise ConfigError(f"{path}: cannot be used as the control plane's database: {_words(error)}") from error
    except BaseException:
        engine.dispose()
        raise
    return connection


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.StaticPool)

    # The driver commits before DDL on its own; with transactions in our hands a migration is all or nothing.
    # (SQLAlchemy documentation, "Serializable isolation / Savepoints / Transactional DDL" of the SQLite dialect.)
    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _migrate(connection: sa.Connection, path: Path) -> None:
    """All missing steps or none. The transaction is also what takes the file's lock, for as long as it is open."""
    with connection.begin():
        found = _schema_version(connection)
        if found != HEAD:
            _upgrade(connection, path, found)


def _schema_version(connection: sa.Connection) -> str:
    """The version the file was left at, read without alembic (whose import alone takes 0.2 s)."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")


def _upgrade(connection: sa.Connection, path: Path, found: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found not in known:
        raise ConfigError(
            f"{path}: written by a newer Fairlead (schema {found}, this one knows up to {HEAD}): "
            "upgrade Fairlead, or start with another home"
        )
    command.upgrade(config, "head")


def _words(error: SQLAlchemyError) -> str:
    """The driver's own words, without the statement and its parameters, which may hold secrets."""
    return str(error.orig) if isinstance(error, DBAPIError) and error.orig is not None else type(error).__name__
