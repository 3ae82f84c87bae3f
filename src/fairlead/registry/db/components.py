"""Queries about operators elsewhere that say they are there. Each function works inside the caller's transaction."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db.tables import clusters, components

_C = components.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One program in a cluster, as it described itself; `manifest` is JSON."""

    uid: str
    created_at: float
    updated_at: float
    cluster: str
    name: str
    namespace: str = ""
    version: str = ""
    manifest: str = "{}"
    latest_heartbeat_at: float | None = None
    latest_installed_at: float | None = None


async def put(connection: AsyncConnection, component: Component) -> Component:
    """Note that it is there; gives the row, which is the older one if there was one. A new version is a new
    installation."""
    query = sa.select(components).where(_C.cluster == component.cluster, _C.name == component.name)
    row = (await connection.execute(query.with_for_update())).one_or_none()
    now = component.updated_at
    if row is None:
        values = {name: getattr(component, name) for name in component.__slots__}
        values |= {"latest_heartbeat_at": now, "latest_installed_at": now}
        await connection.execute(components.insert().values(values))
        return Component(**values)
    changes: dict[str, Any] = {
        "updated_at": now,
        "namespace": component.namespace,
        "version": component.version,
        "manifest": component.manifest,
        "latest_heartbeat_at": now,
    }
    if row.version != component.version:
        changes["latest_installed_at"] = now
    await connection.execute(components.update().where(_C.uid == row.uid).values(changes))
    return Component(**{**row._mapping, **changes})


async def list_components(connection: AsyncConnection, organization: str, cluster: str = "") -> list[Component]:
    """Those of a cluster, or of all of an organization's."""
    query = sa.select(components).join(clusters, clusters.c.uid == _C.cluster)
    query = query.where(clusters.c.organization == organization)
    query = query.where(_C.cluster == cluster) if cluster else query
    return [Component(**row._mapping) for row in await connection.execute(query.order_by(_C.name, _C.uid))]
