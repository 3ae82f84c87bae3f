"""Deployments, clusters, secrets and instance types as JSON, with every key that a client of either dialect needs.

Clients before 1.2 read `mode`, a target's `type` and its rules; those since read `manifest`. Both get all of them, and
a `config` in their own dialect.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fairlead.registry import callers, values
from fairlead.registry.api import wire
from fairlead.registry.db.components import Component as StoredComponent
from fairlead.registry.db.people import Cluster as StoredCluster
from fairlead.registry.deploying import instance_types
from fairlead.registry.deploying.asked import Dialect, Target, config_for
from fairlead.registry.deploying.clusters import config_of
from fairlead.registry.deploying.parts import Json
from fairlead.registry.deploying.secrets import OrgSecret
from fairlead.registry.deploying.viewing import RevisionView, View
from fairlead.registry.deploying.words import for_old_clients
from fairlead.registry.values import Kind

_NEW_DIALECT_SINCE = (1, 2, 0)
_NO_MANIFEST = '{"service": "", "bentoml_version": "", "size_bytes": 0, "apis": {}, "models": [], "runners": []}'
_RULE: Json = {"type": "weight", "weight": 0, "header": "", "cookie": "", "header_value": ""}


class InstanceTypeConfig(msgspec.Struct, kw_only=True):
    group: str
    resources: dict[str, Any]
    price: str = ""
    node_selectors: dict[str, str] = {}
    gpu_config: dict[str, str] | None = None


class InstanceType(wire.Resource, kw_only=True):
    display_name: str
    description: str
    config: InstanceTypeConfig


class Cluster(wire.Resource, kw_only=True):
    creator: wire.User
    description: str
    organization_name: str
    is_first: bool


class ClusterInFull(Cluster, kw_only=True):
    organization: wire.Organization
    kube_config: str = ""
    config: dict[str, Any]
    grafana_root_path: str = ""
    resource_instances: list[InstanceType]


class TargetBento(wire.BentoWithRepository, kw_only=True):
    """A bento as targets show it."""

    models: list[dict[str, Any]] = msgspec.field(default_factory=list)


class DeploymentTarget(wire.Resource, kw_only=True):
    """One bento of a deployment; `config` is in the dialect of whoever asks."""

    creator: wire.User
    type: str
    canary_rules: list[dict[str, Any]] | None
    bento: TargetBento
    config: dict[str, Any]
    kube_resource_uid: str
    kube_resource_version: str


class DeploymentRevision(wire.Resource, kw_only=True):
    creator: wire.User
    status: str
    targets: list[DeploymentTarget]


class DeploymentManifest(msgspec.Struct, kw_only=True):
    dev: bool = False
    routing: dict[str, Any] | None = None


class Deployment(wire.Resource, kw_only=True):
    """`status_reason` is ours: the sentence that says why."""

    creator: wire.User
    cluster: ClusterInFull
    description: str
    status: str
    status_reason: str
    kube_namespace: str
    mode: str | None
    manifest: DeploymentManifest
    latest_revision: DeploymentRevision | None
    urls: list[str]


class SecretItem(msgspec.Struct, kw_only=True):
    """`value` is never there in an answer."""

    key: str
    sub_path: str | None = None
    value: str | None = None


class SecretContent(msgspec.Struct, kw_only=True):
    type: str
    items: list[SecretItem]
    path: str | None = None
    stage: str | None = None


class Secret(wire.Resource, kw_only=True):
    description: str
    creator: wire.User
    content: SecretContent
    cluster: Cluster


class Component(wire.Resource, kw_only=True):
    """An operator elsewhere."""

    creator: wire.User | None
    cluster: Cluster
    description: str
    kube_namespace: str
    version: str
    manifest: dict[str, Any]
    latest_heartbeat_at: str | None
    latest_installed_at: str | None


class ClusterList(wire.Listed, kw_only=True):
    items: list[ClusterInFull]


class DeploymentList(wire.Listed, kw_only=True):
    items: list[Deployment]


class DeploymentRevisionList(wire.Listed, kw_only=True):
    items: list[DeploymentRevision]


class SecretList(wire.Listed, kw_only=True):
    items: list[Secret]


class TerminalRecordList(wire.Listed, kw_only=True):
    """No shells are recorded here, because none are given."""

    items: list[dict[str, Any]]


def nobody(name: str = "system") -> wire.User:
    """Who made what nobody of the registry made: clients want a person there."""
    return wire.User(
        uid="",
        created_at=wire.when(0.0),
        updated_at=wire.when(0.0),
        name=name,
        resource_type="user",
        labels=[],
        first_name="",
        last_name="",
        email="",
        is_super_admin=False,
    )


def person(users: Mapping[str, callers.User], uid: str) -> wire.User:
    return wire.user(users[uid]) if uid in users else nobody()


def instance_type(given: instance_types.InstanceType) -> InstanceType:
    return InstanceType(
        **_base(given.name, "resource_instance", uid=given.name),
        display_name=given.name,
        description=given.description,
        config=InstanceTypeConfig(
            group=given.group, resources=_resources(given), node_selectors=dict(given.node_selectors)
        ),
    )


def _resources(given: instance_types.InstanceType) -> Json:
    """Clients show the requests, and a GPU is a limit alone."""
    gpu = (given.resources.get("limits") or {}).get("gpu")
    requests = {**(given.resources.get("requests") or {}), **({"gpu": gpu} if gpu else {})}
    return {**given.resources, "requests": requests}


def cluster(
    given: StoredCluster,
    of: callers.Organization,
    users: Mapping[str, callers.User],
    *,
    is_first: bool,
) -> ClusterInFull:
    config = {"ingress_ip": "", "aws": "", **config_of(given)}
    return ClusterInFull(
        **_base(given.name, "cluster", given),
        creator=person(users, given.creator),
        description=given.description,
        organization_name=of.name,
        is_first=is_first,
        organization=wire.organization(of),
        config=config,
        resource_instances=[instance_type(each) for each in instance_types.read(config)],
    )


class Reader:
    """Who reads: their dialect, and whether they know every status."""

    def __init__(self, caller: callers.Caller, dialect: Dialect, bentos: Mapping[str, msgspec.Struct]) -> None:
        version = caller.client_version
        self.caller = caller
        self.dialect = dialect
        self._is_old = version is not None and version < _NEW_DIALECT_SINCE
        self._bentos = bentos

    def deployment(self, view: View, *, is_first: bool) -> Deployment:
        row, latest = view.row, view.latest
        status = for_old_clients(view.standing.status) if self._is_old else view.standing.status
        return Deployment(
            **_base(row.name, "deployment", row, view.labels),
            creator=person(view.users, row.creator),
            cluster=cluster(view.cluster, self.caller.organization, view.users, is_first=is_first),
            description=row.description,
            status=status.value,
            status_reason=view.standing.reason,
            kube_namespace=row.namespace,
            mode=(latest.asked.mode or None) if latest is not None else None,
            manifest=DeploymentManifest(routing=(latest.asked.routing or None) if latest is not None else None),
            latest_revision=self.revision(latest, view) if latest is not None else None,
            urls=list(view.urls),
        )

    def revision(
        self, given: RevisionView, view: View, users: Mapping[str, callers.User] | None = None
    ) -> DeploymentRevision:
        revision = given.revision
        people = users if users is not None else view.users
        meta = (view.object or {}).get("metadata") or {}
        is_active = view.latest is not None and view.latest.revision.uid == revision.uid
        uid, version = (str(meta.get(key, "")) if is_active else "" for key in ("uid", "resourceVersion"))
        targets = [
            self._target(given, index, target, people, uid=uid or given.asked.object_uid, version=version)
            for index, target in enumerate(given.asked.targets)
        ]
        return DeploymentRevision(
            **_base(revision.uid, "deployment_revision", revision),
            creator=person(people, revision.creator),
            status=revision.status,
            targets=targets,
        )

    def _target(
        self,
        given: RevisionView,
        index: int,
        target: Target,
        users: Mapping[str, callers.User],
        *,
        uid: str,
        version: str,
    ) -> DeploymentTarget:
        config = config_for(
            self.dialect, target, given.asked.dialect, entry=given.entry(target.tag), uid=uid, version=version
        )
        base = _base(target.name, "deployment_revision", given.revision)
        return DeploymentTarget(
            **{**base, "uid": f"{given.revision.uid}-{index}"},
            creator=person(users, given.revision.creator),
            type=target.type.value,
            canary_rules=[{**_RULE, **_set(rule)} for rule in target.rules] or None,
            bento=self._bento(target, given.revision.created_at),
            config=config,
            kube_resource_uid=uid,
            kube_resource_version=version,
        )

    def _bento(self, target: Target, created_at: float) -> TargetBento:
        """The registry's, or as much as a client needs of one that is gone from it."""
        found = self._bentos.get(str(target.tag))
        if found is not None:
            return TargetBento(**msgspec.structs.asdict(found))
        return _gone(target, self.caller.organization, created_at)


