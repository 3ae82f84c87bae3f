"""The databases and stores that every suite of the registry runs over."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fairlead.registry.callers import Caller
from fairlead.registry.db.engine import Database
from fairlead.registry.service import Registry
from support.postgres import Postgres, missing, postgres
from support.registries import Clock, add_caller, config

TEMPLATE = "registry_template"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for all tests of a process; not run where PostgreSQL is not installed."""
    if why := missing():
        pytest.skip(why)
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the registry's tables, to copy: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "registry.db"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_server(postgres_server: Postgres) -> Postgres:
    """The server, whose new databases have the registry's tables."""
    asyncio.run(_migrate(postgres_server.url(name=TEMPLATE)))
    return postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry' / 'registry.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.url()


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A SQLite file with the registry's tables, and nothing in them."""
    path = tmp_path / "registry" / "registry.db"
    path.parent.mkdir()
    shutil.copyfile(migrated_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(migrated_server: Postgres) -> str:
    """A database of a server with the registry's tables, and nothing in them."""
    return migrated_server.url(template=TEMPLATE)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """One of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


async def _migrate(url: str) -> None:
    await (await Database.open(url)).close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def registry(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Registry]:
    """An empty registry over each kind of database."""
    async with Registry.open(config(tmp_path, database=database_url), clock=clock) as registry:
        yield registry


@pytest.fixture
async def caller(registry: Registry) -> Caller:
    """Somebody who may do everything in it."""
    return await add_caller(registry)
