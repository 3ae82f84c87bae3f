"""Deployments as they are now: their rows, with what their objects and pods tell.

Objects that somebody made or changed by hand get a row, or a revision, when they are first seen so. Nothing waits for a
timer: whoever asks is told what is so.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairlead.dialects.bento.names import Tag, label_value, parse_tag
from fairlead.errors import NotFound
from fairlead.registry.callers import Caller, Organization, User
from fairlead.registry.db import Connection, deployments, labels, people, repositories, versions
from fairlead.registry.db.deployments import Deployment, Revision
from fairlead.registry.db.engine import Database
from fairlead.registry.db.people import Cluster
from fairlead.registry.deploying.asked import Asked, asked_of_object
from fairlead.registry.deploying.config_v2 import OLD_STYLE
from fairlead.registry.deploying.documents import ORGANIZATION
from fairlead.registry.deploying.place import BENTO, DEPLOYMENT, POD, REQUEST, Document, Place
from fairlead.registry.deploying.statuses import IS_BUILDER, Standing, standing
from fairlead.registry.deploying.words import Status
from fairlead.registry.uids import new_uid
from fairlead.registry.values import Kind, Label, Repository, Version

POD_LABEL = "yatai.ai/bento-deployment"
_NAME_LABEL, _VERSION_LABEL = "yatai.ai/bento-repository", "yatai.ai/bento"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """A revision, and what is known of the bentos it names, by tag; those that are gone are not there."""

    revision: Revision
    asked: Asked
    bentos: Mapping[str, Version]
    repositories: Mapping[str, Repository]

    def entry(self, tag: Tag) -> str:
        """The name of a bento's entry service."""
        version = self.bentos.get(str(tag))
        return entry_of(version) if version is not None else OLD_STYLE


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One deployment. `users` are those that are named here, by uid."""

    row: Deployment
    cluster: Cluster
    standing: Standing
    labels: Sequence[Label]
    latest: RevisionView | None
    object: Document | None
    urls: Sequence[str]
    users: Mapping[str, User]


def entry_of(version: Version) -> str:
    """The name of a bento's entry service; of one without services what clients call its API server."""
    try:
        manifest = json.loads(version.manifest or "null")
    except json.JSONDecodeError:
        manifest = None
    return str((manifest or {}).get("entry_service") or "") or OLD_STYLE


