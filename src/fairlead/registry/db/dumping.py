"""All rows as lines of JSON, and back: the same for SQLite and PostgreSQL, so that either can be restored into either.

What is under way is left out: an upload does not outlive the server that its bytes go through.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db.batches import batches
from fairlead.registry.db.tables import metadata

_LEFT_OUT = frozenset({"uploads", "removals"})
TABLES = tuple(table.name for table in metadata.sorted_tables if table.name not in _LEFT_OUT)
"""Those of a dump, each after those that it refers to."""
_AT_ONCE = 500


async def lines(connection: AsyncConnection, table: str) -> AsyncIterator[str]:
    """The rows of a table, in the order of its key."""
    found = metadata.tables[table]
    async for row in await connection.stream(sa.select(found).order_by(*found.primary_key.columns)):
        yield json.dumps(dict(row._mapping), ensure_ascii=False)


async def is_empty(connection: AsyncConnection) -> bool:
    """Whether there is nothing that a restored row could meet."""
    for table in TABLES:
        if await connection.scalar(sa.select(sa.literal(1)).select_from(metadata.tables[table]).limit(1)):
            return False
    return True


async def load(connection: AsyncConnection, table: str, rows: Iterable[str]) -> int:
    """Add rows as they were dumped, into a schema that may be older than the tables here know; how many."""
    count = 0
    for some in _by_size(json.loads(row) for row in rows):
        columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in some[0]]
        await connection.execute(sa.table(table, *columns).insert(), some)
        count += len(some)
    return count


async def settle(connection: AsyncConnection) -> None:
    """What was being uploaded when the dump was made is not any more."""
    versions = metadata.tables["versions"]
    under_way = versions.update().where(versions.c.upload_status == "uploading")
    values = {"upload_status": "failed", "upload_finished_reason": "the upload was under way when a backup was made"}
    await connection.execute(under_way.values(values))


def _by_size(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for batch in batches(rows):
        for start in range(0, len(batch), _AT_ONCE):
            yield batch[start : start + _AT_ONCE]
