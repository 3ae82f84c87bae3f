"""What sockets tell: pods, events and resources as they are now, and again whenever they have changed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

from fairlead.errors import BadRequest, FairleadError, NotFound
from fairlead.registry.api import deployments_shapes as shapes
from fairlead.registry.api import wire
from fairlead.registry.callers import Caller, Verb
from fairlead.registry.db import deployments, versions
from fairlead.registry.deploying import pods
from fairlead.registry.deploying.asked import Dialect
from fairlead.registry.deploying.place import DEPLOYMENT, EVENT, POD, REQUEST, Document, Place
from fairlead.registry.deploying.statuses import IS_BUILDER
from fairlead.registry.deploying.viewing import POD_LABEL, View
from fairlead.registry.service import Registry
from fairlead.registry.values import Kind

_KINDS = (POD, REQUEST)
# Models and bentos change by requests to any process that has the database, so they are asked after.
_ASKED_AFTER_S = 1.0
_MOST_SUBSCRIBED = 500


class Listening:
    """Over one registry. Every method asks whether its caller may."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def place(self, caller: Caller, cluster_name: str, namespace: str) -> Place:
        """The place of a cluster, for somebody who may look into a namespace of it."""
        cluster = await self._registry.clusters.get(caller, cluster_name)
        if not namespace:
            raise BadRequest("namespace is needed")
        caller.require_namespace(namespace)
        caller.require(Verb.VIEW, "deployment", cluster=cluster.name)
        return self._registry.clusters.places.of(cluster)

    async def pods_of(
        self, caller: Caller, cluster: str, namespace: str | None, name: str
    ) -> AsyncGenerator[list[Any], None]:
        """A deployment's pods, and those of the builder of its bento."""
        view = await self._registry.deployments.get(caller, cluster, namespace, name)
        place = self._registry.clusters.places.of(view.cluster)
        async for each in _told(place, (*_KINDS, DEPLOYMENT), view.row.namespace, lambda: self.pods_now(view)):
            yield each

    async def pods_now(self, view: View) -> list[Any]:
        """The same, once; nothing where nobody serves its cluster."""
        place, where = self._registry.clusters.places.find(view.cluster), view.row.namespace
        if place is None:
            return []
        found = [
            *await place.list(POD, where, {POD_LABEL: view.row.name}),
            *await _builders(place, where, view.row.name),
        ]
        return pods.shown(found, await place.list(EVENT, where))

    async def selected_pods(
        self, caller: Caller, cluster: str, namespace: str, selector: str
    ) -> AsyncGenerator[list[Any], None]:
        """Pods that any of the selectors finds; all of the namespace without one."""
        place = await self.place(caller, cluster, namespace)
        try:
            wanted = pods.selectors(selector) or [{}]
        except ValueError as error:
            raise BadRequest(str(error)) from error

        async def now() -> list[Any]:
            found = {each["metadata"]["name"]: each for one in wanted for each in await place.list(POD, namespace, one)}
            return pods.shown(found.values(), await place.list(EVENT, namespace))

        async for each in _told(place, _KINDS, namespace, now):
            yield each

    async def events_of(
        self, caller: Caller, cluster: str, namespace: str, name: str, pod: str
    ) -> AsyncGenerator[list[Any], None]:
        """Events of a deployment, of its bento's request and its pods; or of one pod."""
        view = await self._registry.deployments.get(caller, cluster, namespace, name)
        place = self._registry.clusters.places.of(view.cluster)

        async def now() -> list[Any]:
            names = [pod] if pod else await _names(place, namespace, name)
            return pods.events_about(await place.list(EVENT, namespace), names)

        async for each in _told(place, (EVENT,), namespace, now):
            yield each

    async def events_in(
        self, caller: Caller, cluster: str, namespace: str, pod: str
    ) -> AsyncGenerator[list[Any], None]:
        """Events of a namespace; or of one pod."""
        place = await self.place(caller, cluster, namespace)

        async def now() -> list[Any]:
            return pods.events_about(await place.list(EVENT, namespace), [pod] if pod else [])

        async for each in _told(place, (EVENT,), namespace, now):
            yield each

    def subscription(self, caller: Caller) -> "Subscription":
        """For resources that the client names later."""
        return Subscription(self._registry, caller)


