"""The databases and stores that every suite of the registry runs over."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.postgres import Postgres, missing, postgres

MakeUrl = Callable[[], str]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for all tests of a process; not run where PostgreSQL is not installed."""
    if why := missing():
        pytest.skip(why)
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry' / 'registry.db'}"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.url()
