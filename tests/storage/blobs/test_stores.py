"""What every store of blobs promises, held by a folder and by a bucket of a real S3 server."""

import hashlib
import random
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from fairlead.errors import BadRequest, ConfigError, StorageError
from fairlead.storage.blobs.folder import FolderStore
from fairlead.storage.blobs.opening import open_store
from fairlead.storage.blobs.store import BlobStore, Part
from fairlead.storage.blobs.streams import Digest, ahead, gathered
from support.s3 import S3Server, s3_server

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
KEY = "blobs/ab/upload1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    root = tmp_path_factory.mktemp("s3")
    (root / "bucket").mkdir()
    with s3_server(root, is_alone=True) as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    if request.param == "folder":
        opened = open_store((tmp_path / "blobs").as_uri(), {})
    else:
        server: S3Server = request.getfixturevalue("server")
        opened = open_store(f"s3://bucket/{tmp_path.name}", server.env())
    yield opened
    await opened.close()


async def _of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _read(store: BlobStore, key: str = KEY, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read(key, start=start, end=end)])


async def _keys(store: BlobStore, folder: str = "") -> list[str]:
    return sorted([found.key async for found in store.list(folder)])


@pytest.mark.parametrize("knows_size", [True, False])
async def test_what_is_put_comes_back(store: BlobStore, knows_size: bool) -> None:
    content = random.Random(knows_size).randbytes(12_800_000)

    written = await store.put(KEY, _of(content[:7], content[7:]), size=len(content) if knows_size else None)

    assert written == len(content) == await store.size(KEY)
    assert await _read(store) == content
    assert await _read(store, start=5, end=9) == content[5:9]
    assert await _read(store, start=9, end=12_000_000) == content[9:12_000_000]
    assert await _read(store, start=len(content) - 3) == content[-3:]
    assert await _keys(store) == [KEY]
    assert await _keys(store, "blobs/ab") == [KEY]
    assert await _keys(store, "blobs/a") == []


async def test_nothing_is_a_blob_too(store: BlobStore) -> None:
    assert await store.put(KEY, _of(), size=0) == 0
    assert await store.size(KEY) == 0
    assert await _read(store) == b""


async def test_what_ends_early_leaves_nothing(store: BlobStore) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * (20 * MIB)
        raise BadRequest("the client hung up")

    with pytest.raises(BadRequest, match="hung up"):
        await store.put(KEY, breaking(), size=40 * MIB)

    assert await store.size(KEY) is None
    assert await _keys(store) == []


async def test_a_cancelled_put_leaves_nothing(store: BlobStore) -> None:
    started = anyio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        started.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.put, KEY, endless())
        await started.wait()
        tasks.cancel_scope.cancel()

    assert await store.size(KEY) is None


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: BlobStore) -> None:
    await store.put(KEY, _of(b"content"))

    await store.delete(KEY)
    await store.delete(KEY)

    assert await store.size(KEY) is None
    assert await _keys(store) == []
    with pytest.raises(StorageError, match=KEY):
        await _read(store)


async def test_a_copy_stays_when_what_it_was_made_of_goes(store: BlobStore) -> None:
    await store.put("incoming/one", _of(b"first"))
    await store.copy("incoming/one", "blobs/one")
    await store.put("incoming/one", _of(b"second"))
    assert await _read(store, "blobs/one") == b"first"

    await store.copy("incoming/one", "blobs/one")
    await store.delete("incoming/one")
    assert await _read(store, "blobs/one") == b"second"
    with pytest.raises(StorageError, match="there is no blob incoming/one"):
        await store.copy("incoming/one", "blobs/two")
    assert await store.size("blobs/two") is None


async def test_a_file_is_given_where_blobs_are_files(store: BlobStore) -> None:
    await store.put("a/b", _of(b"content"))

    file = await store.open("a/b")
    if isinstance(store, FolderStore):
        assert file is not None
        with file:
            assert file.read() == b"content"
        with pytest.raises(StorageError, match="there is no blob a/c"):
            await store.open("a/c")
    else:
        assert file is None


async def test_keys_lead_nowhere_else(store: BlobStore) -> None:
    for key in ("../x", "/etc/passwd", "a//b", "a/../b", "", "a/.", "a\nb"):
        with pytest.raises(StorageError, match="cannot be the key"):
            await store.put(key, _of(b""))


