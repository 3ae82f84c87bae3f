"""Secrets that deployments get as variables. They are kept as Secrets in the place itself, in its default namespace,
and copied to where a deployment wants them. Their values go in and are never given back, not even to who wrote them.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fairlead.errors import AlreadyExists, BadRequest, Conflict, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.accounts.names import check_name
from fairlead.registry.callers import Caller, Verb
from fairlead.registry.db.engine import Database
from fairlead.registry.db.people import Cluster
from fairlead.registry.deploying.clusters import Clusters, namespace_of
from fairlead.registry.deploying.documents import ORGANIZATION, SecretEnv
from fairlead.registry.deploying.place import API_VERSIONS, SECRET, Document, Place
from fairlead.registry.values import ListQuery

_MARK = "fairlead.dev/org-secret"
"""Label with the organization; Secrets without it are somebody else's."""
_ABOUT = "fairlead.dev/secret"
"""Annotation with everything but the values, as JSON."""


class SecretType(StrEnum):
    """How a secret reaches a bento. Only variables can be given to processes of one machine."""

    ENV = "env"
    MOUNT_FILE = "mountfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretItem:
    """One value under its key; what is read has no value."""

    key: str
    value: str | None = field(default=None, repr=False)
    sub_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    name: str
    type: SecretType
    items: Sequence[SecretItem]
    description: str = ""
    path: str | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgSecret:
    """A secret as it may be shown. `creator` is a name; times are as the place writes them."""

    uid: str
    created_at: str
    name: str
    cluster: Cluster
    creator: str
    description: str
    type: SecretType
    items: Sequence[SecretItem]
    path: str | None
    stage: str | None


class OrgSecrets:
    """Every method asks whether its caller may."""

    def __init__(self, database: Database, clusters: Clusters, auditor: Auditor) -> None:
        self._database = database
        self._clusters = clusters
        self._auditor = auditor

    async def list(self, caller: Caller, query: ListQuery) -> Sequence[OrgSecret]:
        """All that are asked for, by cluster and name."""
        found = []
        for cluster in await self._clusters.all(caller):
            place = self._clusters.places.find(cluster)
            for document in await _stored(place, caller, namespace_of(cluster)) if place is not None else ():
                found.append(_shown(cluster, document))
        return [each for each in found if all(word.lower() in each.name for word in query.keywords)]

    async def get(self, caller: Caller, cluster_name: str, name: str) -> OrgSecret:
        cluster, place = await self._place(caller, cluster_name, Verb.VIEW)
        return _shown(cluster, await self._stored(caller, cluster, place, name))

    async def create(self, caller: Caller, cluster_name: str, new: NewSecret) -> OrgSecret:
        cluster, place = await self._place(caller, cluster_name, Verb.UPDATE)
        check_name(new.name)
        if await place.get(SECRET, namespace_of(cluster), new.name) is not None:
            raise AlreadyExists(f"secret {new.name} already exists")
        return await self._write(caller, cluster, place, new, "created")

    async def update(self, caller: Caller, cluster_name: str, new: NewSecret) -> OrgSecret:
        """Give it these values; deployments have them once they are updated."""
        cluster, place = await self._place(caller, cluster_name, Verb.UPDATE)
        kept = _about(await self._stored(caller, cluster, place, new.name))
        described = new if new.description else _described(new, str(kept.get("description") or ""))
        shown = await self._write(caller, cluster, place, described, "updated", creator=str(kept.get("creator") or ""))
        for copy in await _stored(place, caller, None):
            if copy["metadata"]["name"] == new.name and copy["metadata"]["namespace"] != namespace_of(cluster):
                await place.put(_document(caller, described, copy["metadata"]["namespace"], shown.creator))
        return shown

    async def delete(self, caller: Caller, cluster_name: str, name: str) -> OrgSecret:
        """Remove it with its copies."""
        cluster, place = await self._place(caller, cluster_name, Verb.OPERATE)
        shown = _shown(cluster, await self._stored(caller, cluster, place, name))
        for copy in await _stored(place, caller, None):
            if copy["metadata"]["name"] == name:
                await place.delete(SECRET, copy["metadata"]["namespace"], name)
        await self._record(caller, cluster, "deleted", name)
        return shown

    async def envs(
        self, caller: Caller, cluster: Cluster, names: Sequence[str], namespace: str
    ) -> dict[str, Sequence[SecretEnv]]:
        """The variables that these secrets come to in a namespace, where they are copied to. Raises BadRequest for one
        that no deployment can have."""
        place = self._clusters.places.of(cluster)
        found: dict[str, Sequence[SecretEnv]] = {}
        for name in names:
            try:
                document = await self._stored(caller, cluster, place, name)
            except NotFound as error:
                raise BadRequest(f"secrets: {error}") from error
            found[name] = _envs(_shown(cluster, document))
            if namespace != namespace_of(cluster):
                await _copy(place, caller, document, namespace)
        return found

    async def _place(self, caller: Caller, cluster_name: str, verb: Verb) -> tuple[Cluster, Place]:
        cluster = await self._clusters.get(caller, cluster_name, verb=verb)
        caller.require_namespace(namespace_of(cluster))
        return cluster, self._clusters.places.of(cluster)

    async def _stored(self, caller: Caller, cluster: Cluster, place: Place, name: str) -> Document:
        found = await place.get(SECRET, namespace_of(cluster), name)
        if found is None or _owner(found) != caller.organization.name:
            raise NotFound(f"get secret {name}: record not found")
        return found

    async def _write(
        self, caller: Caller, cluster: Cluster, place: Place, new: NewSecret, operation: str, *, creator: str = ""
    ) -> OrgSecret:
        document = _document(caller, new, namespace_of(cluster), creator or caller.user.name)
        shown = _shown(cluster, await place.put(document))
        await self._record(caller, cluster, operation, new.name)
        return shown

    async def _record(self, caller: Caller, cluster: Cluster, operation: str, name: str) -> None:
        async with self._database.begin() as connection:
            await self._auditor.record(connection, caller, operation, "secret", name=name, cluster=cluster.uid)


