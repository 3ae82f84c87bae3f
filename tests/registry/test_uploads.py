"""Uploads and downloads in all three ways, over a folder and a bucket, and what interrupts them."""

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import time
import urllib.request
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import anyio
import pytest

from fairlead.errors import BadRequest, Conflict, FairleadError, Forbidden, NotFound, StorageError
from fairlead.registry import uploads
from fairlead.registry.addresses import ROOT
from fairlead.registry.callers import Caller, Organization, Role
from fairlead.registry.db import people
from fairlead.registry.downloads import Download
from fairlead.registry.service import Registry, RegistryConfig
from fairlead.registry.values import Kind, NewVersion, Rules, UploadStatus, Version
from fairlead.storage.blobs.store import Part
from support.registries import Clock, add_caller, config
from support.s3 import S3Server, s3_server

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256)) * 12_000
OTHER = b"other" * 1000
MODES = ("proxy", "presigned", "multipart")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    root = tmp_path_factory.mktemp("s3")
    (root / "bucket").mkdir()
    with s3_server(root, is_alone=True) as server:
        yield server


@pytest.fixture(params=["sqlite and a folder", "postgresql and s3"])
def given(request: pytest.FixtureRequest, tmp_path: Path) -> RegistryConfig:
    """What one machine has, and what several servers share."""
    if request.param == "sqlite and a folder":
        return config(tmp_path, database=request.getfixturevalue("sqlite_url"))
    server: S3Server = request.getfixturevalue("s3")
    chosen = config(tmp_path, database=request.getfixturevalue("postgresql_url"))
    return replace(chosen, store_url=f"s3://bucket/{tmp_path.name}", store_env=server.env())


@pytest.fixture
async def registry(given: RegistryConfig, clock: Clock) -> AsyncIterator[Registry]:
    async with Registry.open(given, clock=clock) as registry:
        yield registry


async def _of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _announced(registry: Registry, caller: Caller, version: str = "v1") -> Version:
    await registry.repositories.create(caller, Kind.MODEL, "iris")
    return await registry.versions.create(
        caller, Kind.MODEL, "iris", NewVersion(version=version, build_at=1.0, manifest="{}")
    )


async def _now(registry: Registry, caller: Caller, version: str = "v1") -> Version:
    return await registry.versions.get(caller, Kind.MODEL, "iris", version)


async def _put(registry: Registry, address: str, content: bytes) -> str:
    """Send what a client would; the ETag. Addresses of ours have no host."""
    if address.startswith("/"):
        parts = urlsplit(address)
        what, query = parts.path.removeprefix(ROOT), dict(parse_qsl(parts.query))
        return await registry.objects.put(what, query, _of(content[:9], content[9:]), len(content))
    request = urllib.request.Request(address, data=content, method="PUT")
    answer = await anyio.to_thread.run_sync(lambda: urllib.request.urlopen(request))
    with answer:
        return str(answer.headers["ETag"])


async def _all(download: Download) -> bytes:
    return b"".join([chunk async for chunk in download.chunks])


async def _read(registry: Registry, caller: Caller, version: Version) -> bytes:
    return await _all(await registry.downloads.open(caller, version))


