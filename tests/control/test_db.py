"""The database file: created private, migrated once, locked, and honest about what it cannot do."""

import sqlite3
import stat
import sys
from pathlib import Path

import anyio
import pytest

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
        connection.execute("PRAGMA user_version = 9999")
    connection.close()

    with pytest.raises(ConfigError, match=r"written by a newer Fairlead \(schema 9999"):
        await Database.open(tmp_path / "state.db")


async def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database at all, but somebody's notes" * 50)

    with pytest.raises(ConfigError, match="file is not a database"):
        await Database.open(tmp_path / "state.db")

    assert (tmp_path / "state.db").read_bytes().startswith(b"not a database")


async def test_a_migration_that_fails_halfway_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, ("CREATE TABLE more (x)", "CREATE TABLE objects (x)")))
    with pytest.raises(ConfigError, match="table objects already exists"):
        await Database.open(tmp_path / "state.db")
    monkeypatch.undo()

    with sqlite3.connect(tmp_path / "state.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()
    database = await Database.open(tmp_path / "state.db")
    assert await database.load() == []
    await database.close()


async def test_a_file_that_an_older_version_wrote_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await Database.open(tmp_path / "state.db")
    await database.write([(KEY, b"kept")], [])
    await database.close()
    monkeypatch.setattr(
        migrations, "STEPS", (*migrations.STEPS, ("UPDATE objects SET body = CAST(body || '!' AS BLOB)",))
    )

    for _ in range(2):
        database = await Database.open(tmp_path / "state.db")
        assert await database.load() == [(KEY, b"kept!")]
        await database.close()


async def test_a_file_that_alembic_made_is_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.executescript(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL); INSERT INTO alembic_version VALUES (1);"
            'CREATE TABLE objects ("group" TEXT, plural TEXT, namespace TEXT, name TEXT, body BLOB NOT NULL,'
            ' PRIMARY KEY ("group", plural, namespace, name));'
            "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
            "INSERT INTO objects VALUES ('', 'secrets', 'default', 's', x'6f6c64')"
        )
    connection.close()

    database = await Database.open(tmp_path / "state.db")

    assert await database.load() == [(KEY, b"old")]
    await database.write([(KEY, b"new")], [])
    await database.close()
