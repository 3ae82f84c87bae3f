"""Deployments as clients ask for them: made, changed, stopped and removed. Every method asks whether its caller may.

The row is written first, so that of two who want one name one gets it; then the objects. What a place refuses leaves no
row, or the revision that was before. Killed in between, a deployment is there without its object: it says
`non-deployed`, and an update puts it right.
"""

import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from fairlead.dialects.bento.names import Tag
from fairlead.errors import AlreadyExists, BadRequest, FairleadError, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.accounts.names import LONGEST_NAME, check_name
from fairlead.registry.callers import Caller, User, Verb
from fairlead.registry.db import Connection, deployments, labels, people
from fairlead.registry.db.deployments import Deployment, Revision
from fairlead.registry.db.engine import Database
from fairlead.registry.db.people import Cluster
from fairlead.registry.db.taken import refused_as
from fairlead.registry.deploying.asked import Asked, Dialect
from fairlead.registry.deploying.clusters import Clusters, namespace_of
from fairlead.registry.deploying.viewing import Found, RevisionView, View, Viewer, find
from fairlead.registry.deploying.words import Status
from fairlead.registry.deploying.writing import Writer
from fairlead.registry.uids import new_uid
from fairlead.registry.usage import Tag as VersionTag
from fairlead.registry.values import Kind, Label, ListQuery, Page, Version
from fairlead.registry.versions import Versions

