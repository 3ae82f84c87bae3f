"""The transactions in which an upload begins and ends. Each is one step of a push that is done whole or not at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fairlead.errors import NotFound
from fairlead.registry.accounts.auditing import FAILED, Auditor
from fairlead.registry.callers import Caller
from fairlead.registry.db import blobs, removing, repositories, uploads, versions
from fairlead.registry.db.blobs import Blob, Removal
from fairlead.registry.db.engine import Database
from fairlead.registry.db.uploads import Upload
from fairlead.registry.quotas import Quota
from fairlead.registry.uids import new_uid
from fairlead.registry.upload_states import Happening, after, refuse_replacing
from fairlead.registry.values import Mode, Version

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

INCOMING = "incoming"
"""The store's folder of objects that clients may still write."""
_LONGEST_REASON = 2000


class Settler:
    """Begins uploads, and settles them: with bytes that were verified, or without."""

    def __init__(self, database: Database, clock: Callable[[], float], *, grace_s: float) -> None:
        self._database = database
        self._clock = clock
        self._grace_s = grace_s
        self._auditor = Auditor(clock)

    async def begin(
        self,
        caller: Caller,
        version: Version,
        mode: Mode,
        *,
        lease_s: float,
        size: int | None,
        store_upload_id: str = "",
        uid: str = "",
    ) -> Upload:
        """A new upload, which expires unless it is prolonged. Raises Conflict for what is immutable, Forbidden for more
        than the quota allows."""
        now = self._clock()
        name = uid or new_uid(self._clock)
        upload = Upload(
            uid=name,
            version=version.uid,
            mode=mode,
            store_key=key_of(name),
            store_upload_id=store_upload_id,
            creator=caller.user.uid,
            created_at=now,
            expires_at=now + lease_s,
        )
        async with self._database.begin() as connection:
            found = await self._locked(connection, version.uid)
            await self._refuse(connection, found, size=size)
            if mode is not Mode.ANNOUNCED:
                await self._take_announcement(connection, found, caller.user.uid)
            await uploads.insert(connection, upload)
            # An address that somebody asked for is not yet an upload.
            if mode is not Mode.PRESIGNED:
                await self._show_started(connection, found)
        return upload

    async def announce(self, caller: Caller, version: Version, *, lease_s: float) -> None:
        """Somebody begins to upload, in a way that is known already or will be."""
        async with self._database.begin() as connection:
            found = await self._locked(connection, version.uid)
            await self._refuse(connection, found, size=None)
            under_way = await uploads.of_version(connection, version.uid)
            await self._show_started(connection, found)
        if not any(upload.creator == caller.user.uid for upload in under_way):
            await self.begin(caller, version, Mode.ANNOUNCED, lease_s=lease_s, size=None)

    async def stored(self, upload: Upload, digest: str, size: int, caller: Caller | None = None) -> Version:
        """The bytes of an upload are verified, and from now on the version's. Raises NotFound for an upload that was
        settled already or given up; its bytes are forgotten then."""
        now = self._clock()
        async with self._database.begin() as connection:
            found = await self._locked(connection, upload.version)
            if await uploads.find(connection, upload.uid, is_locked=True) is None:
                raise NotFound(f"upload {upload.uid} of {found.tag} is no longer under way")
            await self._refuse(connection, found, size=size, digest=digest)
            blob = Blob(digest=digest, store_key=upload.store_key, size_bytes=size, created_at=now, kept_until=now)
            kept = await blobs.keep(connection, blob)
            if kept.store_key != upload.store_key or upload.store_upload_id:
                left = Removal(store_key=upload.store_key, store_upload_id=upload.store_upload_id)
                await blobs.note_removals(connection, [left], now)
            changed = await self._replace(connection, found, digest, size)
            await uploads.delete(connection, [upload.uid])
            if caller is not None:
                await self._auditor.record(connection, caller, "pushed", found.kind, uid=found.uid, name=found.tag)
        return changed

    async def failed(self, upload: Upload, reason: str, caller: Caller | None = None) -> None:
        """An upload came to nothing; what it stored is noted as to be removed. Settled ones stay as they are."""
        now = self._clock()
        async with self._database.begin() as connection:
            found = await versions.find_uid(connection, upload.version, is_locked=True)
            if found is None or await uploads.find(connection, upload.uid, is_locked=True) is None:
                await blobs.note_orphan(connection, upload.store_key, now)
                return
            await removing.drop_uploads(connection, [upload], now=now)
            await self._show_failed(connection, found, reason)
            if caller is not None:
                info = {"reason": reason[:_LONGEST_REASON]}
                await self._auditor.record(
                    connection, caller, "pushed", found.kind, uid=found.uid, name=found.tag, status=FAILED, info=info
                )

    async def gave_up(self, version: Version, reason: str) -> None:
        """Whoever announced an upload says that nothing will come of it."""
        async with self._database.begin() as connection:
            await self._show_failed(connection, await self._locked(connection, version.uid), reason)

    async def under_way(self, version: Version) -> list[Upload]:
        """The uploads of a version, the oldest first."""
        async with self._database.read() as connection:
            return await uploads.of_version(connection, version.uid)

    async def prolong(self, upload: Upload, lease_s: float) -> bool:
        """Whether it is still under way; then it does not expire for so long."""
        async with self._database.begin() as connection:
            return await uploads.prolong(connection, upload.uid, self._clock() + lease_s)

    async def take_received(self, upload: Upload, lease_s: float) -> bool:
        """All bytes of it are in the store, and whoever is told so first verifies them."""
        now = self._clock()
        async with self._database.begin() as connection:
            return await uploads.take_received(connection, upload.uid, now, now + lease_s)

    async def find(self, uid: str) -> tuple[Upload, Version]:
        """An upload under way and its version. Raises NotFound."""
        async with self._database.read() as connection:
            upload = await uploads.find(connection, uid)
            version = await versions.find_uid(connection, upload.version) if upload is not None else None
        if upload is None or version is None:
            raise NotFound(f"upload {uid}: record not found")
        return upload, version

    async def version(self, uid: str) -> Version:
        """As it is now. Raises NotFound."""
        async with self._database.read() as connection:
            found = await versions.find_uid(connection, uid)
        if found is None:
            raise NotFound("the version is gone: record not found")
        return found

    async def _locked(self, connection: "AsyncConnection", uid: str) -> Version:
        found = await versions.find_uid(connection, uid, is_locked=True)
        if found is None:
            raise NotFound("the version is gone: record not found")
        return found

    async def _refuse(
        self, connection: "AsyncConnection", version: Version, *, size: int | None, digest: str = ""
    ) -> None:
        holder = (await repositories.get(connection, [version.repository]))[version.repository]
        refuse_replacing(version, holder.rules, digest=digest)
        quota = Quota.read(await versions.lock_organization(connection, version.organization))
        if quota.size_bytes is not None and size is not None:
            _, held = await versions.held(connection, version.organization, without=version.uid)
            quota.refuse_size(held + size)

    async def _take_announcement(self, connection: "AsyncConnection", version: Version, creator: str) -> None:
        """This upload is the one that its client announced."""
        for upload in await uploads.of_version(connection, version.uid):
            if upload.mode is Mode.ANNOUNCED and upload.creator == creator:
                await uploads.delete(connection, [upload.uid])
                return

    async def _show_started(self, connection: "AsyncConnection", version: Version) -> None:
        now = self._clock()
        status = after(version.upload_status, Happening.STARTED, others=0)
        shown = replace(version, upload_status=status, upload_started_at=now, updated_at=now, upload_finished_reason="")
        await versions.change(connection, shown)

    async def _show_failed(self, connection: "AsyncConnection", version: Version, reason: str) -> None:
        now = self._clock()
        others = len(await uploads.of_version(connection, version.uid))
        status = after(version.upload_status, Happening.FAILED, others=others)
        said = reason[:_LONGEST_REASON]
        shown = replace(
            version, upload_status=status, upload_finished_at=now, updated_at=now, upload_finished_reason=said
        )
        await versions.change(connection, shown)

    async def _replace(self, connection: "AsyncConnection", version: Version, digest: str, size: int) -> Version:
        now = self._clock()
        changed = replace(
            version,
            updated_at=now,
            upload_status=after(version.upload_status, Happening.STORED, others=0),
            upload_finished_at=now,
            upload_finished_reason="",
            digest=digest,
            size_bytes=size,
        )
        await versions.change(connection, changed)
        if version.digest and version.digest != digest:
            await blobs.release(connection, [version.digest], now + self._grace_s)
        return changed


def key_of(uid: str) -> str:
    """Where an upload's bytes gather, and stay once they are a version's: uids are never given twice."""
    return f"blobs/{uid[-2:]}/{uid}"


def incoming_key(uid: str) -> str:
    """Where a client puts all of an upload's bytes that has an address which the store signed."""
    return f"{INCOMING}/{uid}"
