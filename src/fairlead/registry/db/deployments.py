"""Queries about deployments and their revisions. Each function works inside the caller's transaction.

What a deployment is now is told by its object, wherever that is kept; these rows say who made it, in what words, and
what it was before. `status` is what was seen last, for lists that filter by it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db import labels, lists
from fairlead.registry.db.batches import batches
from fairlead.registry.db.tables import (
    bento_models,
    clusters,
    deployment_revisions,
    deployments,
    repositories,
    versions,
)
from fairlead.registry.values import Label, ListQuery

RESOURCE_TYPE = "deployment"
ACTIVE, INACTIVE = "active", "inactive"
_D, _R = deployments.c, deployment_revisions.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One row. `organization`, `cluster`, `creator` and `last_updater` are uids."""

    uid: str
    created_at: float
    updated_at: float
    organization: str
    cluster: str
    namespace: str
    name: str
    status: str
    description: str = ""
    creator: str = ""
    last_updater: str = ""
    terminated_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a deployment was asked to be, as JSON, from one time on."""

    uid: str
    created_at: float
    updated_at: float
    deployment: str
    status: str
    targets: str
    creator: str = ""


_COLUMNS = lists.Columns(
    uid=_D.uid,
    resource_type=RESOURCE_TYPE,
    texts={"name": (_D.name,), "description": (_D.description,)},
    filters={"cluster": clusters.c.name, "status": _D.status},
    people={"creator": _D.creator, "last_updater": _D.last_updater},
    sorts={"updated_at": _D.updated_at, "created_at": _D.created_at},
)


def _given(row: sa.Row[Any]) -> dict[str, Any]:
    return {key: value for key, value in row._mapping.items() if value is not None}


async def find(
    connection: AsyncConnection, cluster: str, namespace: str, name: str, *, is_locked: bool = False
) -> Deployment | None:
    """By its place and name; `is_locked` keeps others from changing it until the transaction ends."""
    query = sa.select(deployments).where(_D.cluster == cluster, _D.namespace == namespace, _D.name == name)
    row = (await connection.execute(query.with_for_update() if is_locked else query)).one_or_none()
    return Deployment(**_given(row)) if row is not None else None


async def named(connection: AsyncConnection, organization: str, name: str, cluster: str = "") -> list[Deployment]:
    """All of that name in an organization, or in one cluster; the oldest first."""
    query = sa.select(deployments).where(_D.organization == organization, _D.name == name)
    query = query.where(_D.cluster == cluster) if cluster else query
    return [Deployment(**_given(row)) for row in await connection.execute(query.order_by(_D.created_at, _D.uid))]


async def in_cluster(connection: AsyncConnection, cluster: str) -> list[Deployment]:
    """Every one of a cluster."""
    query = sa.select(deployments).where(_D.cluster == cluster).order_by(_D.namespace, _D.name)
    return [Deployment(**_given(row)) for row in await connection.execute(query)]


async def get(connection: AsyncConnection, uids: Iterable[str]) -> list[Deployment]:
    """Those of these uids that there are."""
    found = []
    for some in batches(uids):
        rows = await connection.execute(sa.select(deployments).where(_D.uid.in_(some)))
        found += [Deployment(**_given(row)) for row in rows]
    return found


async def select(connection: AsyncConnection, organization: str, query: ListQuery) -> list[Deployment]:
    """All of an organization's that a list asks for, in its order: what is paged is for those who filter further."""
    wanted = lists.conditions(_COLUMNS, query)
    statement = (
        sa.select(deployments)
        .join(clusters, clusters.c.uid == _D.cluster)
        .where(_D.organization == organization, *wanted)
        .order_by(*lists.order(_COLUMNS, query))
    )
    return [Deployment(**_given(row)) for row in await connection.execute(statement)]


async def insert(connection: AsyncConnection, deployment: Deployment, given: Sequence[Label] = ()) -> None:
    """Add one. Raises the driver's IntegrityError when there is one of that name in its namespace."""
    values = {name: getattr(deployment, name) for name in deployment.__slots__}
    people = {"creator": deployment.creator or None, "last_updater": deployment.last_updater or None}
    await connection.execute(deployments.insert().values(values | people))
    if given:
        await labels.put(connection, deployment.organization, RESOURCE_TYPE, deployment.uid, given)