def parts_of(version: Version) -> Sequence[str]:
    """Names of the services and runners that a bento's manifest lists; none when it lists none."""
    manifest = json.loads(version.manifest or "null") or {}
    listed = [*(manifest.get("services") or ()), *(manifest.get("runners") or ())]
    return [str(each["name"]) for each in listed if isinstance(each, dict) and each.get("name")]


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything of a place that deployments are told by, read once."""

    objects: Mapping[tuple[str, str], Document]
    requests: Mapping[tuple[str, str], Document]
    pods: Mapping[tuple[str, str], Sequence[Document]]
    builders: Mapping[tuple[str, str, str], Sequence[Document]]

    @classmethod
    async def of(cls, place: Place, namespace: str | None = None) -> "Seen":
        pods: dict[tuple[str, str], list[Document]] = {}
        builders: dict[tuple[str, str, str], list[Document]] = {}
        for pod in await place.list(POD, namespace):
            where, marks = pod["metadata"].get("namespace", ""), pod["metadata"].get("labels") or {}
            if marks.get(IS_BUILDER) == "true":
                key = (where, marks.get(_NAME_LABEL, ""), marks.get(_VERSION_LABEL, ""))
                builders.setdefault(key, []).append(pod)
            elif POD_LABEL in marks:
                pods.setdefault((where, marks[POD_LABEL]), []).append(pod)
        objects = _by_name(await place.list(DEPLOYMENT, namespace))
        return cls(objects, _by_name(await place.list(REQUEST, namespace)), pods, builders)

    @classmethod
    async def of_one(cls, place: Place, namespace: str, name: str) -> "Seen":
        """As much of it as one deployment is told by."""
        found = await place.get(DEPLOYMENT, namespace, name)
        bento = str(((found or {}).get("spec") or {}).get("bento") or "")
        request = await place.get(REQUEST, namespace, bento) if bento else None
        pods = {(namespace, name): await place.list(POD, namespace, {POD_LABEL: name})}
        builders: dict[tuple[str, str, str], Sequence[Document]] = {}
        if tag := _tag_of(request):
            marks = {_NAME_LABEL: label_value(tag.name), _VERSION_LABEL: label_value(tag.version)}
            key = (namespace, marks[_NAME_LABEL], marks[_VERSION_LABEL])
            builders[key] = await place.list(POD, namespace, {**marks, IS_BUILDER: "true"})
        here = [each for each in (found, request) if each is not None]
        objects, requests = ([each for each in here if each["kind"] == kind] for kind in (DEPLOYMENT, REQUEST))
        return cls(_by_name(objects), _by_name(requests), pods, builders)

    def standing(self, row: Deployment) -> Standing:
        """Where the deployment of a row stands."""
        found = self.objects.get((row.namespace, row.name))
        bento = str(((found or {}).get("spec") or {}).get("bento") or "")
        request = self.requests.get((row.namespace, bento))
        pods = [*self.pods.get((row.namespace, row.name), ()), *self._builders(row.namespace, request)]
        return standing(before=Status(row.status), deployment=found, request=request, pods=pods)

    def _builders(self, namespace: str, request: Document | None) -> Sequence[Document]:
        tag = _tag_of(request)
        if tag is None:
            return ()
        return self.builders.get((namespace, label_value(tag.name), label_value(tag.version)), ())


def _by_name(documents: Iterable[Document]) -> dict[tuple[str, str], Document]:
    return {(each["metadata"].get("namespace", ""), each["metadata"]["name"]): each for each in documents}


def _tag_of(document: Document | None) -> Tag | None:
    spec = (document or {}).get("spec") or {}
    try:
        return parse_tag(str(spec.get("bentoTag") or spec.get("tag") or ""))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A row and what its place shows of it; nothing when nobody serves its cluster."""

    cluster: Cluster
    row: Deployment
    place: Place | None = None
    seen: Seen | None = None

    @property
    def standing(self) -> Standing:
        return self.seen.standing(self.row) if self.seen is not None else Standing(status=Status(self.row.status))

    @property
    def object(self) -> Document | None:
        return self.seen.objects.get((self.row.namespace, self.row.name)) if self.seen is not None else None

    @property
    def urls(self) -> Sequence[str]:
        document = self.object
        return tuple(self.place.urls(document)) if self.place is not None and document is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What a place shows and no row says yet."""

    new: Sequence[Document]
    edited: Sequence[tuple[Deployment, Revision | None, Document]]
    moved: Sequence[tuple[Deployment, Status]]


class Viewer:
    """Looks, and writes down what it sees."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._seen_last: dict[str, frozenset[tuple[object, object]]] = {}

    async def look(self, organization: Organization, cluster: Cluster, place: Place) -> Seen:
        """Read a place, and bring the rows of an organization's cluster up to what is there."""
        # The rows come first: what is seen after them is never older than they are.
        rows = await self._rows(cluster)
        seen = await Seen.of(place)
        await self._catch_up(organization, cluster, place, seen, rows)
        return seen

    async def look_at(self, organization: Organization, cluster: Cluster, place: Place, row: Deployment) -> Seen:
        """The same of one row that there is already."""
        rows = await self._rows(cluster, row.uid)
        seen = await Seen.of_one(place, row.namespace, row.name)
        await self._catch_up(organization, cluster, place, seen, rows)
        return seen

    async def look_if_others(self, organization: Organization, cluster: Cluster, place: Place) -> None:
        """`look` when there are other objects than there were the last time."""
        now = frozenset(
            (each["metadata"].get("uid"), each["metadata"].get("generation")) for each in await place.list(DEPLOYMENT)
        )
        if self._seen_last.get(cluster.uid) != now:
            await self.look(organization, cluster, place)
            self._seen_last[cluster.uid] = now

    async def _rows(self, cluster: Cluster, uid: str = "") -> Sequence[tuple[Deployment, Revision | None]]:
        async with self._database.read() as connection:
            rows = (
                await deployments.get(connection, [uid])
                if uid
                else await deployments.in_cluster(connection, cluster.uid)
            )
            active = await deployments.active(connection, [row.uid for row in rows])
        return [(row, active.get(row.uid)) for row in rows]

    async def _catch_up(
        self,
        organization: Organization,
        cluster: Cluster,
        place: Place,
        seen: Seen,
        rows: Sequence[tuple[Deployment, Revision | None]],
    ) -> None:
        mine = await self._mine(seen, organization)
        known = {(row.namespace, row.name): (row, revision) for row, revision in rows}
        news = _News(
            new=[document for where, document in mine.items() if where not in known],
            edited=[
                (*known[where], document)
                for where, document in mine.items()
                if where in known and _was_edited(known[where][1], document)
            ],
            moved=[(row, status) for row, _ in rows if (status := seen.standing(row).status) != row.status],
        )
        if news.new or news.edited or news.moved:
            await self._write(organization, cluster, place, seen, news)

    async def _mine(self, seen: Seen, organization: Organization) -> dict[tuple[str, str], Document]:
        """Objects of an organization: its own, and for the first of all those that are nobody's."""
        owners = {where: _owner(document) for where, document in seen.objects.items()}
        is_first = None in owners.values() and await self._is_first(organization)
        return {
            where: document
            for where, document in seen.objects.items()
            if owners[where] == organization.name or (owners[where] is None and is_first)
        }

    async def _is_first(self, organization: Organization) -> bool:
        async with self._database.read() as connection:
            return (await people.list_organizations(connection))[0].uid == organization.uid

    async def _write(
        self, organization: Organization, cluster: Cluster, place: Place, seen: Seen, news: "_News"
    ) -> None:
        found = [*news.new, *(document for _, _, document in news.edited)]
        asked = {id(each): await _asked_of(place, seen, each) for each in found}

        async def work(connection: Connection) -> None:
            for row, status in news.moved:
                ended = self._clock() if status is Status.TERMINATED else None
                await deployments.move(connection, row, status.value, terminated_at=ended)
            for document in news.new:
                await self._adopt(connection, organization, cluster, document, asked[id(document)], seen)
            for row, before, document in news.edited:
                present = (await deployments.active(connection, [row.uid])).get(row.uid)
                # Somebody else has asked for something since: the edit was theirs, or is gone.
                if (present.uid if present else "") == (before.uid if before else ""):
                    await deployments.put_revision(connection, self._revision(row.uid, asked[id(document)]))
                    await deployments.change(connection, row.uid, updated_at=self._clock())

        await self._database.write(work)

    async def _adopt(
        self,
        connection: Connection,
        organization: Organization,
        cluster: Cluster,
        document: Document,
        asked: Asked,
        seen: Seen,
    ) -> None:
        meta = document["metadata"]
        if await deployments.find(connection, cluster.uid, meta["namespace"], meta["name"], is_locked=True):
            return
        now = self._clock()
        row = Deployment(
            uid=new_uid(self._clock),
            created_at=now,
            updated_at=now,
            organization=organization.uid,
            cluster=cluster.uid,
            namespace=meta["namespace"],
            name=meta["name"],
            status=Status.DEPLOYING.value,
        )
        await deployments.insert(connection, replace(row, status=seen.standing(row).status.value))
        await deployments.put_revision(connection, self._revision(row.uid, asked))

    def _revision(self, deployment: str, asked: Asked) -> Revision:
        now = self._clock()
        return Revision(
            uid=new_uid(self._clock),
            created_at=now,
            updated_at=now,
            deployment=deployment,
            status=deployments.ACTIVE,
            targets=asked.to_text(),
        )

    async def view(self, caller: Caller, found: Found) -> View:
        """One deployment with everything."""
        return (await self.views(caller, [found]))[0]

    async def views(self, caller: Caller, found: Sequence[Found]) -> Sequence[View]:
        """Several, with one look at the database."""
        async with self._database.read() as connection:
            uids = [each.row.uid for each in found]
            active = await deployments.active(connection, uids)
            marks = await labels.of(connection, deployments.RESOURCE_TYPE, uids)
            latest = await self._revision_views(connection, caller.organization.uid, active.values())
            users = await people.names_of(connection, _people(found, active.values(), latest.values()))
        return [
            View(
                row=each.row,
                cluster=each.cluster,
                standing=each.standing,
                labels=marks.get(each.row.uid, ()),
                latest=latest.get(active[each.row.uid].uid) if each.row.uid in active else None,
                object=each.object,
                urls=each.urls,
                users=users,
            )
            for each in found
        ]

    async def revision_views(
        self, caller: Caller, revisions: Sequence[Revision]
    ) -> tuple[Sequence[RevisionView], Mapping[str, User]]:
        """Revisions with their bentos, and whom they name."""
        async with self._database.read() as connection:
            views = await self._revision_views(connection, caller.organization.uid, revisions)
            users = await people.names_of(connection, _people((), revisions, views.values()))
        return [views[revision.uid] for revision in revisions], users

    async def _revision_views(
        self, connection: Connection, organization: str, revisions: Iterable[Revision]
    ) -> dict[str, RevisionView]:
        asked = {revision.uid: (revision, Asked.from_text(revision.targets)) for revision in revisions}
        tags = {target.tag for _, each in asked.values() for target in each.targets}
        holders: dict[str, Repository] = {}
        bentos: dict[str, Version] = {}
        for tag in sorted(tags, key=str):
            holder = holders.get(tag.name) or await repositories.find(connection, organization, Kind.BENTO, tag.name)
            if holder is None:
                continue
            holders[tag.name] = holder
            version = await versions.find(connection, holder.uid, tag.version)
            if version is not None:
                bentos[str(tag)] = version
        return {
            uid: RevisionView(revision=revision, asked=each, bentos=bentos, repositories=holders)
            for uid, (revision, each) in asked.items()
        }