def _gone(target: Target, organization: callers.Organization, created_at: float) -> TargetBento:
    version = values.Version(
        uid="",
        created_at=created_at,
        updated_at=created_at,
        organization=organization.uid,
        kind=Kind.BENTO,
        repository="",
        repository_name=target.bento_repository,
        version=target.bento,
        manifest=_NO_MANIFEST,
        build_at=created_at,
        upload_status=values.UploadStatus.FAILED,
        upload_finished_reason="the bento is not in this registry",
    )
    holder = values.Repository(
        uid="",
        created_at=created_at,
        updated_at=created_at,
        organization=organization.uid,
        kind=Kind.BENTO,
        name=target.bento_repository,
    )
    repository = wire.BentoRepository(
        **wire.repository_fields(holder, people={}, organization=wire.organization(organization), n_deployments=0),
        latest_bento=None,
        latest_bentos=[],
        n_bentos=0,
    )
    fields = wire.version_fields(version, people={}, strategy="", is_deprecated=False, aliases=())
    return TargetBento(**fields, repository=repository)


def _set(rule: Mapping[str, Any]) -> Json:
    return {name: value for name, value in rule.items() if value is not None}


def secret(given: OrgSecret, shown: Cluster) -> Secret:
    base = _base(given.name, "secret", uid=given.uid)
    if given.created_at:
        base |= {"created_at": given.created_at, "updated_at": given.created_at}
    return Secret(
        **base,
        description=given.description,
        creator=nobody(given.creator or "system"),
        content=SecretContent(
            type=given.type.value,
            items=[SecretItem(key=item.key, sub_path=item.sub_path) for item in given.items],
            path=given.path,
            stage=given.stage,
        ),
        cluster=shown,
    )


def component(given: StoredComponent, shown: Cluster) -> Component:
    return Component(
        **_base(given.name, "yatai_component", given),
        creator=None,
        cluster=shown,
        description="",
        kube_namespace=given.namespace,
        version=given.version,
        manifest=json.loads(given.manifest or "{}"),
        latest_heartbeat_at=wire.when_if(given.latest_heartbeat_at),
        latest_installed_at=wire.when_if(given.latest_installed_at),
    )


def _base(
    name: str, resource_type: str, given: Any = None, labels: Sequence[values.Label] = (), *, uid: str = ""
) -> dict[str, Any]:
    return {
        "uid": given.uid if given is not None else uid,
        "created_at": wire.when(given.created_at if given is not None else 0.0),
        "updated_at": wire.when(given.updated_at if given is not None else 0.0),
        "name": name,
        "resource_type": resource_type,
        "labels": wire.labels(labels),
    }
