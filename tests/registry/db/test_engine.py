"""The database: private, migrated once whoever comes first, and safe to open beside others."""

import asyncio
import stat
import warnings
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from fairlead.errors import AlreadyExists, ConfigError
from fairlead.registry.db import migrations
from fairlead.registry.db.engine import Database
from fairlead.registry.db.tables import metadata, removals
from fairlead.registry.db.taken import refused_as

pytestmark = pytest.mark.anyio


async def _count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(removals))).scalar_one())


async def _add(database: Database, key: str) -> None:
    async with database.begin() as connection:
        await connection.execute(removals.insert().values(store_key=key, created_at=1.0))


async def _add_twice(database: Database) -> None:
    with refused_as("there is one"):
        async with database.begin() as connection:
            await connection.execute(removals.insert().values(store_key="k", created_at=1.0))
            await connection.execute(removals.insert().values(store_key="k", created_at=2.0))


async def test_the_migrations_make_the_tables_and_undo_them(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url)
    async with database.read() as connection:
        different = await connection.run_sync(_differences)

    await database.migrate_to("base")

    async with database.read() as connection:
        left = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    await database.upgrade()
    assert different == []
    assert left == ["alembic_version"]
    assert await database.schema() == migrations.HEAD
    await database.close()


def _differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_server_default": connection.dialect.name == "postgresql"}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(compare_metadata(context, metadata))


def test_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


async def test_several_may_start_at_once(empty_database_url: str) -> None:
    databases = await asyncio.gather(*(Database.open(empty_database_url) for _ in range(4)))

    await asyncio.gather(*(_add(database, f"{number}") for number, database in enumerate(databases * 3)))

    assert await _count(databases[0]) == 12
    for database in databases:
        await database.close()


async def test_what_raises_leaves_nothing(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url)

    with pytest.raises(AlreadyExists):
        await _add_twice(database)

    assert await _count(database) == 0
    await database.close()


async def test_a_reader_sees_one_state_while_others_write(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url)
    other = await Database.open(empty_database_url)

    async with database.read() as connection:
        counting = sa.select(sa.func.count()).select_from(removals)
        before = (await connection.execute(counting)).scalar_one()
        await _add(other, "k")
        after = (await connection.execute(counting)).scalar_one()

    assert (before, after, await _count(database)) == (0, 0, 1)
    await database.close()
    await other.close()


async def test_a_database_open_for_reading_takes_no_writes(empty_database_url: str) -> None:
    with pytest.raises(ConfigError):
        await Database.open(empty_database_url, readonly=True)
    await (await Database.open(empty_database_url)).close()

    database = await Database.open(empty_database_url, readonly=True)

    assert await _count(database) == 0
    with pytest.raises(ConfigError, match="reading only"):
        await _add(database, "k")
    await database.close()


async def test_a_newer_schema_is_refused_by_name(empty_database_url: str) -> None:
    database = await Database.open(empty_database_url)
    async with database.begin() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()

    with pytest.raises(ConfigError, match=r"newer Fairlead \(schema 9999"):
        await Database.open(empty_database_url)


async def test_the_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path / 'home' / 'registry.db'}")
    await _add(database, "k")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").iterdir()}

    await database.close()
    assert "registry.db-wal" in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "sqlite://", "no url: secret"])
async def test_other_databases_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        await Database.open(url)

    assert "sqlite:///PATH" in str(refused.value)
    assert "secret" not in str(refused.value)
