"""Removing versions with all that hangs on them, in the caller's transaction."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db import blobs, uploads, versions
from fairlead.registry.db.batches import batches
from fairlead.registry.db.blobs import Removal
from fairlead.registry.values import Version


async def remove_versions(connection: AsyncConnection, gone: Sequence[Version], *, now: float, grace_s: float) -> None:
    """Their rows go, and uploads under way with them. Their bytes stay for `grace_s`: somebody may be reading them, or
    have an address that was signed for them."""
    for some in batches(gone):
        under_way = await uploads.of_versions(connection, [version.uid for version in some])
        await drop_uploads(connection, under_way, now=now)
        await versions.delete(connection, some[0].kind, [version.uid for version in some])
        await blobs.release(connection, [version.digest for version in some if version.digest], now + grace_s)


async def drop_uploads(connection: AsyncConnection, gone: Sequence[uploads.Upload], *, now: float) -> None:
    """Their rows go, and what they have stored is noted as to be removed."""
    await uploads.delete(connection, [upload.uid for upload in gone])
    removals = [Removal(store_key=each.store_key, store_upload_id=each.store_upload_id) for each in gone]
    await blobs.note_removals(connection, removals, now)
