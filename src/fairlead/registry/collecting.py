"""What goes by itself: uploads that nobody goes on with, versions that rules outlived, and bytes that nothing uses.

Every step may be cut short and done again, by this process or another: rows say what is to go, and are gone only when
it is. Several servers may do all of it at once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fairlead.errors import FairleadError
from fairlead.registry.addresses import ADDRESS_S
from fairlead.registry.db import aliases, blobs, repositories, uploads, versions
from fairlead.registry.db.engine import Database
from fairlead.registry.removals import Remover, needed
from fairlead.registry.retention import outlived
from fairlead.registry.settling import INCOMING, Settler
from fairlead.registry.uploads import Uploads
from fairlead.registry.usage import tag_of
from fairlead.registry.values import Repository, Rules
from fairlead.storage.blobs.store import BlobStore

_log = logging.getLogger("fairlead.registry")
_AT_ONCE = 500
_SWEEP_EVERY_S = 60.0
_RETAIN_EVERY = 60
"""How many sweeps until rules are looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was removed."""

    uploads: int
    blobs: int


class Collector:
    """Collects for one registry; `running` for as long as somebody serves it."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        settler: Settler,
        uploading: Uploads,
        remover: Remover,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._store = store
        self._settler = settler
        self._uploading = uploading
        self._remover = remover
        self._clock = clock

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Collect for as long as the block runs."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self) -> None:
        """Sweep every minute, and look at rules every hour."""
        turn = 0
        while True:
            try:
                if turn % _RETAIN_EVERY == 0:
                    await self.retain()
                    await self.clear_incoming()
                await self.sweep()
            except FairleadError as error:
                _log.warning("nothing was collected: %s", error)
            except Exception:
                _log.exception("nothing was collected")
            turn += 1
            await asyncio.sleep(_SWEEP_EVERY_S)

    async def sweep(self) -> Collected:
        """Give up uploads that have expired, forget unused bytes, and remove what was forgotten from the store."""
        given_up = await self._give_up()
        while True:
            async with self._database.begin() as connection:
                if not await blobs.take_unused(connection, self._clock(), _AT_ONCE):
                    break
        return Collected(uploads=given_up, blobs=await self._remove())

    async def retain(self) -> int:
        """Remove what rules have outlived; how many versions that were."""
        async with self._database.read() as connection:
            ruled = [found for found in await repositories.all_of(connection) if _has_limits(found.rules)]
        return sum([await self._retain(repository) for repository in ruled])

    async def clear_incoming(self) -> int:
        """Remove what came to signed addresses and belongs to no upload; how much that was. Nobody can write to those
        any more, and what is being verified was copied."""
        removed = 0
        async for found in self._store.list(INCOMING):
            if found.modified_at + 2 * ADDRESS_S < self._clock() and not await self._is_under_way(found.key):
                await self._store.delete(found.key)
                removed += 1
        return removed

    async def _is_under_way(self, key: str) -> bool:
        async with self._database.read() as connection:
            return await uploads.find(connection, key.removeprefix(f"{INCOMING}/")) is not None

    async def _retain(self, repository: Repository) -> int:
        runs = await self._remover.deployed(repository.organization)
        async with self._database.begin() as connection:
            # The lock keeps an alias from being given meanwhile.
            found = await repositories.find(
                connection, repository.organization, repository.kind, repository.name, is_locked=True
            )
            if found is None:
                return 0
            listed = await versions.in_repository(connection, found.uid)
            aliased = {
                alias.version for alias in (await aliases.of_repositories(connection, [found.uid])).get(found.uid, [])
            }
            linked = await needed(connection, found)
            kept = {
                version.uid
                for version in listed
                if version.version in aliased or version.version in linked or runs.get(tag_of(version))
            }
            gone = outlived(listed, found.rules, kept=kept, now=self._clock())
            await self._remover.drop(connection, gone)
        if gone:
            _log.info("removed %s of %s %s by its rules", len(gone), found.kind, found.name)
        return len(gone)

    async def _give_up(self) -> int:
        async with self._database.read() as connection:
            expired = await uploads.expired(connection, self._clock(), _AT_ONCE)
        for upload in expired:
            if upload.received_at is not None:
                await self._uploading.resume(upload)
            else:
                await self._settler.failed(upload, "the upload was abandoned")
        return len(expired)

    async def _remove(self) -> int:
        """Objects first and their rows after, so that one whose removal was cut short is removed again."""
        removed = 0
        while True:
            async with self._database.read() as connection:
                pending = await blobs.pending_removals(connection, _AT_ONCE)
            for gone in pending:
                await self._remove_one(gone)
            removed += len(pending)
            if len(pending) < _AT_ONCE:
                return removed

    async def _remove_one(self, gone: blobs.Removal) -> None:
        """Parts, and the object unless it became a blob: its parts alone are left over then."""
        async with self._database.read() as connection:
            is_blob = await blobs.has_object(connection, gone.store_key)
        if gone.store_upload_id:
            await self._store.parts.drop(gone.store_key, gone.store_upload_id)
        if not is_blob:
            await self._store.delete(gone.store_key)
        async with self._database.begin() as connection:
            await blobs.forget_removal(connection, gone.store_key, was_blob=is_blob)


def _has_limits(rules: Rules) -> bool:
    return rules.keep_last is not None or rules.max_age_days is not None
