"""Uploads, in the three ways that clients know: through us, at an address that is signed for all of it, or in parts.

However bytes come, they gather in an object of their own, and become the version's when they are all there and their
digest is known. A kill at any moment leaves a version as it was, and an upload that expires.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from fairlead.errors import BadRequest, Conflict, FairleadError, NotFound, Retryable, StorageError
from fairlead.registry.addresses import ADDRESS_S, Addresses
from fairlead.registry.asking import require
from fairlead.registry.callers import Caller, Verb
from fairlead.registry.db.uploads import Upload
from fairlead.registry.settling import Settler, incoming_key, key_of
from fairlead.registry.uids import new_uid
from fairlead.registry.values import Mode, UploadStatus, Version
from fairlead.storage.blobs.store import BlobStore, Part
from fairlead.storage.blobs.streams import Digest, ahead, gathered

_LEASE_S = 300.0
"""An upload through us expires when its server has said nothing for so long."""
_ANNOUNCED_S = 900.0
_TURN_S = 5.0
_SIGNED_S = ADDRESS_S + 600.0
# Clients wait 60 s for an answer, and 10 GiB take longer to read than that from many stores.
_ANSWER_WITHIN_S = 40.0


class Uploads:
    """Every method asks whether its caller may. `close` ends what is under way."""

    def __init__(self, store: BlobStore, settler: Settler, addresses: Addresses, clock: Callable[[], float]) -> None:
        self._store = store
        self._settler = settler
        self._addresses = addresses
        self._clock = clock
        self._verifying: dict[str, asyncio.Task[Version]] = {}
        self._failing: set[asyncio.Task[None]] = set()
        self._receiving: dict[tuple[str, int], asyncio.Event] = {}

    async def start(self, caller: Caller, version: Version) -> Version:
        """The client has its archive and begins. Raises Conflict for what is immutable."""
        _may_push(caller, version)
        await self._settler.announce(caller, version, lease_s=_ANNOUNCED_S)
        return await self._settler.version(version.uid)

    async def receive(
        self, caller: Caller, version: Version, chunks: AsyncIterator[bytes], length: int | None = None
    ) -> Version:
        """All bytes, through us. When this returns they are the version's; when it raises, nothing is, and the version
        says why."""
        _may_push(caller, version)
        upload = await self._settler.begin(caller, version, Mode.PROXY, lease_s=_LEASE_S, size=length)
        return await self._take_in(upload, chunks, length, caller)

    async def presign(self, caller: Caller, version: Version) -> str:
        """An address to which all bytes may be PUT at once; `finish` follows. One of ours is only a path."""
        _may_push(caller, version)
        upload = await self._settler.begin(caller, version, Mode.PRESIGNED, lease_s=_SIGNED_S, size=None)
        signed = await self._store.sign_put(incoming_key(upload.uid), expires_s=ADDRESS_S)
        return signed or self._addresses.sign("PUT", f"uploads/{upload.uid}", expires_s=ADDRESS_S)

    async def start_multipart(self, caller: Caller, version: Version) -> str:
        """The id of a new upload in parts."""
        _may_push(caller, version)
        uid = new_uid(self._clock)
        store_upload_id = await self._store.parts.begin(key_of(uid))
        await self._settler.begin(
            caller, version, Mode.MULTIPART, lease_s=_SIGNED_S, size=None, store_upload_id=store_upload_id, uid=uid
        )
        return uid

    async def presign_part(self, caller: Caller, version: Version, upload_id: str, number: int) -> str:
        """An address to which one part may be PUT; one of ours is only a path."""
        _may_push(caller, version)
        upload = await self._of(version, upload_id)
        await self._settler.prolong(upload, _SIGNED_S)
        signed = await self._store.parts.sign(upload.store_key, upload.store_upload_id, number, expires_s=ADDRESS_S)
        return signed or self._addresses.sign("PUT", f"uploads/{upload.uid}/parts/{number}", expires_s=ADDRESS_S)

    async def complete(self, caller: Caller, version: Version, upload_id: str, parts: Sequence[Part]) -> Version:
        """Join the parts and verify them. A version that is not complete when this returns becomes so by itself: large
        ones take longer than clients wait."""
        _may_push(caller, version)
        try:
            upload = await self._of(version, upload_id)
        except NotFound:
            # Whoever asks again because the first answer was lost is told the same.
            if (now := await self._settler.version(version.uid)).is_complete:
                return now
            raise
        await self._store.parts.join(upload.store_key, upload.store_upload_id, parts)
        await self._settler.take_received(upload, _LEASE_S)
        return await self._verified(upload, caller)

    async def finish(self, caller: Caller, version: Version, status: UploadStatus, reason: str = "") -> Version:
        """The client says how its upload ended. Raises BadRequest if it says well and nothing is there."""
        _may_push(caller, version)
        under_way = await self._settler.under_way(version)
        if status is UploadStatus.SUCCESS:
            return await self._finish_well(caller, version, under_way)
        if status is not UploadStatus.FAILED:
            raise BadRequest(f"status {status}: an upload ends in success or failed")
        own = [upload for upload in under_way if upload.creator == caller.user.uid and upload.received_at is None]
        if own:
            await self._settler.failed(own[-1], reason, caller)
        else:
            await self._settler.gave_up(version, reason)
        return await self._settler.version(version.uid)

    async def put_signed(self, uid: str, chunks: AsyncIterator[bytes], length: int | None) -> str:
        """All bytes at an address of ours; the ETag. The version is complete when this returns."""
        async with self._turn(uid):
            upload, _ = await self._settler.find(uid)
            if upload.mode is not Mode.PRESIGNED:
                raise BadRequest(f"upload {uid} is {upload.mode}")
            return f'"{(await self._take_in(upload, chunks, length, None)).digest}"'

    async def put_part(self, uid: str, number: int, chunks: AsyncIterator[bytes], length: int | None) -> str:
        """One part at an address of ours; the ETag."""
        async with self._turn(uid, number):
            upload, _ = await self._settler.find(uid)
            if upload.mode is not Mode.MULTIPART:
                raise BadRequest(f"upload {uid} is {upload.mode}")
            await self._settler.prolong(upload, _SIGNED_S)
            async with ahead(gathered(_exactly(chunks, length))) as pieces:
                return await self._store.parts.receive(upload.store_key, upload.store_upload_id, number, pieces)

    async def resume(self, upload: Upload) -> None:
        """Verify what a server that is gone had received whole."""
        with contextlib.suppress(FairleadError):
            await self._verification(upload, None)

    async def close(self) -> None:
        """Write what failed, and stop verifying; whoever comes next goes on with that."""
        for task in self._verifying.values():
            task.cancel()
        await asyncio.gather(*self._failing, *self._verifying.values(), return_exceptions=True)

    async def _take_in(
        self, upload: Upload, chunks: AsyncIterator[bytes], length: int | None, caller: Caller | None
    ) -> Version:
        digest = Digest()
        try:
            async with self._held(upload), ahead(gathered(_exactly(chunks, length))) as pieces:
                size = await self._store.put(upload.store_key, digest.over(pieces), size=length)
            return await self._settler.stored(upload, str(digest), size, caller)
        except BaseException as error:
            await self._fail(upload, _why(error), caller)
            now = await self._settler.version(upload.version) if isinstance(error, NotFound) else None
            if now is not None and now.digest == str(digest):
                # Somebody who pushed the same at the same time was quicker.
                return now
            raise

    async def _fail(self, upload: Upload, reason: str, caller: Caller | None) -> None:
        """The client may be gone and this task cancelled for it; that the upload failed is written all the same."""
        writing = asyncio.create_task(self._settler.failed(upload, reason, caller))
        self._failing.add(writing)
        writing.add_done_callback(self._failing.discard)
        await asyncio.shield(writing)

    async def _finish_well(self, caller: Caller, version: Version, under_way: Sequence[Upload]) -> Version:
        """Of several uploads of a version each is taken by one of those who finish."""
        for upload in under_way:
            if await self._is_there(upload) and await self._settler.take_received(upload, _LEASE_S):
                return await self._verified(upload, caller)
        for upload in under_way:
            if upload.received_at is not None:
                return await self._verified(upload, caller)
        now = await self._settler.version(version.uid)
        if not now.is_complete:
            raise BadRequest(f"{version.kind} {version.tag}: nothing was uploaded")
        return now

    async def _is_there(self, upload: Upload) -> bool:
        is_open = upload.mode is Mode.PRESIGNED and upload.received_at is None
        return is_open and await self._store.size(incoming_key(upload.uid)) is not None

    async def _verified(self, upload: Upload, caller: Caller) -> Version:
        """The version, complete if that took no longer than a client waits."""
        task = self._verification(upload, caller)
        await asyncio.wait({task}, timeout=_ANSWER_WITHIN_S)
        return task.result() if task.done() else await self._settler.version(upload.version)

    def _verification(self, upload: Upload, caller: Caller | None) -> "asyncio.Task[Version]":
        """One per upload, whoever asks."""
        if upload.uid not in self._verifying:
            task = asyncio.create_task(self._verify(upload, caller))
            self._verifying[upload.uid] = task
            task.add_done_callback(partial(self._forget, upload.uid))
        return self._verifying[upload.uid]

    def _forget(self, uid: str, task: "asyncio.Task[Version]") -> None:
        self._verifying.pop(uid, None)
        if not task.cancelled():
            # Whoever waited has it; if nobody did any more, the version says why.
            task.exception()

    async def _verify(self, upload: Upload, caller: Caller | None) -> Version:
        digest = Digest()
        try:
            async with self._held(upload):
                await self._seal(upload)
                async with ahead(self._store.read(upload.store_key)) as pieces:
                    async for _ in digest.over(pieces):
                        pass
            done = await self._settler.stored(upload, str(digest), digest.size, caller)
            await self._clear(upload)
            return done
        except NotFound:
            # Another server that verifies the same was quicker.
            if (now := await self._settler.version(upload.version)).is_complete:
                return now
            raise
        except Retryable:
            # The bytes are all there: somebody tries again when the lease is over.
            raise
        except FairleadError as error:
            await self._settler.failed(upload, str(error), caller)
            raise

    async def _seal(self, upload: Upload) -> None:
        """Who has a signed address could put other bytes there after these were verified. So they are copied to where
        nobody else writes, and verified there."""
        if upload.mode is not Mode.PRESIGNED:
            return
        try:
            await self._store.copy(incoming_key(upload.uid), upload.store_key)
        except StorageError:
            # It is gone when another server has verified it; then so is the upload, which raises NotFound.
            await self._settler.find(upload.uid)
            raise

    async def _clear(self, upload: Upload) -> None:
        """What is left of it, or comes later, the collector finds."""
        if upload.mode is Mode.PRESIGNED:
            with contextlib.suppress(FairleadError):
                await self._store.delete(incoming_key(upload.uid))

    @contextlib.asynccontextmanager
    async def _held(self, upload: Upload) -> AsyncIterator[None]:
        """Prolong an upload for as long as the block runs."""

        async def prolong() -> None:
            while True:
                await asyncio.sleep(_LEASE_S / 5)
                with contextlib.suppress(Retryable):
                    await self._settler.prolong(upload, _LEASE_S)

        holding = asyncio.create_task(prolong())
        try:
            yield
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _turn(self, uid: str, number: int = 0) -> AsyncIterator[None]:
        """One request at a time for one address: bytes of two would gather in the same file, and those of the slower
        one come after what the other's digest was made of. Who sends again what broke off waits for its end."""
        key = uid, number
        if (other := self._receiving.get(key)) is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(other.wait(), _TURN_S)
        if key in self._receiving:
            raise Conflict(f"upload {uid} is being received already")
        done = self._receiving[key] = asyncio.Event()
        try:
            yield
        finally:
            del self._receiving[key]
            done.set()

    async def _of(self, version: Version, upload_id: str) -> Upload:
        upload, of = await self._settler.find(upload_id)
        if of.uid != version.uid or upload.mode is not Mode.MULTIPART:
            raise NotFound(f"upload {upload_id} of {version.tag}: record not found")
        return upload


def _may_push(caller: Caller, version: Version) -> None:
    require(caller, Verb.UPDATE, version.kind, version.tag)


async def _exactly(chunks: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """The same bytes. Raises BadRequest when there are more or fewer than were announced."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if length is not None and size > length:
            break
        yield chunk
    if length is not None and size != length:
        more = "more than" if size > length else f"{size} of"
        raise BadRequest(f"the upload was interrupted: {more} the announced {length} bytes came")


def _why(error: BaseException) -> str:
    """What a version says of a failed upload."""
    if isinstance(error, FairleadError):
        return str(error)
    if isinstance(error, asyncio.CancelledError):
        return "the upload was interrupted"
    return f"the upload was interrupted: {type(error).__name__}"
