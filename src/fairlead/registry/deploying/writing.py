"""A deployment's objects, written into its place and removed from it. What it is asked to be has been decided and kept
before."""

from collections.abc import Mapping
from dataclasses import replace

from fairlead.errors import AlreadyExists, BadRequest, InvalidManifest
from fairlead.registry.callers import Caller
from fairlead.registry.db import deployments
from fairlead.registry.db.deployments import Deployment, Revision
from fairlead.registry.db.engine import Database
from fairlead.registry.db.people import Cluster
from fairlead.registry.deploying import instance_types
from fairlead.registry.deploying.asked import Asked, Dialect, setup_of
from fairlead.registry.deploying.clusters import Clusters, config_of
from fairlead.registry.deploying.config_v2 import OLD_STYLE
from fairlead.registry.deploying.documents import (
    MADE_HERE,
    ORGANIZATION,
    REGISTRY,
    Means,
    deployment_document,
    keeping,
    request_document,
)
from fairlead.registry.deploying.parts import Setup, carried
from fairlead.registry.deploying.place import DEPLOYMENT, REQUEST, Document, Place
from fairlead.registry.deploying.secrets import OrgSecrets
from fairlead.registry.deploying.viewing import entry_of, parts_of
from fairlead.registry.values import Version


class Writer:
    """Over the places of an installation's clusters."""

    def __init__(self, database: Database, clusters: Clusters, secrets: OrgSecrets) -> None:
        self._database = database
        self._clusters = clusters
        self._secrets = secrets

    async def write(
        self,
        caller: Caller,
        cluster: Cluster,
        row: Deployment,
        revision: Revision,
        asked: Asked,
        bentos: Mapping[str, Version],
        *,
        is_new: bool = False,
        previous: Asked | None = None,
    ) -> None:
        """Make the objects say what is asked, and note which object that is. What the place refuses is the client's
        mistake and said as one."""
        if len(asked.targets) > 1:
            names = ", ".join(target.name for target in asked.targets[1:])
            raise BadRequest(f"canaries are not run here: {names}; make a second deployment for each bento")
        place = self._clusters.places.of(cluster)
        old = await place.get(DEPLOYMENT, row.namespace, row.name)
        _refuse_others(old, row, caller, is_new=is_new)
        bento = _bento(asked, bentos)
        setup = _setup(asked, bento, previous)
        request, document = await self._documents(caller, cluster, row, asked, setup, bento)
        try:
            await place.put(request)
            stored = await place.put(keeping(old, document))
        except InvalidManifest as error:
            raise BadRequest(str(error)) from error
        await self._note(revision, asked, stored)
        await _sweep(place, row.namespace)

    async def _documents(
        self, caller: Caller, cluster: Cluster, row: Deployment, asked: Asked, setup: Setup, bento: Version
    ) -> tuple[Document, dict[str, object]]:
        tag, organization = asked.main.tag, caller.organization.name
        types = {each.name: each.resources for each in instance_types.read(config_of(cluster))}
        secrets = await self._secrets.envs(caller, cluster, setup.secrets, row.namespace)
        means = Means(instance_types=types, secrets=secrets)
        request = request_document(tag, row.namespace, organization, setup)
        document = deployment_document(row.name, row.namespace, organization, tag, setup, means, entry=entry_of(bento))
        return request, document

    async def _note(self, revision: Revision, asked: Asked, stored: Document) -> None:
        meta = stored["metadata"]
        written = replace(asked, object_uid=meta.get("uid", ""), generation=int(meta.get("generation") or 0))
        async with self._database.begin() as connection:
            await deployments.set_targets(connection, revision.uid, written.to_text())

    async def remove(self, cluster: Cluster, row: Deployment) -> None:
        """Take a deployment's object away, and the requests that nobody else has."""
        place = self._clusters.places.find(cluster)
        if place is not None:
            await place.delete(DEPLOYMENT, row.namespace, row.name)
            await _sweep(place, row.namespace)


def _bento(asked: Asked, bentos: Mapping[str, Version]) -> Version:
    tag = asked.main.tag
    return next(each for each in bentos.values() if (each.repository_name, each.version) == (tag.name, tag.version))


def _setup(asked: Asked, bento: Version, previous: Asked | None) -> Setup:
    """What is asked for, and of what was before what its client had no words for."""
    entry = entry_of(bento)
    setup = setup_of(asked.main, asked.dialect, entry=entry)
    known = parts_of(bento)
    unknown = [name for name in setup.runners if known and name not in known]
    if unknown:
        listed = ", ".join((entry, *known) if entry == OLD_STYLE else known)
        raise BadRequest(f"bento {asked.main.tag} has no service or runner {unknown[0]!r}; it has {listed}")
    if previous is None or previous.dialect is asked.dialect or asked.dialect is Dialect.OBJECT:
        return setup
    return carried(
        setup_of(previous.main, previous.dialect, entry=entry), setup, is_old_client=asked.dialect is Dialect.V1
    )


def _refuse_others(old: Document | None, row: Deployment, caller: Caller, *, is_new: bool) -> None:
    """An object of that name that nobody of this organization made stays as it is."""
    if old is None:
        return
    owner = (old["metadata"].get("annotations") or {}).get(ORGANIZATION)
    if is_new or owner not in (None, caller.organization.name):
        raise AlreadyExists(f"deployment {row.name} already exists in namespace {row.namespace}")


async def _sweep(place: Place, namespace: str) -> None:
    """Remove the requests that deployments of the registry made and none uses any more."""
    used = {(each.get("spec") or {}).get("bento") for each in await place.list(DEPLOYMENT, namespace)}
    for request in await place.list(REQUEST, namespace, {MADE_HERE: REGISTRY}):
        if request["metadata"]["name"] not in used:
            await place.delete(REQUEST, namespace, request["metadata"]["name"])