def _described(new: NewSecret, description: str) -> NewSecret:
    return NewSecret(
        name=new.name, type=new.type, items=new.items, description=description, path=new.path, stage=new.stage
    )


def _document(caller: Caller, new: NewSecret, namespace: str, creator: str) -> dict[str, Any]:
    if not new.items:
        raise BadRequest("content.items: there must be one value at least")
    missing = [item.key for item in new.items if item.value is None]
    if missing:
        raise BadRequest(f"content.items: no value is given for {', '.join(missing)}")
    about = {
        "description": new.description,
        "creator": creator,
        "type": new.type.value,
        "path": new.path,
        "stage": new.stage,
        "items": [{"key": item.key, "sub_path": item.sub_path} for item in new.items],
    }
    return {
        "apiVersion": API_VERSIONS[SECRET],
        "kind": SECRET,
        "metadata": {
            "name": new.name,
            "namespace": namespace,
            "labels": {_MARK: caller.organization.name},
            "annotations": {ORGANIZATION: caller.organization.name, _ABOUT: json.dumps(about)},
        },
        "type": "Opaque",
        "data": {item.key: base64.b64encode((item.value or "").encode()).decode() for item in new.items},
    }


async def _stored(place: Place, caller: Caller, namespace: str | None) -> Sequence[Document]:
    return await place.list(SECRET, namespace, {_MARK: caller.organization.name})


async def _copy(place: Place, caller: Caller, document: Document, namespace: str) -> None:
    name = document["metadata"]["name"]
    there = await place.get(SECRET, namespace, name)
    if there is not None and _owner(there) != caller.organization.name:
        raise Conflict(f"namespace {namespace} has another Secret called {name}")
    meta = {part: document["metadata"][part] for part in ("name", "labels", "annotations")}
    kept = {part: document[part] for part in ("apiVersion", "kind", "type", "data")}
    await place.put({**kept, "metadata": {**meta, "namespace": namespace}})


def _owner(document: Document) -> str:
    return str((document["metadata"].get("labels") or {}).get(_MARK, ""))


def _about(document: Document) -> Mapping[str, Any]:
    found = json.loads((document["metadata"].get("annotations") or {}).get(_ABOUT) or "{}")
    return found if isinstance(found, dict) else {}


def _shown(cluster: Cluster, document: Document) -> OrgSecret:
    about, meta = _about(document), document["metadata"]
    items = about.get("items") or [{"key": key} for key in document.get("data") or {}]
    return OrgSecret(
        uid=str(meta.get("uid", "")),
        created_at=str(meta.get("creationTimestamp", "")),
        name=meta["name"],
        cluster=cluster,
        creator=str(about.get("creator") or ""),
        description=str(about.get("description") or ""),
        type=SecretType(about.get("type") or SecretType.ENV),
        items=[SecretItem(key=item["key"], sub_path=item.get("sub_path")) for item in items],
        path=about.get("path"),
        stage=about.get("stage"),
    )


def _envs(secret: OrgSecret) -> Sequence[SecretEnv]:
    if secret.type is SecretType.MOUNT_FILE:
        raise BadRequest(f"secrets: {secret.name} is of type mountfile; deployments here can have those of type env")
    if secret.stage == "build":
        return ()
    return [SecretEnv(name=item.key, secret=secret.name, key=item.key) for item in secret.items]
