"""The registry's database: a SQLite file that several processes may have open, or a PostgreSQL server.

It opens, migrates, and hands out transactions; what they say is in the modules of queries beside it. On SQLite a write
takes the file's lock when it begins (BEGIN IMMEDIATE), so it never fails half-way for another's sake, and the writers
of one process wait for each other here rather than in SQLite's polling. On PostgreSQL rows are locked by those who
mean to change what they read (`SELECT … FOR UPDATE`).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fairlead.errors import ConfigError, FairleadError, MissingExtra, Retryable
from fairlead.registry.db import upgrading

_T = TypeVar("_T")
_SQLITE, _POSTGRESQL = "sqlite", "postgresql"
_DRIVERS = {_SQLITE: "sqlite+aiosqlite", _POSTGRESQL: "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
# Another process may hold the file's lock: a push's transactions are short, a migration takes longer.
_BUSY_TIMEOUT_MS = 30_000
_PRAGMAS = (
    f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=ON",  # macOS only: fsync alone leaves data in the drive's cache there
    "PRAGMA foreign_keys=ON",
)
_READ_ONLY_PRAGMAS = (_PRAGMAS[0], "PRAGMA query_only=ON")
# PostgreSQL's codes for a transaction that lost to another and may be tried again: serialisation, deadlock.
_LOST = frozenset({"40001", "40P01"})
_ATTEMPTS = 6


class Database:
    """One open database. Every method may be called by many tasks at once."""

    def __init__(self, engine: AsyncEngine, *, name: str, readonly: bool) -> None:
        self._engine = engine
        self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writer = asyncio.Lock()
        self._readonly = readonly
        self.name = name
        """The database without its password, for messages."""

    @classmethod
    async def open(cls, url: str, *, readonly: bool = False, migrate: bool = True) -> Self:
        """Open `sqlite:///path` or `postgresql://…`, and bring its schema up to date unless it is only read. Raises
        ConfigError for what cannot be used, Retryable for a server that does not answer."""
        parsed = parse(url)
        name = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == _SQLITE:
            _prepare_file(Path(parsed.database or ""), readonly=readonly)
        database = cls(_engine(parsed, readonly=readonly), name=name, readonly=readonly)
        try:
            if migrate and not readonly:
                await database.upgrade()
            elif migrate:
                await database._refuse_other_schema()
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def is_sqlite(self) -> bool:
        return self._engine.dialect.name == _SQLITE

    @property
    def path(self) -> Path | None:
        """The file, when it is one."""
        return Path(self._engine.url.database or "") if self.is_sqlite else None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: all of it is kept when the block ends, nothing when it raises."""
        if self._readonly:
            raise ConfigError(f"{self.name} is open for reading only")
        if not self.is_sqlite:
            async with self._translated(), self._engine.begin() as connection:
                yield connection
            return
        async with self._writer, self._translated(), self._engine.connect() as connection:
            await connection.execution_options(fairlead_writes=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that reads, from one state of the database."""
        engine = self._engine if self.is_sqlite else self._reading
        async with self._translated(), engine.begin() as connection:
            yield connection

    async def write(self, work: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        """Do `work` in a transaction that writes, again when it lost to another's; it must do nothing else."""
        for _ in range(_ATTEMPTS - 1):
            try:
                async with self.begin() as connection:
                    return await work(connection)
            except Lost:
                continue
        async with self.begin() as connection:
            return await work(connection)

    async def schema(self) -> str:
        """The name of the last migration that was made; empty for a database without tables."""
        async with self.read() as connection:
            return await connection.run_sync(upgrading.version)

    async def upgrade(self) -> None:
        """Make the migrations that are missing. Others who start at the same moment wait, and find them made."""
        if await self.schema() != upgrading.HEAD:
            await self.migrate_to("head")

    async def migrate_to(self, revision: str) -> None:
        """Make or undo migrations until `revision` (`base` undoes all), in one transaction."""
        async with self.begin() as connection:
            await connection.run_sync(upgrading.migrate, revision, self.name)

    async def close(self) -> None:
        """Give all connections back."""
        await self._engine.dispose()

    async def _refuse_other_schema(self) -> None:
        if (found := await self.schema()) != upgrading.HEAD:
            raise ConfigError(
                f"{self.name}: its schema is {found or 'empty'} and not {upgrading.HEAD}: run fairlead registry migrate"
            )

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        """The one place where the driver's errors become ours. Constraints are for queries to see and name."""
        try:
            yield
        except (FairleadError, sa.exc.IntegrityError):
            raise
        except DBAPIError as error:
            if _code(error) in _LOST:
                raise Lost(f"{self.name}: lost to another transaction", after_s=0.1) from error
            raise Retryable(f"{self.name}: {words(error)}", after_s=1.0) from error
        except SQLAlchemyError as error:
            raise Retryable(f"{self.name}: {type(error).__name__}", after_s=1.0) from error
        except OSError as error:
            raise Retryable(f"{self.name}: cannot be reached: {error.strerror or error}", after_s=1.0) from error


class Lost(Retryable):
    """A transaction that another one has made impossible; the same again may work."""


def parse(url: str) -> sa.URL:
    """A database's URL with the driver that speaks to it. Raises ConfigError naming what would be accepted, and never
    showing a password."""
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError:
        raise ConfigError("the registry's database is not a URL: sqlite:///PATH or postgresql://…") from None
    driver = _DRIVERS.get(parsed.drivername.partition("+")[0])
    if driver is None or (driver.startswith(_SQLITE) and not parsed.database):
        raise ConfigError(
            f"the registry's database {parsed.render_as_string(hide_password=True)} cannot be used: "
            "accepted are sqlite:///PATH and postgresql://USER:PASSWORD@HOST/NAME"
        )
    return (
        _for_asyncpg(parsed.set(drivername=driver)) if driver.startswith(_POSTGRESQL) else parsed.set(drivername=driver)
    )


def _for_asyncpg(url: sa.URL) -> sa.URL:
    """libpq's word for TLS is the one that people know; asyncpg's is another."""
    query = dict(url.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return url.set(query=query)


def words(error: SQLAlchemyError) -> str:
    """The driver's own words, without the statement and its parameters, which may hold secrets."""
    return str(error.orig) if isinstance(error, DBAPIError) and error.orig is not None else type(error).__name__


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _prepare_file(path: Path, *, readonly: bool) -> None:
    """Secrets' digests and people's addresses live in the file, so its owner alone reads it."""
    if readonly:
        if not path.is_file():
            raise ConfigError(f"{path}: there is no registry's database")
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be used as the registry's database: {error.strerror}") from error


def _engine(url: sa.URL, *, readonly: bool) -> AsyncEngine:
    if url.get_backend_name() == _SQLITE:
        return _sqlite_engine(url, readonly=readonly)
    try:
        # A connection that a restarted server or a proxy has closed is found out before it is used.
        return create_async_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=10)
    except ModuleNotFoundError as error:
        raise MissingExtra(library="asyncpg", extra="postgres") from error


def _sqlite_engine(url: sa.URL, *, readonly: bool) -> AsyncEngine:
    engine = create_async_engine(url)

    # The driver begins and commits on its own; with transactions in our hands a migration is all or nothing.
    # (SQLAlchemy documentation, "Serializable isolation / Savepoints / Transactional DDL" of the SQLite dialect.)
    @sa.event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _READ_ONLY_PRAGMAS if readonly else _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("fairlead_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