_TYPE = deployments.RESOURCE_TYPE
_ENDED = frozenset({Status.TERMINATED, Status.TERMINATING})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """A deployment to be. Without a name or namespace it gets one. One that is not to be deployed is only noted: its
    object is somebody else's."""

    asked: Asked
    name: str = ""
    namespace: str = ""
    description: str = ""
    labels: Sequence[Label] = ()
    is_noted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changes of a deployment; `None` stays as it is."""

    asked: Asked | None = None
    description: str | None = None
    labels: Sequence[Label] | None = None
    is_noted: bool = False


class Deployments:
    """Over one database, and the places of its clusters."""

    def __init__(
        self, database: Database, clock: Callable[[], float], clusters: Clusters, versions: Versions, writer: Writer
    ) -> None:
        self._database = database
        self._clock = clock
        self._clusters = clusters
        self._versions = versions
        self._writer = writer
        self._viewer = Viewer(database, clock)
        self._auditor = Auditor(clock)

    # Reading

    async def list(
        self,
        caller: Caller,
        query: ListQuery,
        *,
        cluster_name: str | None = None,
        only: Collection[str] | None = None,
    ) -> Page[View]:
        """Some of the deployments of a cluster (the first when its name is empty), or of all; `only` those of these
        names (`namespace/name`)."""
        asked = (
            await self._clusters.all(caller) if cluster_name is None else [await self._cluster(caller, cluster_name)]
        )
        looked = {cluster.uid: await self._look(caller, cluster) for cluster in asked}
        async with self._database.read() as connection:
            rows = await deployments.select(connection, caller.organization.uid, _without_bentos(query))
            active = await deployments.active(connection, [row.uid for row in rows])
        shown = [
            row
            for row in rows
            if row.cluster in looked
            and (not caller.namespaces or row.namespace in caller.namespaces)
            and (only is None or f"{row.namespace}/{row.name}" in only)
            and _has_bento(active.get(row.uid), query)
        ]
        end = query.start + query.count if query.count else None
        found = [replace(looked[row.cluster], row=row) for row in shown[query.start : end]]
        views = await self._viewer.views(caller, found)
        return Page(start=query.start, count=query.count, total=len(shown), items=views)

    async def get(self, caller: Caller, cluster_name: str, namespace: str | None, name: str) -> View:
        """One; without a namespace the oldest of that name."""
        found = await self._found(caller, cluster_name, namespace, name, Verb.VIEW)
        return await self._viewer.view(caller, found)

    async def revisions(
        self, caller: Caller, cluster_name: str, namespace: str, name: str, query: ListQuery
    ) -> tuple[View, Page[RevisionView], Mapping[str, User]]:
        """What it was asked to be, the newest first."""
        found = await self._found(caller, cluster_name, namespace, name, Verb.VIEW)
        async with self._database.read() as connection:
            total, some = await deployments.revisions(connection, found.row.uid, start=query.start, count=query.count)
        views, users = await self._viewer.revision_views(caller, some)
        page = Page(start=query.start, count=query.count, total=total, items=views)
        return await self._viewer.view(caller, found), page, users

    async def revision(
        self, caller: Caller, cluster_name: str, namespace: str, name: str, uid: str
    ) -> tuple[View, RevisionView, Mapping[str, User]]:
        """One of them."""
        found = await self._found(caller, cluster_name, namespace, name, Verb.VIEW)
        async with self._database.read() as connection:
            revision = await deployments.find_revision(connection, found.row.uid, uid)
        if revision is None:
            raise NotFound(f"get deploymentRevision {uid}: record not found")
        views, users = await self._viewer.revision_views(caller, [revision])
        return await self._viewer.view(caller, found), views[0], users

    async def deployed(self, organization: str) -> Mapping[VersionTag, Sequence[str]]:
        """The deployments that use each bento, and each model in it."""
        await self._look_everywhere(organization)
        async with self._database.read() as connection:
            rows = await deployments.select(connection, organization, ListQuery())
            active = await deployments.active(connection, [row.uid for row in rows])
            models = await deployments.models_of(connection, organization)
        found: dict[VersionTag, list[str]] = {}
        for row in rows:
            if row.uid not in active or row.status == Status.TERMINATED:
                continue
            for target in Asked.from_text(active[row.uid].targets).targets:
                used: list[VersionTag] = [(Kind.BENTO, target.bento_repository, target.bento)]
                used += [(Kind.MODEL, *model) for model in models.get((target.bento_repository, target.bento), ())]
                for tag in used:
                    found.setdefault(tag, []).append(f"{row.namespace}/{row.name}")
        return found

    # Writing

    async def create(self, caller: Caller, cluster_name: str, new: NewDeployment) -> View:
        """Make one. Raises AlreadyExists for a name that is taken, BadRequest for bentos that are not there."""
        cluster = await self._cluster(caller, cluster_name, Verb.UPDATE)
        namespace = check_name(new.namespace or namespace_of(cluster, caller), "kube_namespace")
        caller.require_namespace(namespace)
        name = check_name(new.name or _made_up(new.asked.main.tag), "name")
        bentos = await self._bentos(caller, new.asked)
        asked = _resolved(new.asked, bentos)
        row = self._row(caller, cluster, namespace, name, new)
        revision = self._revision(caller, row.uid, asked)
        await self._insert(caller, row, revision, new)
        if not new.is_noted:
            try:
                await self._writer.write(caller, cluster, row, revision, asked, bentos, is_new=True)
            except FairleadError:
                async with self._database.begin() as connection:
                    await deployments.delete(connection, row.uid)
                raise
        return await self._now(caller, cluster, row)

    async def update(self, caller: Caller, cluster_name: str, namespace: str | None, name: str, change: Change) -> View:
        """Change what one is asked to be; that is a new revision. An old one's words bring it back."""
        found = await self._found(caller, cluster_name, namespace, name, Verb.UPDATE)
        row, now = found.row, self._clock()
        values: dict[str, object] = {"updated_at": now, "last_updater": caller.user.uid}
        if change.description is not None:
            values["description"] = change.description
        bentos = await self._bentos(caller, change.asked) if change.asked is not None else {}
        asked = _resolved(change.asked, bentos) if change.asked is not None else None
        if asked is not None and row.status in _ENDED:
            values |= {"status": Status.DEPLOYING.value, "terminated_at": None}
        async with self._database.begin() as connection:
            before = (await deployments.active(connection, [row.uid])).get(row.uid)
            revision = await self._revise(connection, caller, row, before, asked, is_noted=change.is_noted)
            await deployments.change(connection, row.uid, **values)
            if change.labels is not None:
                await labels.put(connection, row.organization, _TYPE, row.uid, change.labels)
            await self._record(connection, caller, "updated", row)
        if asked is not None and revision is not None and not change.is_noted:
            await self._put(caller, found.cluster, row, revision, asked, bentos, before)
        return await self._now(caller, found.cluster, row)

    async def repeat(self, caller: Caller, cluster_name: str, namespace: str | None, name: str) -> View:
        """Deploy what was asked for last once more."""
        found = await self._found(caller, cluster_name, namespace, name, Verb.UPDATE)
        async with self._database.read() as connection:
            active = (await deployments.active(connection, [found.row.uid])).get(found.row.uid)
        if active is None:
            raise BadRequest(f"deployment {name} has no revision")
        asked = Asked.from_text(active.targets)
        return await self.update(caller, cluster_name, found.row.namespace, name, Change(asked=asked))

    async def terminate(self, caller: Caller, cluster_name: str, namespace: str | None, name: str) -> View:
        """Stop one, and keep what is known of it."""
        found = await self._found(caller, cluster_name, namespace, name, Verb.OPERATE)
        row = found.row
        async with self._database.begin() as connection:
            if row.status != Status.TERMINATED:
                await deployments.change(connection, row.uid, status=Status.TERMINATING.value, updated_at=self._clock())
            await self._record(connection, caller, "terminated", row)
        await self._writer.remove(found.cluster, row)
        return await self._now(caller, found.cluster, row)

    async def delete(self, caller: Caller, cluster_name: str, namespace: str | None, name: str) -> View:
        """Forget one that is stopped; gives what it was."""
        found = await self._found(caller, cluster_name, namespace, name, Verb.OPERATE)
        if found.standing.status not in _ENDED:
            raise BadRequest("deployment is not terminated")
        view = await self._viewer.view(caller, found)
        async with self._database.begin() as connection:
            await self._record(connection, caller, "deleted", found.row)
            await deployments.delete(connection, found.row.uid)
        return view

    # Inside

    async def _cluster(self, caller: Caller, name: str, verb: Verb = Verb.VIEW) -> Cluster:
        return await self._clusters.get(caller, name, verb=verb)

    async def _look_everywhere(self, uid: str) -> None:
        async with self._database.read() as connection:
            organization = await people.find_organization(connection, uid=uid)
            clusters = await people.list_clusters(connection, uid)
        for cluster in clusters:
            place = self._clusters.places.find(cluster)
            if organization is not None and place is not None:
                await self._viewer.look_if_others(organization, cluster, place)

    async def _look(self, caller: Caller, cluster: Cluster) -> Found:
        """A cluster as it is now, for rows that are still to be put in."""
        place = self._clusters.places.find(cluster)
        seen = await self._viewer.look(caller.organization, cluster, place) if place is not None else None
        return Found(cluster=cluster, row=_NO_ROW, place=place, seen=seen)

    async def _found(self, caller: Caller, cluster_name: str, namespace: str | None, name: str, verb: Verb) -> Found:
        """A deployment as it is now. One that was never seen may have been made with kubectl."""
        cluster = await self._cluster(caller, cluster_name)
        caller.require(verb, _TYPE, name, cluster=cluster.name)
        try:
            row = await find(self._database, caller, cluster, namespace, name)
        except NotFound:
            looked = await self._look(caller, cluster)
            return replace(looked, row=await find(self._database, caller, cluster, namespace, name))
        return await self._look_at(caller, cluster, row)

    async def _look_at(self, caller: Caller, cluster: Cluster, row: Deployment) -> Found:
        place = self._clusters.places.find(cluster)
        if place is None:
            return Found(cluster=cluster, row=row)
        seen = await self._viewer.look_at(caller.organization, cluster, place, row)
        async with self._database.read() as connection:
            rows = await deployments.get(connection, [row.uid])
        return Found(cluster=cluster, row=rows[0] if rows else row, place=place, seen=seen)

    async def _now(self, caller: Caller, cluster: Cluster, row: Deployment) -> View:
        return await self._viewer.view(caller, await self._look_at(caller, cluster, row))

    async def _bentos(self, caller: Caller, asked: Asked) -> Mapping[str, Version]:
        """The bentos of all targets, by the tags that were given."""
        found = {}
        for target in asked.targets:
            try:
                version = await self._versions.get(
                    caller, Kind.BENTO, target.bento_repository, target.bento or "latest"
                )
            except NotFound as error:
                raise BadRequest(f"can't find bento: {target.tag}") from error
            if not version.is_complete:
                raise BadRequest(f"can't find bento: {target.tag}: its upload is {version.upload_status}")
            found[str(target.tag)] = version
        return found

    def _row(self, caller: Caller, cluster: Cluster, namespace: str, name: str, new: NewDeployment) -> Deployment:
        now = self._clock()
        return Deployment(
            uid=new_uid(self._clock),
            created_at=now,
            updated_at=now,
            organization=caller.organization.uid,
            cluster=cluster.uid,
            namespace=namespace,
            name=name,
            status=(Status.UNKNOWN if new.is_noted else Status.IMAGE_BUILDING).value,
            description=new.description,
            creator=caller.user.uid,
            last_updater=caller.user.uid,
        )

    def _revision(self, caller: Caller, deployment: str, asked: Asked) -> Revision:
        now = self._clock()
        return Revision(
            uid=new_uid(self._clock),
            created_at=now,
            updated_at=now,
            deployment=deployment,
            status=deployments.ACTIVE,
            targets=asked.to_text(),
            creator=caller.user.uid,
        )

    async def _insert(self, caller: Caller, row: Deployment, revision: Revision, new: NewDeployment) -> None:
        taken = f"deployment {row.name} already exists in namespace {row.namespace}"
        with refused_as(taken):
            async with self._database.begin() as connection:
                if await deployments.find(connection, row.cluster, row.namespace, row.name) is not None:
                    raise AlreadyExists(taken)
                await deployments.insert(connection, row, new.labels)
                await deployments.put_revision(connection, revision)
                await self._record(connection, caller, "created", row)

    async def _revise(
        self,
        connection: Connection,
        caller: Caller,
        row: Deployment,
        before: Revision | None,
        asked: Asked | None,
        *,
        is_noted: bool,
    ) -> Revision | None:
        """The revision that asks for this. What an operator notes again of the same object is the same revision."""
        if asked is None:
            return None
        if is_noted and before is not None and _is_same_object(Asked.from_text(before.targets), asked):
            await deployments.set_targets(connection, before.uid, asked.to_text())
            return before
        revision = self._revision(caller, row.uid, asked)
        await deployments.put_revision(connection, revision)
        return revision

    async def _put(
        self,
        caller: Caller,
        cluster: Cluster,
        row: Deployment,
        revision: Revision,
        asked: Asked,
        bentos: Mapping[str, Version],
        before: Revision | None,
    ) -> None:
        previous = Asked.from_text(before.targets) if before is not None else None
        try:
            await self._writer.write(caller, cluster, row, revision, asked, bentos, previous=previous)
        except FairleadError:
            async with self._database.begin() as connection:
                await deployments.undo_revision(connection, revision.uid, before.uid if before else "", self._clock())
            raise

    async def _record(self, connection: Connection, caller: Caller, operation: str, row: Deployment) -> None:
        await self._auditor.record(
            connection, caller, operation, _TYPE, uid=row.uid, name=row.name, cluster=row.cluster,
            info={"namespace": row.namespace},
        )  # fmt: skip


