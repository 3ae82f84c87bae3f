"""Queries about uploads under way. A row is there before the first byte is stored, so no object is ever unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db.tables import uploads
from fairlead.registry.values import Mode

_C = uploads.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One attempt to bring a version's bytes. With `received_at` they are all there, and not yet verified."""

    uid: str
    version: str
    mode: Mode
    store_key: str
    store_upload_id: str = ""
    creator: str = ""
    created_at: float
    expires_at: float
    received_at: float | None = None


async def insert(connection: AsyncConnection, upload: Upload) -> None:
    values = {name: getattr(upload, name) for name in upload.__slots__}
    await connection.execute(uploads.insert().values({**values, "creator": upload.creator or None}))


async def find(connection: AsyncConnection, uid: str, *, is_locked: bool = False) -> Upload | None:
    query = sa.select(uploads).where(_C.uid == uid)
    row = (await connection.execute(query.with_for_update() if is_locked else query)).one_or_none()
    return _upload(row) if row is not None else None


async def of_version(connection: AsyncConnection, version: str) -> list[Upload]:
    """All that are under way for a version, the oldest first."""
    return await _all(connection, _C.version == version)


async def of_versions(connection: AsyncConnection, versions: Sequence[str]) -> list[Upload]:
    return await _all(connection, _C.version.in_(versions))


async def expired(connection: AsyncConnection, now: float, count: int) -> list[Upload]:
    """Those that nobody has gone on with for too long."""
    rows = await connection.execute(sa.select(uploads).where(_C.expires_at < now).order_by(_C.expires_at).limit(count))
    return [_upload(row) for row in rows]


async def prolong(connection: AsyncConnection, uid: str, until: float) -> bool:
    """Whether it is still under way; if it is, it does not expire before `until`."""
    return bool((await connection.execute(uploads.update().where(_C.uid == uid).values(expires_at=until))).rowcount)


async def take_received(connection: AsyncConnection, uid: str, now: float, until: float) -> bool:
    """All of its bytes are there. Whether nobody has said so before."""
    mine = uploads.update().where(_C.uid == uid, _C.received_at.is_(None))
    return bool((await connection.execute(mine.values(received_at=now, expires_at=until))).rowcount)


async def delete(connection: AsyncConnection, uids: Sequence[str]) -> int:
    """How many of these there were."""
    return (await connection.execute(uploads.delete().where(_C.uid.in_(uids)))).rowcount


async def _all(connection: AsyncConnection, where: sa.ColumnElement[bool]) -> list[Upload]:
    return [_upload(row) for row in await connection.execute(sa.select(uploads).where(where).order_by(_C.uid))]


def _upload(row: sa.Row[Any]) -> Upload:
    return Upload(
        uid=row.uid,
        version=row.version,
        mode=Mode(row.mode),
        store_key=row.store_key,
        store_upload_id=row.store_upload_id,
        creator=row.creator or "",
        created_at=row.created_at,
        expires_at=row.expires_at,
        received_at=row.received_at,
    )