async def _push(registry: Registry, caller: Caller, version: Version, mode: str, content: bytes = CONTENT) -> Version:
    """What a client does in each mode."""
    if mode == "proxy":
        await registry.uploads.start(caller, version)
        return await registry.uploads.receive(caller, version, _of(content[:9], content[9:]), len(content))
    if mode == "presigned":
        address = await registry.uploads.presign(caller, version)
        await registry.uploads.start(caller, version)
        await _put(registry, address, content)
        return await registry.uploads.finish(caller, version, UploadStatus.SUCCESS)
    await registry.uploads.start(caller, version)
    upload = await registry.uploads.start_multipart(caller, version)
    half = max(1, len(content) // 2)
    parts = []
    for number, piece in ((2, content[half:]), (1, content[:half])):
        address = await registry.uploads.presign_part(caller, version, upload, number)
        parts.append(Part(number, await _put(registry, address, piece)))
    await registry.uploads.complete(caller, version, upload, parts)
    return await registry.uploads.finish(caller, version, UploadStatus.SUCCESS)


@pytest.mark.parametrize("mode", MODES)
async def test_the_same_bytes_come_back(registry: Registry, caller: Caller, mode: str) -> None:
    made = await _announced(registry, caller)

    await _push(registry, caller, made, mode)

    found = await _now(registry, caller)
    download = await registry.downloads.open(caller, found)
    assert (found.upload_status, found.size_bytes) == (UploadStatus.SUCCESS, len(CONTENT))
    assert found.digest == download.digest == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert (download.size, await _all(download)) == (len(CONTENT), CONTENT)
    assert await _all(await registry.downloads.open(caller, found, start=3, end=8)) == CONTENT[3:8]
    assert await registry.settler.under_way(found) == []


async def test_the_status_follows_the_upload(registry: Registry, caller: Caller) -> None:
    made = await _announced(registry, caller)
    statuses = [made.upload_status, (await registry.uploads.start(caller, made)).upload_status]

    async def looking() -> AsyncIterator[bytes]:
        statuses.append((await _now(registry, caller)).upload_status)
        yield CONTENT

    statuses.append((await registry.uploads.receive(caller, made, looking())).upload_status)

    assert [str(status) for status in statuses] == ["pending", "uploading", "uploading", "success"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_forced_push_replaces_the_bytes_at_once(registry: Registry, caller: Caller, mode: str) -> None:
    made = await _announced(registry, caller)
    await _push(registry, caller, made, "proxy", OTHER)
    before = await _now(registry, caller)
    reading = (await registry.downloads.open(caller, before)).chunks

    await _push(registry, caller, made, mode)

    assert b"".join([chunk async for chunk in reading]) == OTHER
    assert await _read(registry, caller, await _now(registry, caller)) == CONTENT


async def test_an_interrupted_upload_fails_with_its_reason_and_can_be_done_again(
    registry: Registry, caller: Caller
) -> None:
    made = await _announced(registry, caller)
    await registry.uploads.start(caller, made)

    with pytest.raises(BadRequest, match="interrupted: 5 of the announced 10 bytes came"):
        await registry.uploads.receive(caller, made, _of(b"12345"), 10)

    failed = await _now(registry, caller)
    assert failed.upload_status is UploadStatus.FAILED
    assert "5 of the announced 10 bytes" in failed.upload_finished_reason
    with pytest.raises(NotFound, match="has no content"):
        await registry.downloads.open(caller, failed)
    await _push(registry, caller, made, "proxy")
    assert await _read(registry, caller, await _now(registry, caller)) == CONTENT


async def test_an_interrupted_replacement_leaves_what_was_there(registry: Registry, caller: Caller) -> None:
    made = await _announced(registry, caller)
    await _push(registry, caller, made, "proxy", OTHER)
    cut = anyio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield CONTENT
        cut.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(registry.uploads.receive, caller, made, endless(), 10**9)
        await cut.wait()
        tasks.cancel_scope.cancel()
    await registry.uploads.close()

    found = await _now(registry, caller)
    assert found.upload_status is UploadStatus.SUCCESS
    assert found.upload_finished_reason == "the upload was interrupted"
    assert await _read(registry, caller, found) == OTHER


async def test_a_client_that_says_its_upload_failed_is_believed(registry: Registry, caller: Caller) -> None:
    made = await _announced(registry, caller)
    await registry.uploads.start(caller, made)
    upload = await registry.uploads.start_multipart(caller, made)

    with pytest.raises(BadRequest, match="parts"):
        await registry.uploads.complete(caller, made, upload, [])
    found = await registry.uploads.finish(caller, made, UploadStatus.FAILED, "AccessDenied")

    assert (found.upload_status, found.upload_finished_reason) == (UploadStatus.FAILED, "AccessDenied")
    with pytest.raises(NotFound):
        await registry.uploads.presign_part(caller, made, upload, 1)


async def test_nothing_uploaded_is_not_success(registry: Registry, caller: Caller) -> None:
    made = await _announced(registry, caller)
    await registry.uploads.presign(caller, made)

    with pytest.raises(BadRequest, match="nothing was uploaded"):
        await registry.uploads.finish(caller, made, UploadStatus.SUCCESS)


@pytest.mark.parametrize("mode", MODES)
async def test_two_clients_push_the_same_at_once(registry: Registry, caller: Caller, mode: str) -> None:
    made = await _announced(registry, caller)
    contents = [CONTENT, OTHER]

    await asyncio.gather(*(_push(registry, caller, made, mode, content) for content in contents))

    found = await _now(registry, caller)
    assert found.upload_status is UploadStatus.SUCCESS
    assert await _read(registry, caller, found) in contents
    assert await registry.settler.under_way(found) == []


async def test_several_servers_take_pushes_of_the_same_tag_at_once(
    registry: Registry, caller: Caller, given: RegistryConfig, clock: Clock
) -> None:
    made = await _announced(registry, caller)
    contents = [CONTENT, OTHER, CONTENT]
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(Registry.open(given, clock=clock)) for _ in range(2)]
        servers = zip([registry, *others], contents, MODES, strict=True)

        pushes = (_push(server, caller, made, mode, content) for server, content, mode in servers)
        ended = await asyncio.gather(*pushes, return_exceptions=True)

        # Whoever finishes one settles what is under way: who was about to send other bytes then is told so.
        late = [one for one in ended if isinstance(one, BaseException)]
        assert len(late) < len(ended)
        assert all(isinstance(one, NotFound) and "no longer under way" in str(one) for one in late)
        found = await _now(registry, caller)
        assert {await _read(server, caller, found) for server in (registry, *others)} <= {CONTENT, OTHER}
    assert found.upload_status is UploadStatus.SUCCESS
    assert await registry.settler.under_way(found) == []
    assert [finding async for finding in registry.checker.run()] == []


_PUSHES = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from fairlead.registry.db import people
from fairlead.registry.service import Registry, RegistryConfig
from fairlead.registry.values import Kind
from support.registries import add_caller

async def endless():
    while True:
        yield b"x" * 1_000_000
        print("pushing", flush=True)

async def main():
    async with Registry.open(RegistryConfig.of_home(Path(sys.argv[1]))) as registry:
        caller = await add_caller(registry, "killed")
        async with registry.database.read() as connection:
            home = await people.find_organization(connection, name="ada-labs")
        caller = replace(caller, organization=home)
        version = await registry.versions.get(caller, Kind.MODEL, "iris", sys.argv[2])
        await registry.uploads.receive(caller, version, endless(), 10**9)

asyncio.run(main())
"""


@pytest.mark.slow(3)
async def test_a_server_that_is_killed_in_a_push_leaves_what_was_there(tmp_path: Path, sqlite_url: str) -> None:
    clock = Clock(time.time())
    async with Registry.open(config(tmp_path, database=sqlite_url), clock=clock) as registry:
        caller = await add_caller(registry)
        whole = await _push(registry, caller, await _announced(registry, caller, "whole"), "proxy")
        await _announced(registry, caller, "nothing")
        before = {found.key async for found in registry.store.list()}

        await asyncio.gather(*(_killed(tmp_path / "registry", name) for name in ("whole", "nothing")))
        now = [(await _now(registry, caller, name)).upload_status for name in ("whole", "nothing")]
        clock.pass_by(600)
        await registry.collector.sweep()

        assert now == [UploadStatus.SUCCESS, UploadStatus.UPLOADING]
        assert (await _now(registry, caller, "nothing")).upload_finished_reason == "the upload was abandoned"
        assert {found.key async for found in registry.store.list()} == before
        assert await _read(registry, caller, whole) == CONTENT


async def _killed(home: Path, version: str) -> None:
    """Kill a server -9 when bytes have come."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PUSHES.replace("killed", f"killed-{version}"), str(home), version, stdout=PIPE, env=env
    )
    assert process.stdout is not None
    for _ in range(5):
        assert await process.stdout.readline() == b"pushing\n"
    process.kill()
    await process.communicate()