def _people(
    found: Sequence[Found],
    revisions: Iterable[Revision],
    views: Iterable[RevisionView],
) -> list[str]:
    uids = {each.row.creator for each in found} | {each.cluster.creator for each in found}
    uids |= {revision.creator for revision in revisions}
    for view in views:
        uids |= {version.creator for version in view.bentos.values()}
    return sorted(uids - {""})


def _owner(document: Document) -> str | None:
    """The organization that an object says it is of."""
    return (document["metadata"].get("annotations") or {}).get(ORGANIZATION)


def _was_edited(revision: Revision | None, document: Document) -> bool:
    """Whether an object says something else than what the registry wrote last. One that is just being written has no
    generation on record yet."""
    if revision is None:
        return True
    asked = Asked.from_text(revision.targets)
    meta = document["metadata"]
    if not asked.object_uid:
        return False
    return (asked.object_uid, asked.generation) != (meta.get("uid"), meta.get("generation"))


async def _asked_of(place: Place, seen: Seen, document: Document) -> Asked:
    """What an object asks for by itself. The tag of its bento stands in its request, or in the Bento of that name."""
    meta, spec = document["metadata"], document["spec"]
    request = seen.requests.get((meta["namespace"], spec["bento"]))
    bento = None if request is not None else await place.get(BENTO, meta["namespace"], spec["bento"])
    tag = _tag_of(request) or _tag_of(bento) or Tag(label_value(spec["bento"]), "")
    request_spec: Mapping[str, Any] = (request or {}).get("spec") or {}
    asked = asked_of_object(tag, {name: value for name, value in spec.items() if name != "bento"}, request_spec)
    return replace(asked, object_uid=meta.get("uid", ""), generation=int(meta.get("generation") or 0))


async def find(database: Database, caller: Caller, cluster: Cluster, namespace: str | None, name: str) -> Deployment:
    """A row by its name. Without a namespace the oldest of that name is meant."""
    async with database.read() as connection:
        if namespace is not None:
            row = await deployments.find(connection, cluster.uid, namespace, name)
        else:
            rows = await deployments.named(connection, caller.organization.uid, name, cluster.uid)
            reached = [row for row in rows if not caller.namespaces or row.namespace in caller.namespaces]
            row = reached[0] if reached else None
    if row is None:
        raise NotFound(f"get deployment {name}: record not found")
    caller.require_namespace(row.namespace)
    return row
