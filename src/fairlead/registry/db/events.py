"""Queries about the audit log. Rows are only added; nothing here changes or removes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db.tables import (
    clusters,
    deployments,
    events,
    organizations,
    repositories,
    tokens,
    users,
    versions,
)

_RESOURCES = {
    "user": users,
    "api_token": tokens,
    "organization": organizations,
    "cluster": clusters,
    "model_repository": repositories,
    "bento_repository": repositories,
    "model": versions,
    "bento": versions,
    "deployment": deployments,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Who did what to which, and whether it worked. `creator` and `resource` are uids; `info` is JSON."""

    uid: str
    created_at: float
    organization: str
    resource_type: str
    operation_name: str
    status: str
    cluster: str = ""
    creator: str = ""
    api_token_name: str = ""
    resource: str = ""
    resource_name: str = ""
    info: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events to list: empty fields ask for nothing. Times are seconds, the end exclusive."""

    organization: str
    statuses: Sequence[str] = ()
    creators: Sequence[str] = ()
    """Names of users."""
    resource_types: Sequence[str] = ()
    operation_names: Sequence[str] = ()
    search: str = ""
    since: float | None = None
    until: float | None = None


async def insert(connection: AsyncConnection, event: Event) -> None:
    values = {name: getattr(event, name) for name in event.__slots__}
    await connection.execute(events.insert().values({**values, "creator": event.creator or None}))


async def list_events(
    connection: AsyncConnection, wanted: EventFilter, *, start: int = 0, count: int = 0, oldest_first: bool = False
) -> tuple[int, list[Event]]:
    """How many there are, and some of them."""
    condition = _condition(wanted)
    total = await connection.scalar(sa.select(sa.func.count()).select_from(events).where(condition))
    order = (events.c.created_at, events.c.uid) if oldest_first else (events.c.created_at.desc(), events.c.uid.desc())
    query = sa.select(events).where(condition).order_by(*order).offset(start).limit(count or 2**31)
    return int(total or 0), [_event(row) for row in await connection.execute(query)]


async def operation_names(connection: AsyncConnection, organization: str, resource_type: str) -> list[str]:
    """The operations that there are events of, in order."""
    query = sa.select(events.c.operation_name).where(events.c.organization == organization).distinct()
    query = query.where(events.c.resource_type == resource_type) if resource_type else query
    return sorted(await connection.scalars(query))


async def gone(connection: AsyncConnection, found: Sequence[Event]) -> set[str]:
    """The uids of those events whose resource is not there any more."""
    there: set[str] = set()
    for table in set(_RESOURCES.values()):
        asked = {event.resource for event in found if _RESOURCES.get(event.resource_type) is table}
        if asked:
            there |= set(await connection.scalars(sa.select(table.c.uid).where(table.c.uid.in_(asked))))
    return {event.uid for event in found if event.resource_type in _RESOURCES and event.resource not in there}


def _event(row: sa.Row[Any]) -> Event:
    values = dict(row._mapping)
    return Event(**{**values, "creator": values["creator"] or ""})


def _condition(wanted: EventFilter) -> sa.ColumnElement[bool]:
    terms: list[sa.ColumnElement[bool]] = [events.c.organization == wanted.organization]
    for column, values in (
        (events.c.status, wanted.statuses),
        (events.c.resource_type, wanted.resource_types),
        (events.c.operation_name, wanted.operation_names),
    ):
        if values:
            terms.append(column.in_(values))
    if wanted.creators:
        terms.append(events.c.creator.in_(sa.select(users.c.uid).where(users.c.name.in_(wanted.creators))))
    if wanted.search:
        terms.append(events.c.resource_name.contains(wanted.search, autoescape=True))
    if wanted.since is not None:
        terms.append(events.c.created_at >= wanted.since)
    if wanted.until is not None:
        terms.append(events.c.created_at < wanted.until)
    return sa.and_(*terms)