async def _told(
    place: Place, kinds: Sequence[str], namespace: str, now: Callable[[], Awaitable[list[Any]]]
) -> AsyncIterator[list[Any]]:
    last: list[Any] | None = None
    async for _ in place.changes(kinds, namespace):
        found = await now()
        if found != last:
            last = found
            yield found


async def _builders(place: Place, namespace: str, name: str) -> Sequence[Document]:
    document = await place.get(DEPLOYMENT, namespace, name)
    request = str(((document or {}).get("spec") or {}).get("bento") or "")
    return await place.list(POD, namespace, {IS_BUILDER: "true", "yatai.ai/bento-request": request}) if request else ()


async def _names(place: Place, namespace: str, name: str) -> list[str]:
    document = await place.get(DEPLOYMENT, namespace, name)
    request = str(((document or {}).get("spec") or {}).get("bento") or "")
    found = [each["metadata"]["name"] for each in await place.list(POD, namespace, {POD_LABEL: name})]
    return [name, *([request] if request else []), *found]


def _plain(value: msgspec.Struct) -> Any:
    """As JSON values: a manifest is text until it is sent."""
    return msgspec.json.decode(msgspec.json.encode(value))


class Subscription:
    """The resources that one client wants to hear of, by type and uid."""

    def __init__(self, registry: Registry, caller: Caller) -> None:
        self._registry = registry
        self._caller = caller
        self._wanted: dict[tuple[str, str], Any] = {}
        self._asked = asyncio.Event()

    def take(self, asked: dict[str, Any]) -> None:
        """Listen to more, or to fewer."""
        kind, uids = str(asked.get("resource_type") or ""), asked.get("resource_uids") or []
        if kind not in ("bento", "model", "deployment") or not isinstance(uids, list):
            raise BadRequest("resource_type must be bento, model or deployment, and resource_uids a list")
        for uid in uids:
            if asked.get("action") == "unsubscribe":
                self._wanted.pop((kind, str(uid)), None)
            elif len(self._wanted) < _MOST_SUBSCRIBED:
                self._wanted.setdefault((kind, str(uid)), None)
        self._asked.set()

    async def changes(self) -> AsyncIterator[dict[str, Any]]:
        """Each resource when it is first asked for, and when it has changed."""
        while True:
            for key, last in list(self._wanted.items()):
                found = await self._now(*key)
                if found is not None and found != last and key in self._wanted:
                    self._wanted[key] = found
                    yield {"resource_type": key[0], "payload": found}
            self._asked.clear()
            try:
                await asyncio.wait_for(self._asked.wait(), _ASKED_AFTER_S)
            except TimeoutError:
                continue

    async def _now(self, kind: str, uid: str) -> Any:
        try:
            return await self._deployment(uid) if kind == "deployment" else await self._version(Kind(kind), uid)
        except FairleadError:
            return None

    async def _deployment(self, uid: str) -> Any:
        async with self._registry.database.read() as connection:
            rows = await deployments.get(connection, [uid])
        if not rows or rows[0].organization != self._caller.organization.uid:
            raise NotFound("record not found")
        clusters = {each.uid: each for each in await self._registry.clusters.all(self._caller)}
        row = rows[0]
        if row.cluster not in clusters:
            raise NotFound("record not found")
        view = await self._registry.deployments.get(self._caller, clusters[row.cluster].name, row.namespace, row.name)
        reader = shapes.Reader(self._caller, Dialect.V1, {})
        first = next(iter(clusters)) == row.cluster
        return _plain(reader.deployment(view, is_first=first))

    async def _version(self, kind: Kind, uid: str) -> Any:
        async with self._registry.database.read() as connection:
            found = await versions.find_uid(connection, uid)
        if found is None or found.organization != self._caller.organization.uid or found.kind is not kind:
            raise NotFound("record not found")
        self._caller.require(Verb.VIEW, kind, found.tag)
        fields = wire.version_fields(found, people={}, strategy="", is_deprecated=False, aliases=())
        shape = wire.Model if kind is Kind.MODEL else wire.Bento
        return _plain(shape(**fields))