async def _upload_part(store: BlobStore, upload: str, number: int, content: bytes) -> Part:
    address = await store.parts.sign(KEY, upload, number, expires_s=60)
    if not address:
        return Part(number, await store.parts.receive(KEY, upload, number, _of(content)))
    request = urllib.request.Request(address, data=content, method="PUT")
    answer = await anyio.to_thread.run_sync(lambda: urllib.request.urlopen(request))
    with answer:
        assert answer.status == 200
        return Part(number, answer.headers["ETag"])


async def test_parts_come_in_any_order_and_again(store: BlobStore) -> None:
    content = [b"a" * (5 * MIB), b"b" * (5 * MIB), b"c"]
    upload = await store.parts.begin(KEY)
    parts = [await _upload_part(store, upload, number, content[number - 1]) for number in (2, 3, 1, 2)]
    assert await store.size(KEY) is None

    await store.parts.join(KEY, upload, parts[1:])
    await store.parts.join(KEY, upload, parts[1:])

    assert await _read(store) == b"".join(content)
    assert parts[1].etag == f'"{hashlib.md5(content[2], usedforsecurity=False).hexdigest()}"'
    await store.parts.drop(KEY, upload)
    assert await _keys(store) == [KEY]


async def test_parts_that_are_not_there_cannot_be_joined(store: BlobStore) -> None:
    upload = await store.parts.begin(KEY)
    await _upload_part(store, upload, 1, b"content")

    for parts in ([], [Part(1, '"00000000000000000000000000000000"')]):
        with pytest.raises(BadRequest, match="part"):
            await store.parts.join(KEY, upload, parts)

    assert await store.size(KEY) is None
    await store.parts.drop(KEY, upload)
    await store.parts.drop(KEY, upload)
    assert await _keys(store) == []


async def test_a_folder_takes_the_last_of_two_parts_and_misses_none(tmp_path: Path) -> None:
    """Rules that the S3 server at hand cannot follow: it has passed a part on before the next one comes."""
    store = open_store((tmp_path / "blobs").as_uri(), {})
    upload = await store.parts.begin(KEY)
    old = await _upload_part(store, upload, 1, b"old")
    new = await _upload_part(store, upload, 1, b"new")

    for parts in ([old], [new, Part(2, new.etag)], [new, new]):
        with pytest.raises(BadRequest, match="part"):
            await store.parts.join(KEY, upload, parts)
    with pytest.raises(BadRequest, match="numbered from 1"):
        await _upload_part(store, upload, 0, b"content")
    await store.parts.join(KEY, upload, [new])

    assert await _read(store) == b"new"


async def test_signed_addresses_take_and_give_a_blob_without_a_credential(store: BlobStore) -> None:
    put = await store.sign_put(KEY, expires_s=60)
    get = await store.sign_get(KEY, expires_s=60)
    if not store.name.startswith("http"):
        assert (put, get) == ("", "")
        return

    def both() -> bytes:
        request = urllib.request.Request(put, data=b"content", method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(get) as answer:
            return bytes(answer.read())

    assert await anyio.to_thread.run_sync(both) == b"content"
    with pytest.raises(urllib.error.HTTPError) as refused:
        await anyio.to_thread.run_sync(lambda: urllib.request.urlopen(get.partition("?")[0]))
    refused.value.close()


async def test_a_digest_is_computed_beside_the_writing(store: BlobStore) -> None:
    content = bytes(range(256)) * 10_000
    crumbs = (content[at : at + 65_536] for at in range(0, len(content), 65_536))
    digest = Digest()

    async with ahead(gathered(_of(*crumbs))) as chunks:
        await store.put(KEY, digest.over(chunks))

    assert str(digest) == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert digest.size == len(content)
    assert await _read(store) == content


async def test_a_stream_read_ahead_ends_as_it_does() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"first"
        raise BadRequest("the client hung up")

    async with ahead(breaking()) as chunks:
        assert await anext(chunks) == b"first"
        with pytest.raises(BadRequest, match="hung up"):
            await anext(chunks)


@pytest.mark.parametrize("url", ["https://host/x", "relative/folder", "hf://a/b", "nosuch:bucket/x", "s3://"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="the registry's store cannot be used"):
        open_store(url, {})


async def test_a_wrong_secret_is_told_and_not_shown(server: S3Server) -> None:
    store = open_store("s3://bucket/x", server.env(SECRET_ACCESS_KEY="wrong-secret"))

    with pytest.raises(StorageError) as refused:
        await store.put(KEY, _of(b"content"))

    assert "wrong-secret" not in str(refused.value)
    await store.close()