async def test_what_is_completed_twice_is_completed(registry: Registry, caller: Caller) -> None:
    made = await _announced(registry, caller)
    upload = await registry.uploads.start_multipart(caller, made)
    address = await registry.uploads.presign_part(caller, made, upload, 1)
    parts = [Part(1, await _put(registry, address, CONTENT))]

    first = await registry.uploads.complete(caller, made, upload, parts)
    second = await registry.uploads.complete(caller, made, upload, parts)

    assert first.is_complete
    assert first.digest == second.digest


async def test_equal_bytes_are_kept_once(registry: Registry, caller: Caller) -> None:
    for name in ("v1", "v2", "v3"):
        made = await _announced(registry, caller, name)
        await _push(registry, caller, made, "proxy")

    await registry.collector.sweep()

    assert len([found async for found in registry.store.list()]) == 1
    assert await _read(registry, caller, await _now(registry, caller, "v2")) == CONTENT


async def test_an_immutable_version_takes_the_same_bytes_only(registry: Registry, caller: Caller) -> None:
    made = await _announced(registry, caller)
    await _push(registry, caller, made, "proxy")
    await registry.repositories.update(caller, Kind.MODEL, "iris", rules=Rules(is_immutable=True))

    with pytest.raises(Conflict, match="iris:v1 is immutable"):
        await registry.uploads.start(caller, made)
    with pytest.raises(Conflict, match="iris:v1 is immutable"):
        await registry.uploads.receive(caller, made, _of(OTHER))

    assert await _read(registry, caller, await _now(registry, caller)) == CONTENT


