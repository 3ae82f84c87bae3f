"""Backups of either database, restored into either, over folders and a bucket."""

import json
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.errors import ConfigError, Conflict, StorageError
from fairlead.registry.backups import back_up, restore
from fairlead.registry.callers import Caller
from fairlead.registry.db.engine import Database
from fairlead.registry.service import Registry, RegistryConfig
from fairlead.registry.values import Kind, Label, NewVersion, Rules, UploadStatus, Version
from fairlead.storage.blobs.opening import open_store
from support.registries import Clock, add_caller, config
from support.s3 import S3Server, s3_server

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    root = tmp_path_factory.mktemp("s3")
    (root / "bucket").mkdir()
    with s3_server(root, is_alone=True) as server:
        yield server


async def _of(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _pushed(registry: Registry, caller: Caller, name: str, content: bytes) -> Version:
    await registry.repositories.create(caller, Kind.MODEL, "iris", description="ü")
    labels = (Label("z", "1"), Label("a", "2"))
    new = NewVersion(version=name, build_at=1.5, manifest='{"ü":[1.0,null]}', labels=labels)
    made = await registry.versions.create(caller, Kind.MODEL, "iris", new)
    return await registry.uploads.receive(caller, made, _of(content))


@pytest.fixture(params=["sqlite to postgresql and s3", "postgresql and s3 to sqlite"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[RegistryConfig, RegistryConfig]:
    """Where the registry is, and where its backup is restored."""
    server: S3Server = request.getfixturevalue("s3")
    small = config(tmp_path, database=request.getfixturevalue("sqlite_url"))
    large = config(tmp_path / "large", database=request.getfixturevalue("postgresql_url"))
    large = replace(large, store_url=f"s3://bucket/{tmp_path.name}", store_env=server.env())
    return (small, large) if request.param.startswith("sqlite") else (large, small)


async def test_a_registry_is_the_same_elsewhere(
    places: tuple[RegistryConfig, RegistryConfig], tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "backup"
    async with Registry.open(places[0], clock=clock) as registry:
        caller = await add_caller(registry)
        made = await _pushed(registry, caller, "v1", b"content")
        await registry.aliases.put(caller, Kind.MODEL, "iris", "production", "v1")
        await registry.repositories.update(caller, Kind.MODEL, "iris", rules=Rules(keep_last=3))
        unfinished = await registry.versions.create(
            caller, Kind.MODEL, "iris", NewVersion(version="v2", build_at=2.0, manifest="{}")
        )
        await registry.uploads.start(caller, unfinished)
        repository = await registry.repositories.get(caller, Kind.MODEL, "iris")
        backup = await back_up(registry.database, registry.store, folder, now=clock())

    database = await Database.open(places[1].database_url)
    store = open_store(places[1].store_url, places[1].store_env)
    restored = await restore(database, store, folder)
    with pytest.raises(Conflict, match="is not empty"):
        await restore(database, store, folder)
    await database.close()
    await store.close()

    async with Registry.open(places[1], clock=clock) as registry:
        found = await registry.versions.get(caller, Kind.MODEL, "iris", "production")
        content = [chunk async for chunk in (await registry.downloads.open(caller, found)).chunks]
        left = await registry.versions.get(caller, Kind.MODEL, "iris", "v2")
        assert await registry.repositories.get(caller, Kind.MODEL, "iris") == repository
        assert [finding async for finding in registry.checker.run()] == []
    assert (found.manifest, found.labels, found.digest, found.build_at) == (
        made.manifest,
        made.labels,
        made.digest,
        made.build_at,
    )
    assert b"".join(content) == b"content"
    assert left.upload_status is UploadStatus.FAILED
    assert (backup.rows, backup.blobs) == (restored.rows, restored.blobs)


async def test_a_second_backup_copies_what_is_new(sqlite_url: str, tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "backup"
    async with Registry.open(config(tmp_path, database=sqlite_url), clock=clock) as registry:
        caller = await add_caller(registry)
        await _pushed(registry, caller, "v1", b"one")
        first = await back_up(registry.database, registry.store, folder, now=clock())
        await _pushed(registry, caller, "v2", b"two")
        second = await back_up(registry.database, registry.store, folder, now=clock())

    assert (first.blobs, first.copied, second.blobs, second.copied) == (1, 1, 2, 1)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert json.loads((folder / "registry.json").read_text())["schema"] == "0001"


async def test_damaged_bytes_are_not_backed_up_and_leave_no_finished_backup(
    sqlite_url: str, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "backup"
    given = config(tmp_path, database=sqlite_url)
    async with Registry.open(given, clock=clock) as registry:
        await _pushed(registry, await add_caller(registry), "v1", b"content")
        (key,) = [found.key async for found in registry.store.list()]
        await registry.store.delete(key)
        await registry.store.put(key, _of(b"CONTENT"))

        with pytest.raises(StorageError, match="other bytes"):
            await back_up(registry.database, registry.store, folder, now=clock())

        with pytest.raises(ConfigError, match="not finished"):
            await restore(registry.database, registry.store, folder)
