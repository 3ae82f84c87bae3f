"""Queries about bytes: which object of the store has which digest, which are used, and which objects are to go.

Every use is marked in the transaction that makes it, on the blob's own row. So whoever collects and whoever pushes the
same digest meet there: one waits for the other, and then sees a row that is used, or none.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db.tables import blobs, removals, repositories, uploads, versions

_C = blobs.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes that were verified. `digest` is `sha256:<hex>`."""

    digest: str
    store_key: str
    size_bytes: int
    created_at: float
    kept_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """An object, or an upload to it in parts, that the store is to drop."""

    store_key: str
    store_upload_id: str = ""


async def find(connection: AsyncConnection, digest: str) -> Blob | None:
    """By its digest."""
    row = (await connection.execute(sa.select(blobs).where(_C.digest == digest))).one_or_none()
    return _blob(row) if row is not None else None


async def keep(connection: AsyncConnection, blob: Blob) -> Blob:
    """The blob of this digest, kept from now on: this one, or the one that there was before. Its row is locked."""
    write = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    added: Any = write(blobs).values(
        digest=blob.digest,
        store_key=blob.store_key,
        size_bytes=blob.size_bytes,
        created_at=blob.created_at,
        kept_until=blob.kept_until,
    )
    later = sa.case((added.excluded.kept_until > _C.kept_until, added.excluded.kept_until), else_=_C.kept_until)
    kept = added.on_conflict_do_update(index_elements=[_C.digest], set_={"kept_until": later}).returning(*blobs.c)
    return _blob((await connection.execute(kept)).one())


async def release(connection: AsyncConnection, digests: Sequence[str], until: float) -> None:
    """Keep these at least so long, whether or not anything uses them from now on."""
    await connection.execute(
        blobs.update().where(_C.digest.in_(digests), _C.kept_until < until).values(kept_until=until)
    )


async def take_unused(connection: AsyncConnection, now: float, count: int) -> int:
    """Forget blobs that nothing uses and whose time is over; their objects are noted as to be removed."""
    # A push that marks its use at the same moment holds the row; when it is done, the condition is looked at again.
    unused = sa.and_(_C.kept_until < now, ~sa.exists().where(versions.c.digest == _C.digest))
    some = sa.select(_C.digest).where(unused).limit(count)
    gone = blobs.delete().where(unused, _C.digest.in_(some.scalar_subquery())).returning(_C.store_key)
    keys = list(await connection.scalars(gone))
    await note_removals(connection, [Removal(store_key=key) for key in keys], now)
    return len(keys)


async def note_removals(connection: AsyncConnection, gone: Sequence[Removal], now: float) -> None:
    """Objects to remove, once this transaction is done; some may be noted already."""
    write = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    if gone:
        rows = [
            {"store_key": each.store_key, "store_upload_id": each.store_upload_id, "created_at": now} for each in gone
        ]
        await connection.execute(write(removals).on_conflict_do_nothing(), rows)


async def note_orphan(connection: AsyncConnection, key: str, now: float) -> None:
    """An object that came to be after nobody waited for it any more is to be removed, if nothing has it after all."""
    for column in (blobs.c.store_key, uploads.c.store_key, removals.c.store_key):
        if await connection.scalar(sa.select(column).where(column == key)) is not None:
            return
    await note_removals(connection, [Removal(store_key=key)], now)


async def pending_removals(connection: AsyncConnection, count: int) -> list[Removal]:
    """Objects that are to be removed, the longest noted first."""
    query = sa.select(removals).order_by(removals.c.created_at).limit(count)
    return [
        Removal(store_key=row.store_key, store_upload_id=row.store_upload_id) for row in await connection.execute(query)
    ]


async def has_object(connection: AsyncConnection, key: str) -> bool:
    """Whether a blob is in this object."""
    return await connection.scalar(sa.select(_C.digest).where(_C.store_key == key)) is not None


async def forget_removal(connection: AsyncConnection, key: str, *, was_blob: bool) -> None:
    """It is done. If only parts of a blob were removed, and the blob has gone meanwhile, there is more to do."""
    if not was_blob or await has_object(connection, key):
        await connection.execute(removals.delete().where(removals.c.store_key == key))


async def known_keys(connection: AsyncConnection) -> set[str]:
    """Every object that the registry knows of."""
    columns = (blobs.c.store_key, uploads.c.store_key, removals.c.store_key)
    return {key for column in columns for key in await connection.scalars(sa.select(column))}


async def every(connection: AsyncConnection) -> AsyncIterator[Blob]:
    """All blobs, in order of their digests."""
    rows = await connection.stream(sa.select(blobs).order_by(_C.digest))
    async for row in rows:
        yield _blob(row)


async def tags_with(connection: AsyncConnection, digest: str) -> tuple[str, ...]:
    """The versions that have these bytes: `model iris:v1`."""
    query = (
        sa.select(versions.c.kind, repositories.c.name, versions.c.version)
        .join(repositories, repositories.c.uid == versions.c.repository)
        .where(versions.c.digest == digest)
        .order_by(versions.c.uid)
    )
    return tuple(f"{kind} {name}:{version}" for kind, name, version in await connection.execute(query))


def _blob(row: sa.Row[Any]) -> Blob:
    return Blob(
        digest=row.digest,
        store_key=row.store_key,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
        kept_until=row.kept_until,
    )