async def test_more_than_the_quota_is_refused_before_it_is_stored(registry: Registry, caller: Caller) -> None:
    await _limit(registry, caller.organization, {"bytes": len(CONTENT) + 10, "versions": 2})
    made = await _announced(registry, caller)
    await _push(registry, caller, made, "proxy")
    second = await _announced(registry, caller, "v2")

    with pytest.raises(Forbidden, match="may keep"):
        await registry.uploads.receive(caller, second, _of(OTHER), len(OTHER))
    with pytest.raises(Forbidden, match="may keep"):
        await registry.uploads.receive(caller, second, _of(OTHER))
    with pytest.raises(Forbidden, match="2 versions"):
        await _announced(registry, caller, "v3")
    await _push(registry, caller, made, "proxy", CONTENT + b"9 more   ")


async def _limit(registry: Registry, organization: Organization, quota: dict[str, int]) -> None:
    async with registry.database.begin() as connection:
        await people.update_organization(connection, organization.uid, 1.0, config=json.dumps({"quota": quota}))


async def test_bytes_that_rot_are_not_handed_out_whole(registry: Registry, caller: Caller) -> None:
    made = await _announced(registry, caller)
    found = await _push(registry, caller, made, "proxy")
    (stored,) = [blob.key async for blob in registry.store.list()]
    await registry.store.delete(stored)
    await registry.store.put(stored, _of(CONTENT[:-1] + b"!"))

    with pytest.raises(StorageError, match="other bytes than were pushed"):
        await _read(registry, caller, found)


async def test_who_still_has_an_address_cannot_change_what_was_verified(
    registry: Registry, caller: Caller, clock: Clock
) -> None:
    version = await _announced(registry, caller)
    address = await registry.uploads.presign(caller, version)
    await _put(registry, address, CONTENT)
    done = await registry.uploads.finish(caller, version, UploadStatus.SUCCESS)

    # Addresses of ours end with the upload, those that a store signed only with their hour.
    with contextlib.suppress(FairleadError):
        await _put(registry, address, OTHER)

    assert await _read(registry, caller, done) == CONTENT
    assert [finding async for finding in registry.checker.run()] == []
    assert await registry.collector.clear_incoming() == 0
    clock.now = time.time() + 3 * 3600
    assert await registry.collector.clear_incoming() == (0 if address.startswith("/") else 1)
    assert [found.key async for found in registry.store.list("incoming")] == []
    assert await _read(registry, caller, done) == CONTENT