async def change(connection: AsyncConnection, uid: str, **values: Any) -> None:
    """Write some columns."""
    await connection.execute(deployments.update().where(_D.uid == uid).values(values))


async def move(
    connection: AsyncConnection, deployment: Deployment, status: str, *, terminated_at: float | None
) -> None:
    """Note a new status, unless somebody has noted another since this row was read."""
    here = sa.and_(_D.uid == deployment.uid, _D.status == deployment.status)
    await connection.execute(deployments.update().where(here).values(status=status, terminated_at=terminated_at))


async def delete(connection: AsyncConnection, uid: str) -> None:
    """Remove one with its revisions and labels."""
    await labels.remove(connection, RESOURCE_TYPE, [uid])
    await connection.execute(deployment_revisions.delete().where(_R.deployment == uid))
    await connection.execute(deployments.delete().where(_D.uid == uid))


async def put_revision(connection: AsyncConnection, revision: Revision) -> None:
    """Add one that is active, in place of the one that was."""
    others = deployment_revisions.update().where(_R.deployment == revision.deployment, _R.status == ACTIVE)
    await connection.execute(others.values(status=INACTIVE, updated_at=revision.created_at))
    values = {name: getattr(revision, name) for name in revision.__slots__}
    await connection.execute(
        deployment_revisions.insert().values(values | {"status": ACTIVE, "creator": revision.creator or None})
    )


async def undo_revision(connection: AsyncConnection, uid: str, before: str, now: float) -> None:
    """Remove a revision that never came to be, and let the one before it be active again."""
    await connection.execute(deployment_revisions.delete().where(_R.uid == uid))
    await connection.execute(
        deployment_revisions.update().where(_R.uid == before).values(status=ACTIVE, updated_at=now)
    )


async def set_targets(connection: AsyncConnection, uid: str, targets: str) -> None:
    """What a revision asks for, in other words."""
    await connection.execute(deployment_revisions.update().where(_R.uid == uid).values(targets=targets))


async def active(connection: AsyncConnection, uids: Iterable[str]) -> Mapping[str, Revision]:
    """The active revision of each of these deployments that has one."""
    found = {}
    for some in batches(uids):
        query = sa.select(deployment_revisions).where(_R.deployment.in_(some), _R.status == ACTIVE)
        for row in await connection.execute(query):
            found[row.deployment] = Revision(**_given(row))
    return found


async def revisions(
    connection: AsyncConnection, deployment: str, *, start: int = 0, count: int = 0
) -> tuple[int, list[Revision]]:
    """How many there are, and some of them; the newest first."""
    condition = _R.deployment == deployment
    total = await connection.scalar(sa.select(sa.func.count()).select_from(deployment_revisions).where(condition))
    query = sa.select(deployment_revisions).where(condition).order_by(_R.created_at.desc(), _R.uid.desc())
    rows = await connection.execute(query.offset(start).limit(count or 2**31 - 1))
    return int(total or 0), [Revision(**_given(row)) for row in rows]


async def find_revision(connection: AsyncConnection, deployment: str, uid: str) -> Revision | None:
    """One of a deployment's."""
    query = sa.select(deployment_revisions).where(_R.deployment == deployment, _R.uid == uid)
    row = (await connection.execute(query)).one_or_none()
    return Revision(**_given(row)) if row is not None else None


async def models_of(
    connection: AsyncConnection, organization: str
) -> Mapping[tuple[str, str], Sequence[tuple[str, str]]]:
    """The models that each bento of an organization names, all by name and version."""
    query = (
        sa.select(repositories.c.name, versions.c.version, bento_models.c.model_name, bento_models.c.model_version)
        .join(versions, versions.c.uid == bento_models.c.bento)
        .join(repositories, repositories.c.uid == versions.c.repository)
        .where(bento_models.c.organization == organization)
    )
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, version, model, model_version in await connection.execute(query):
        found.setdefault((name, version), []).append((model, model_version))
    return found
