"""Gathers what answers about deployments show beside them: their bentos, and which cluster is the first."""

from collections.abc import Iterable, Sequence
from typing import Any

from starlette.responses import Response

from fairlead.registry.api import deployments_shapes as shapes
from fairlead.registry.api import showing
from fairlead.registry.api.calls import Call, answer
from fairlead.registry.db import people
from fairlead.registry.deploying.asked import Dialect
from fairlead.registry.deploying.viewing import RevisionView, View
from fairlead.registry.values import Page


async def one(call: Call, dialect: Dialect, view: View) -> Response:
    """One deployment."""
    return answer((await many(call, dialect, [view]))[0])


async def page(call: Call, dialect: Dialect, found: Page[View]) -> Response:
    """Some of a list."""
    return answer(showing.listed(found, await many(call, dialect, found.items)))


async def many(call: Call, dialect: Dialect, views: Sequence[View]) -> list[shapes.Deployment]:
    """Deployments as whoever asks reads them."""
    reader = await _reader(call, dialect, (view.latest for view in views if view.latest is not None))
    first = await first_cluster(call)
    return [reader.deployment(view, is_first=view.cluster.uid == first) for view in views]


async def revisions(
    call: Call, dialect: Dialect, view: View, given: Sequence[RevisionView], users: Any
) -> list[shapes.DeploymentRevision]:
    """Revisions of one deployment."""
    reader = await _reader(call, dialect, given)
    return [reader.revision(each, view, users) for each in given]


async def _reader(call: Call, dialect: Dialect, given: Iterable[RevisionView]) -> shapes.Reader:
    found = {tag: version for each in given for tag, version in each.bentos.items()}
    tags = sorted(found)
    shown = await showing.versions(call, [found[tag] for tag in tags], has_repository=True) if tags else []
    return shapes.Reader(call.caller, dialect, dict(zip(tags, shown, strict=True)))


async def first_cluster(call: Call) -> str:
    """The uid of the organization's first cluster."""
    async with call.registry.database.read() as connection:
        clusters = await people.list_clusters(connection, call.caller.organization.uid)
    return clusters[0].uid if clusters else ""