async def test_addresses_of_ours_are_for_one_thing_and_an_hour(sqlite_url: str, tmp_path: Path, clock: Clock) -> None:
    async with AsyncExitStack() as stack:
        given = config(tmp_path, database=sqlite_url)
        registry = await stack.enter_async_context(Registry.open(given, clock=clock))
        caller = await add_caller(registry)
        made = await _announced(registry, caller)
        found = await _push(registry, caller, made, "presigned")
        parts = urlsplit(await registry.downloads.presign(caller, found))
        what, query = parts.path.removeprefix(ROOT), dict(parse_qsl(parts.query))

        assert await _all(await registry.objects.get(what, query)) == CONTENT
        for wrong in ({**query, "expires": "99999999999"}, {**query, "signature": "0"}, {}):
            with pytest.raises(Forbidden, match="sign"):
                await registry.objects.get(what, wrong)
        with pytest.raises(Forbidden, match="signature"):
            await registry.objects.put(what, query, _of(OTHER), None)
        clock.pass_by(3601)
        with pytest.raises(Forbidden, match="expired"):
            await registry.objects.get(what, query)


async def test_a_guest_pulls_and_does_not_push(registry: Registry, caller: Caller) -> None:
    made = await _announced(registry, caller)
    found = await _push(registry, caller, made, "proxy")
    guest = replace(caller, role=Role.GUEST)

    assert await _read(registry, guest, found) == CONTENT
    with pytest.raises(Forbidden, match="cannot update this model: iris:v1"):
        await registry.uploads.receive(guest, found, _of(OTHER))


@pytest.mark.parametrize("mode", ["presigned", "multipart"])
async def test_what_is_put_twice_at_one_address_at_once_is_not_mixed(
    mode: str, sqlite_url: str, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_TURN_S", 0.01)
    async with Registry.open(config(tmp_path, database=sqlite_url), clock=clock) as registry:
        caller = await add_caller(registry)
        version = await _announced(registry, caller)
        if mode == "presigned":
            uid = urlsplit(await registry.uploads.presign(caller, version)).path.rpartition("/")[2]
            put = partial(registry.uploads.put_signed, uid)
        else:
            uid = await registry.uploads.start_multipart(caller, version)
            put = partial(registry.uploads.put_part, uid, 1)
        began, go_on = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield CONTENT
            began.set()
            await go_on.wait()
            yield CONTENT

        first = asyncio.create_task(put(slowly(), None))
        await began.wait()
        with pytest.raises(Conflict, match="is being received"):
            await put(_of(OTHER), len(OTHER))
        go_on.set()
        tag = await first
        if mode == "multipart":
            await registry.uploads.complete(caller, version, uid, [Part(1, tag)])

        now = await registry.versions.get(caller, Kind.MODEL, "iris", "v1")
        assert await _read(registry, caller, now) == CONTENT * 2


async def test_a_part_that_broke_off_can_be_sent_again_at_once(sqlite_url: str, tmp_path: Path, clock: Clock) -> None:
    async with Registry.open(config(tmp_path, database=sqlite_url), clock=clock) as registry:
        caller = await add_caller(registry)
        uid = await registry.uploads.start_multipart(caller, await _announced(registry, caller))
        began = asyncio.Event()

        async def breaking_off() -> AsyncIterator[bytes]:
            yield CONTENT
            began.set()
            await asyncio.Event().wait()

        first = asyncio.create_task(registry.uploads.put_part(uid, 1, breaking_off(), None))
        await began.wait()
        again = asyncio.create_task(registry.uploads.put_part(uid, 1, _of(OTHER), len(OTHER)))
        await asyncio.sleep(0)
        first.cancel()

        assert await again