_NO_ROW = Deployment(
    uid="", created_at=0.0, updated_at=0.0, organization="", cluster="", namespace="", name="", status=Status.UNKNOWN
)


def _made_up(tag: Tag) -> str:
    """A name for who gives none: the bento's, as far as a name may be so, and four letters."""
    base = re.sub(r"[^a-z0-9]+", "-", tag.name.lower()).strip("-")
    base = base if base[:1].isalpha() else f"bento-{base}"
    return f"{base[: LONGEST_NAME - 5].rstrip('-')}-{secrets.token_hex(2)}"


def _resolved(asked: Asked, bentos: Mapping[str, Version]) -> Asked:
    """With versions in place of `latest` and aliases, so that a revision always means the same."""
    targets = tuple(replace(target, bento=bentos[str(target.tag)].version) for target in asked.targets)
    return replace(asked, targets=targets, object_uid="", generation=0)


def _is_same_object(before: Asked, after: Asked) -> bool:
    """Whether two say the same version of an object that an operator notes."""
    if Dialect.V1 not in (before.dialect, after.dialect):
        return False
    version = after.main.config.get("kubeResourceVersion")
    return bool(version) and before.main.config.get("kubeResourceVersion") == version


_BENTO_FILTERS = ("bento", "bento_repository")


def _without_bentos(query: ListQuery) -> ListQuery:
    kept = {key: values for key, values in query.filters.items() if key not in _BENTO_FILTERS}
    return replace(query, filters=kept)


def _has_bento(revision: Revision | None, query: ListQuery) -> bool:
    """Whether a revision names a bento that the list is asked for."""
    wanted = {key: query.filters[key] for key in _BENTO_FILTERS if key in query.filters}
    if not wanted:
        return True
    targets = Asked.from_text(revision.targets).targets if revision is not None else ()
    names = {
        "bento": {str(each.tag) for each in targets},
        "bento_repository": {each.bento_repository for each in targets},
    }
    return all(names[key] & set(values) for key, values in wanted.items())
