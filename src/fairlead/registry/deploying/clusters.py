"""Clusters: places where deployments run, as an organization knows them. The first is the one that is meant when none
is named. An installation gives each of them a `Place`; without one a cluster is only words."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead.errors import BadRequest, Conflict, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.accounts.names import check_name
from fairlead.registry.callers import Caller, Verb
from fairlead.registry.db import components, people
from fairlead.registry.db.components import Component
from fairlead.registry.db.engine import Database
from fairlead.registry.db.people import Cluster
from fairlead.registry.db.taken import refused_as
from fairlead.registry.deploying.place import Place
from fairlead.registry.uids import new_uid
from fairlead.registry.values import ListQuery, Page

NAMESPACE = "default"
"""Where deployments go when neither their maker nor the cluster's configuration says."""
_NAMESPACE_KEY = "default_deployment_kube_namespace"


@dataclass(slots=True)
class Places:
    """The places of one installation by the names of their clusters. They are one organization's (its uid, or whoever
    has such a cluster): what runs there fetches in its name, and one organization sees nothing of another's."""

    by_name: dict[str, Place] = field(default_factory=dict)
    organization: str = ""

    def find(self, cluster: Cluster) -> Place | None:
        """The place of a cluster, if it is one of ours that something serves."""
        return self.by_name.get(cluster.name) if self._has(cluster) else None

    def _has(self, cluster: Cluster) -> bool:
        return self.organization in ("", cluster.organization)

    def of(self, cluster: Cluster) -> Place:
        """Raises Conflict for a cluster that nothing serves."""
        place = self.find(cluster)
        if place is None and cluster.name in self.by_name:
            raise Conflict(
                f"nothing runs in cluster {cluster.name} here: what runs is one organization's, not this one's"
            )
        if place is None:
            known = ", ".join(sorted(self.by_name)) or "none"
            raise Conflict(
                f"nothing runs deployments of cluster {cluster.name} here; clusters that are served: {known}"
            )
        return place


def config_of(cluster: Cluster) -> dict[str, Any]:
    """A cluster's configuration, with what it leaves out."""
    found = json.loads(cluster.config or "{}")
    config = found if isinstance(found, dict) else {}
    return {**config, _NAMESPACE_KEY: config.get(_NAMESPACE_KEY) or NAMESPACE}


def namespace_of(cluster: Cluster, caller: Caller | None = None) -> str:
    """Where a deployment goes whose maker does not say; for a token that does not reach there, the first that it
    does."""
    chosen = str(config_of(cluster)[_NAMESPACE_KEY])
    if caller is not None and caller.namespaces and chosen not in caller.namespaces:
        return caller.namespaces[0]
    return chosen


class Clusters:
    """Every method asks whether its caller may."""

    def __init__(self, database: Database, clock: Callable[[], float], places: Places) -> None:
        self._database = database
        self._clock = clock
        self._auditor = Auditor(clock)
        self.places = places

    async def get(self, caller: Caller, name: str = "", *, verb: Verb = Verb.VIEW) -> Cluster:
        """One by its name, or the first."""
        async with self._database.read() as connection:
            found = await people.list_clusters(connection, caller.organization.uid)
        chosen = next((cluster for cluster in found if not name or cluster.name == name), None)
        if chosen is None:
            raise NotFound(f"get cluster {name}: record not found")
        caller.require(verb, "cluster", chosen.name, cluster=chosen.name)
        return chosen

    async def all(self, caller: Caller) -> Sequence[Cluster]:
        """Every one that the caller may see, the first first."""
        async with self._database.read() as connection:
            found = await people.list_clusters(connection, caller.organization.uid)
        return [cluster for cluster in found if caller.may(Verb.VIEW, "cluster", cluster=cluster.name)]

    async def list(self, caller: Caller, query: ListQuery) -> Page[Cluster]:
        """Some of them."""
        words = [word.lower() for word in query.keywords]
        found = [each for each in await self.all(caller) if all(word in each.name for word in words)]
        end = query.start + query.count if query.count else None
        return Page(start=query.start, count=query.count, total=len(found), items=found[query.start : end])

    async def create(self, caller: Caller, name: str, description: str, config: Mapping[str, Any]) -> Cluster:
        """Another one."""
        caller.require(Verb.OPERATE, "organization", caller.organization.name)
        check_name(name)
        now = self._clock()
        cluster = Cluster(
            uid=new_uid(self._clock),
            name=name,
            created_at=now,
            updated_at=now,
            organization=caller.organization.uid,
            description=description,
            config=json.dumps(_checked(config)),
            creator=caller.user.uid,
        )
        with refused_as(f"cluster {name} already exists"):
            async with self._database.begin() as connection:
                await people.insert_cluster(connection, cluster)
                await self._auditor.record(connection, caller, "created", "cluster", uid=cluster.uid, name=name)
        return cluster

    async def update(
        self, caller: Caller, name: str, description: str | None, config: Mapping[str, Any] | None
    ) -> Cluster:
        """Change what is given of a cluster."""
        cluster = await self.get(caller, name, verb=Verb.OPERATE)
        changed = replace(
            cluster,
            updated_at=self._clock(),
            description=cluster.description if description is None else description,
            config=cluster.config if config is None else json.dumps(_checked(config)),
        )
        async with self._database.begin() as connection:
            await people.update_cluster(connection, changed)
            await self._auditor.record(connection, caller, "updated", "cluster", uid=cluster.uid, name=cluster.name)
        return changed

    async def components(self, caller: Caller, cluster: Cluster | None = None) -> Sequence[Component]:
        """Operators elsewhere that said they are there."""
        async with self._database.read() as connection:
            uid = cluster.uid if cluster is not None else ""
            return await components.list_components(connection, caller.organization.uid, uid)

    async def heard_of(
        self, caller: Caller, cluster: Cluster, *, name: str, namespace: str, version: str, manifest: str
    ) -> Component:
        """Note that an operator is there."""
        caller.require(Verb.UPDATE, "cluster", cluster.name, cluster=cluster.name)
        now = self._clock()
        component = Component(
            uid=new_uid(self._clock),
            created_at=now,
            updated_at=now,
            cluster=cluster.uid,
            name=check_name(name),
            namespace=namespace,
            version=version,
            manifest=manifest,
        )
        async with self._database.begin() as connection:
            return await components.put(connection, component)


def _checked(config: Mapping[str, Any]) -> dict[str, Any]:
    namespace = config.get(_NAMESPACE_KEY)
    if namespace:
        if not isinstance(namespace, str):
            raise BadRequest(f"config.{_NAMESPACE_KEY}: must be the name of a namespace")
        check_name(namespace, f"config.{_NAMESPACE_KEY}")
    return dict(config)
