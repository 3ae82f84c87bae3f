"""What goes by itself, and what must not, over both databases."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from fairlead.errors import NotFound, StorageUnavailable
from fairlead.registry.callers import Caller
from fairlead.registry.db.tables import blobs
from fairlead.registry.listing import parse
from fairlead.registry.service import GRACE_S, Registry
from fairlead.registry.settling import incoming_key
from fairlead.registry.usage import Tag
from fairlead.registry.values import Kind, Label, NewVersion, Rules, UploadStatus, Version
from support.registries import Clock

pytestmark = pytest.mark.anyio

HOUR_S = 3600.0


async def _of(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _pushed(registry: Registry, caller: Caller, name: str, content: bytes, **values: object) -> Version:
    await registry.repositories.create(caller, Kind.MODEL, "iris")
    new = NewVersion(version=name, build_at=registry.clock(), manifest="{}", **values)  # type: ignore[arg-type]
    made = await registry.versions.create(caller, Kind.MODEL, "iris", new)
    return await registry.uploads.receive(caller, made, _of(content))


async def _stored(registry: Registry) -> int:
    return len([found async for found in registry.store.list()])


async def _names(registry: Registry, caller: Caller) -> list[str]:
    return [version.version for version in (await registry.versions.list(caller, Kind.MODEL, parse())).items]


async def test_bytes_of_what_was_deleted_go_after_their_grace(registry: Registry, caller: Caller, clock: Clock) -> None:
    await _pushed(registry, caller, "v1", b"one")
    await _pushed(registry, caller, "v2", b"two")
    await registry.versions.delete(caller, Kind.MODEL, "iris", "v1")

    await registry.collector.sweep()
    at_once = await _stored(registry)
    clock.pass_by(GRACE_S + 1)
    swept = await registry.collector.sweep()

    assert at_once == 2
    assert (swept.blobs, await _stored(registry)) == (1, 1)


async def test_bytes_that_another_version_has_stay(registry: Registry, caller: Caller, clock: Clock) -> None:
    await _pushed(registry, caller, "v1", b"same")
    second = await _pushed(registry, caller, "v2", b"same")
    await registry.versions.delete(caller, Kind.MODEL, "iris", "v1")
    clock.pass_by(GRACE_S + 1)

    await registry.collector.sweep()

    assert b"".join([chunk async for chunk in (await registry.downloads.open(caller, second)).chunks]) == b"same"


async def test_an_abandoned_upload_is_given_up(registry: Registry, caller: Caller, clock: Clock) -> None:
    await registry.repositories.create(caller, Kind.MODEL, "iris")
    new = NewVersion(version="v1", build_at=1.0, manifest="{}")
    made = await registry.versions.create(caller, Kind.MODEL, "iris", new)
    upload = await registry.uploads.start_multipart(caller, made)
    await registry.uploads.start(caller, made)
    await registry.uploads.put_part(upload, 1, _of(b"part"), None)

    await registry.collector.sweep()
    still = (await registry.versions.get(caller, Kind.MODEL, "iris", "v1")).upload_status
    clock.pass_by(3 * HOUR_S)
    await registry.collector.sweep()

    found = await registry.versions.get(caller, Kind.MODEL, "iris", "v1")
    assert still is UploadStatus.UPLOADING
    assert (found.upload_status, found.upload_finished_reason) == (UploadStatus.FAILED, "the upload was abandoned")
    assert await _stored(registry) == 0


async def test_what_a_killed_server_had_received_whole_is_verified_by_the_next(
    registry: Registry, caller: Caller, clock: Clock
) -> None:
    await registry.repositories.create(caller, Kind.MODEL, "iris")
    new = NewVersion(version="v1", build_at=1.0, manifest="{}")
    made = await registry.versions.create(caller, Kind.MODEL, "iris", new)
    await registry.uploads.presign(caller, made)
    (upload,) = await registry.settler.under_way(made)
    await registry.store.put(incoming_key(upload.uid), _of(b"content"))
    await registry.settler.take_received(upload, 300.0)

    await registry.collector.sweep()
    before = await registry.versions.get(caller, Kind.MODEL, "iris", "v1")
    clock.pass_by(301)
    await registry.collector.sweep()

    after = await registry.versions.get(caller, Kind.MODEL, "iris", "v1")
    assert (before.upload_status, after.upload_status) == (UploadStatus.PENDING, UploadStatus.SUCCESS)
    assert after.size_bytes == 7


async def test_a_removal_that_was_cut_short_is_done_again(
    registry: Registry, caller: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _pushed(registry, caller, "v1", b"one")
    await registry.versions.delete(caller, Kind.MODEL, "iris", "v1")
    clock.pass_by(GRACE_S + 1)

    async def unreachable(key: str) -> None:
        raise StorageUnavailable("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(registry.store, "delete", unreachable)
        with pytest.raises(StorageUnavailable):
            await registry.collector.sweep()
    assert await _stored(registry) == 1
    await registry.collector.sweep()

    assert await _stored(registry) == 0


async def test_collecting_and_pushing_the_same_bytes_at_once_loses_none(
    registry: Registry, caller: Caller, clock: Clock
) -> None:
    """Several servers push and remove the same bytes while others collect without any grace."""
    content = b"content" * 1000
    await _pushed(registry, caller, "v0", content)
    async with Registry.open(registry.config, clock=clock) as other:

        async def collect() -> None:
            for _ in range(15):
                async with other.database.begin() as connection:
                    await connection.execute(blobs.update().values(kept_until=0.0))
                await other.collector.sweep()

        async def push(number: int) -> None:
            for turn in range(3):
                name = f"v{number}-{turn}"
                made = await _pushed(registry, caller, name, content)
                got = [chunk async for chunk in (await registry.downloads.open(caller, made)).chunks]
                assert b"".join(got) == content
                await registry.versions.delete(caller, Kind.MODEL, "iris", name)

        await asyncio.gather(collect(), *(push(number) for number in range(1, 4)))

    assert [finding async for finding in registry.checker.run()] == []


class _Running:
    async def deployed(self, organization: str) -> Mapping[Tag, Sequence[str]]:
        return {(Kind.MODEL, "iris", "v1"): ("default/web",)}


async def test_rules_remove_what_nothing_keeps(registry: Registry, caller: Caller, clock: Clock) -> None:
    for number in range(6):
        clock.pass_by(1)
        labels = (Label("keep", "yes"),) if number == 2 else ()
        await _pushed(registry, caller, f"v{number}", b"same", labels=labels)
    await registry.aliases.put(caller, Kind.MODEL, "iris", "production", "v0")
    registry.uses.append(_Running())
    await registry.repositories.update(
        caller, Kind.MODEL, "iris", rules=Rules(keep_last=1, keep_labelled=("keep=yes",))
    )

    assert await registry.collector.retain() == 2
    assert await _names(registry, caller) == ["v5", "v2", "v1", "v0"]


async def test_a_check_names_what_is_missing_damaged_and_unknown(
    registry: Registry, caller: Caller, clock: Clock
) -> None:
    for name in ("whole", "missing", "damaged", "short"):
        await _pushed(registry, caller, name, name.encode())
    assert [finding async for finding in registry.checker.run()] == []
    by_name = {await _content(registry, found.key): found.key async for found in registry.store.list()}
    await registry.store.delete(by_name[b"missing"])
    await _replace(registry, by_name[b"damaged"], b"DAMAGED")
    await _replace(registry, by_name[b"short"], b"shor")
    await registry.store.put("blobs/zz/unknown", _of(b"left"))
    clock.now = 4e9

    quick = {finding.tags for finding in [each async for each in registry.checker.run(reads_all=False)]}
    full = [each async for each in registry.checker.run()]

    assert quick == {("model iris:missing",), ("model iris:short",), ()}
    assert {finding.tags: finding.message.split(":")[0] for finding in full if not finding.is_harmless} == {
        ("model iris:missing",): "missing",
        ("model iris:damaged",): "damaged",
        ("model iris:short",): "damaged",
    }
    assert [finding.what for finding in full if finding.is_harmless] == ["blobs/zz/unknown"]


async def _content(registry: Registry, key: str) -> bytes:
    return b"".join([chunk async for chunk in registry.store.read(key)])


async def _replace(registry: Registry, key: str, content: bytes) -> None:
    await registry.store.delete(key)
    await registry.store.put(key, _of(content))


async def test_an_upload_of_a_deleted_version_ends(registry: Registry, caller: Caller) -> None:
    await registry.repositories.create(caller, Kind.MODEL, "iris")
    new = NewVersion(version="v1", build_at=1.0, manifest="{}")
    made = await registry.versions.create(caller, Kind.MODEL, "iris", new)

    async def deleting() -> AsyncIterator[bytes]:
        yield b"content"
        await registry.versions.delete(caller, Kind.MODEL, "iris", "v1", force=True)

    with pytest.raises(NotFound):
        await registry.uploads.receive(caller, made, deleting())
    await registry.collector.sweep()

    assert await _stored(registry) == 0
