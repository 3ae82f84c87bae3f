"""Lists of a hundred thousand versions: one page reads one page, from an index, in both databases."""

import time

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.callers import Caller
from fairlead.registry.db import versions
from fairlead.registry.db.tables import metadata
from fairlead.registry.listing import parse
from fairlead.registry.service import Registry
from fairlead.registry.values import Kind

pytestmark = pytest.mark.anyio

COUNT = 100_000
INDEXES = ("ix_versions_repository_build_at_uid", "ix_versions_organization_kind_build_at_uid")


async def _fill(registry: Registry, caller: Caller) -> str:
    """A repository with that many versions, made inside the database."""
    repository = await registry.repositories.create(caller, Kind.MODEL, "iris")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {COUNT})"
    columns = "uid, created_at, updated_at, repository, organization, kind, version, build_at, upload_status, manifest"
    rows = "'u' || i, i, i, :repository, :organization, 'model', 'v' || i, i % 5000, 'success', '{}'"
    statement = f"INSERT INTO versions ({columns}) {numbers} SELECT {rows} FROM n"
    async with registry.database.begin() as connection:
        values = {"repository": repository.uid, "organization": caller.organization.uid}
        await connection.execute(sa.text(statement), values)
        await connection.execute(sa.text("ANALYZE"))
    return repository.uid


async def _plan(connection: AsyncConnection, statement: sa.Select[str]) -> str:
    word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    written = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    return "\n".join(str(tuple(row)) for row in await connection.exec_driver_sql(f"{word} {written}"))


@pytest.mark.slow(4)
async def test_a_page_of_many_is_read_from_an_index(registry: Registry, caller: Caller) -> None:
    repository = await _fill(registry, caller)
    scopes = ({"repository": repository}, {"organization": caller.organization.uid})

    async with registry.database.read() as connection:
        plans = [
            await _plan(connection, versions.page_of_uids(scope, Kind.MODEL, parse(start=50_000, count=20)))
            for scope in scopes
        ]
    began = time.process_time()
    page = await registry.versions.list(caller, Kind.MODEL, parse(start=50_000, count=20), repository="iris")
    first = await registry.versions.list(caller, Kind.MODEL, parse(count=20))
    spent_s = time.process_time() - began

    for plan, index in zip(plans, INDEXES, strict=True):
        assert index in plan
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan
    assert (page.total, len(page.items), first.total, first.items[0].build_at) == (COUNT, 20, COUNT, 4999.0)
    assert spent_s < 1.0


def test_every_foreign_key_that_removal_follows_has_an_index() -> None:
    """Removing a version looks for what refers to it; without an index each of those tables would be read whole."""
    followed = {"versions.uid", "repositories.uid", "blobs.digest"}
    found = [
        f"{table.name}.{key.parent.name}"
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.target_fullname in followed and not _leads_an_index(table, key.parent)
    ]

    assert found == []


def _leads_an_index(table: sa.Table, column: sa.Column[object]) -> bool:
    unique = [each for each in table.constraints if isinstance(each, sa.PrimaryKeyConstraint | sa.UniqueConstraint)]
    return any(next(iter(each.columns)).name == column.name for each in (*table.indexes, *unique))
