"""The database file: created private, migrated once, locked, and honest about what it cannot do."""

import sqlite3
import stat
import sys
from pathlib import Path

import anyio
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from fairlead.control import migrations
from fairlead.control.db import Database, ObjectKey
from fairlead.errors import ConfigError

pytestmark = pytest.mark.anyio

KEY = ObjectKey("", "secrets", "default", "s")


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "state.db")
    await database.write([(KEY, b"one"), (KEY._replace(name="t"), b"two")], [], [("revision", 7)])
    await database.write([(KEY, b"three")], [KEY._replace(name="t")])
    await database.close()

    database = await Database.open(tmp_path / "state.db")

    assert await database.load() == [(KEY, b"three")]
    assert await database.counter("revision") == 7
    await database.close()


async def test_the_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "home" / "state.db")
    await database.write([(KEY, b"secret")], [])

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home").iterdir()}

    await database.close()
    assert "state.db-wal" in modes
    assert set(modes.values()) == {0o600}


async def test_a_second_process_cannot_open_the_file(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "state.db")
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "try: c.execute('select * from objects')\n"
        "except sqlite3.OperationalError as e: print(e)"
    )

    found = await anyio.run_process([sys.executable, "-c", script, str(tmp_path / "state.db")])

    await database.close()
    assert found.stdout.strip() == b"database is locked"


async def test_a_file_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    await (await Database.open(tmp_path / "state.db")).close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(ConfigError, match=r"written by a newer Fairlead \(schema 9999"):
        await Database.open(tmp_path / "state.db")


async def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database at all, but somebody's notes" * 50)

    with pytest.raises(ConfigError, match="file is not a database"):
        await Database.open(tmp_path / "state.db")

    assert (tmp_path / "state.db").read_bytes().startswith(b"not a database")


async def test_a_migration_that_is_interrupted_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import alembic.command

    upgrade = alembic.command.upgrade

    def broken(config: Config, revision: str) -> None:
        upgrade(config, revision)
        raise RuntimeError("power cut")

    monkeypatch.setattr(alembic.command, "upgrade", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        await Database.open(tmp_path / "state.db")
    monkeypatch.undo()

    database = await Database.open(tmp_path / "state.db")

    assert await database.load() == []
    await database.close()


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


async def test_a_start_with_nothing_to_migrate_does_not_import_alembic(tmp_path: Path) -> None:
    await (await Database.open(tmp_path / "state.db")).close()
    script = (
        "import asyncio, pathlib, sys\n"
        "from fairlead.control.db import Database\n"
        "async def main():\n"
        "    await (await Database.open(pathlib.Path(sys.argv[1]))).close()\n"
        "asyncio.run(main()); print('alembic' in sys.modules)"
    )

    found = await anyio.run_process([sys.executable, "-c", script, str(tmp_path / "state.db")])

    assert found.stdout.strip() == b"False"
