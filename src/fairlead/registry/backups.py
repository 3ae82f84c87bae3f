"""Backups: a folder with all rows as lines of JSON, and every blob under its digest.

Rows are those of one moment; blobs never change, and what is deleted meanwhile stays for its grace. A backup into the
same folder copies only blobs that are new. A backup is whole when its `registry.json` is there, which is written last.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairlead.errors import ConfigError, Conflict, StorageError
from fairlead.registry.db import dumping
from fairlead.registry.db.engine import Database
from fairlead.registry.settling import key_of
from fairlead.registry.uids import new_uid
from fairlead.storage.blobs.folder import FolderStore
from fairlead.storage.blobs.store import BlobStore
from fairlead.storage.blobs.streams import Digest, ahead

_FORMAT = 1
_BLOBS = "blobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup has: how many rows, and how many blobs, of which so many were copied now."""

    rows: int
    blobs: int
    copied: int


async def back_up(database: Database, store: BlobStore, folder: Path, *, now: float) -> Backup:
    """Write everything below `folder`. Raises StorageError for blobs that are missing or damaged: `check` names all."""
    marker = folder / "registry.json"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker.unlink(missing_ok=True)
    schema = await database.schema()
    rows = await _dump(database, folder)
    target = FolderStore(folder / "blobs")
    copied = total = 0
    for row in _rows(folder, _BLOBS):
        total += 1
        key = _key(row["digest"])
        if await target.size(key) != row["size_bytes"]:
            await _copy(store, row["store_key"], target, key, row["digest"], row["size_bytes"])
            copied += 1
    facts = {"format": _FORMAT, "schema": schema, "made_at": now, "rows": rows, "blobs": total}
    await asyncio.to_thread(_write, marker, json.dumps(facts, indent=2) + "\n")
    return Backup(rows=rows, blobs=total, copied=copied)


async def restore(database: Database, store: BlobStore, folder: Path) -> Backup:
    """Put a backup into a database without rows, which is brought to its schema first, and its blobs into the store.
    Raises Conflict for a database that has any, ConfigError for what is no backup."""
    facts = _facts(folder)
    await database.migrate_to(facts["schema"])
    async with database.read() as connection:
        if not await dumping.is_empty(connection):
            raise Conflict(f"{database.name} is not empty: a backup is restored into a new database")
    source = FolderStore(folder / "blobs")
    keys: dict[str, str] = {}
    for row in _rows(folder, _BLOBS):
        keys[row["digest"]] = key_of(new_uid())
        await _copy(source, _key(row["digest"]), store, keys[row["digest"]], row["digest"], row["size_bytes"])
    async with database.begin() as connection:
        rows = 0
        for table in dumping.TABLES:
            with (folder / f"{table}.jsonl").open(encoding="utf-8") as file:
                rows += await dumping.load(connection, table, _moved(file, keys) if table == _BLOBS else file)
        await dumping.settle(connection)
    await database.upgrade()
    return Backup(rows=rows, blobs=len(keys), copied=len(keys))


async def _dump(database: Database, folder: Path) -> int:
    rows = 0
    with ExitStack() as files:
        async with database.read() as connection:
            for table in dumping.TABLES:
                path = folder / f"{table}.jsonl"
                opener = files.enter_context(os.fdopen(_private(path), "w", encoding="utf-8"))
                async for line in dumping.lines(connection, table):
                    opener.write(line + "\n")
                    rows += 1
    return rows


async def _copy(source: BlobStore, key: str, target: BlobStore, new_key: str, wanted: str, size: int) -> None:
    digest = Digest()

    async def verified() -> AsyncIterator[bytes]:
        async with ahead(source.read(key)) as pieces:
            async for piece in digest.over(pieces):
                yield piece
        if str(digest) != wanted:
            raise StorageError(f"{wanted}: {source.name} has other bytes ({digest})")

    await target.put(new_key, verified(), size=size)


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / "registry.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: not a backup of a registry, or one that was not finished") from error
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise ConfigError(f"{folder}: a backup in a form that this Fairlead does not read: upgrade Fairlead")
    return facts


def _rows(folder: Path, table: str) -> Iterator[dict[str, Any]]:
    with (folder / f"{table}.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _moved(lines: Iterator[str], keys: dict[str, str]) -> Iterator[str]:
    for line in lines:
        row = json.loads(line)
        yield json.dumps({**row, "store_key": keys[row["digest"]]})


def _key(digest: str) -> str:
    word = digest.removeprefix("sha256:")
    return f"{word[:2]}/{word}"


def _write(path: Path, text: str) -> None:
    with os.fdopen(_private(path), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _private(path: Path) -> int:
    """People's addresses and digests of their tokens are in it."""
    return os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
