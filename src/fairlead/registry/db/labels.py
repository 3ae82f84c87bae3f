"""Queries about labels, which everything in the registry can have, in the order in which they were given."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db.batches import batches
from fairlead.registry.db.tables import labels
from fairlead.registry.values import Label, LabelFilter


async def of(connection: AsyncConnection, resource_type: str, resources: Iterable[str]) -> dict[str, tuple[Label, ...]]:
    """The labels of these resources, by uid; of those that have any."""
    found: dict[str, list[Label]] = {}
    for some in batches(resources):
        query = sa.select(labels.c.resource, labels.c.key, labels.c.value).where(
            labels.c.resource_type == resource_type, labels.c.resource.in_(some)
        )
        for resource, key, value in await connection.execute(query.order_by(labels.c.resource, labels.c.position)):
            found.setdefault(resource, []).append(Label(key, value))
    return {resource: tuple(some) for resource, some in found.items()}


async def put(
    connection: AsyncConnection, organization: str, resource_type: str, resource: str, given: Sequence[Label]
) -> None:
    """Give a resource these labels in place of those it has. Of two with the same key the later counts."""
    await remove(connection, resource_type, [resource])
    values = {label.key: label.value for label in given}
    rows = [
        {
            "resource_type": resource_type,
            "resource": resource,
            "organization": organization,
            "key": key,
            "value": value,
            "position": position,
        }
        for position, (key, value) in enumerate(values.items())
    ]
    if rows:
        await connection.execute(labels.insert(), rows)


async def remove(connection: AsyncConnection, resource_type: str, resources: Iterable[str]) -> None:
    """Labels refer to resources of many tables, so no foreign key takes them along."""
    for some in batches(resources):
        await connection.execute(
            labels.delete().where(labels.c.resource_type == resource_type, labels.c.resource.in_(some))
        )


async def values(connection: AsyncConnection, organization: str, resource_type: str = "") -> dict[str, list[str]]:
    """Every key with its values, in order; of one type of resource, or of all."""
    query = sa.select(labels.c.key, labels.c.value).where(labels.c.organization == organization).distinct()
    if resource_type:
        query = query.where(labels.c.resource_type == resource_type)
    found: dict[str, list[str]] = {}
    for key, value in sorted((row[0], row[1]) for row in await connection.execute(query)):
        found.setdefault(key, []).append(value)
    return found


def condition(wanted: LabelFilter, resource_type: str, uid: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether the row with this uid has the label, or has it not."""
    matching = sa.select(labels.c.resource).where(
        labels.c.resource_type == resource_type, labels.c.resource == uid, labels.c.key == wanted.key
    )
    if wanted.value is not None:
        matching = matching.where(labels.c.value == wanted.value)
    return ~matching.exists() if wanted.is_negated else matching.exists()
