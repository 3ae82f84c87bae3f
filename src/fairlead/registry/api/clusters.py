"""Operations on clusters, their components and instance types, and on secrets for deployments."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response

from fairlead.errors import BadRequest
from fairlead.registry.api import deployments_shapes as shapes
from fairlead.registry.api.calls import Call, answer
from fairlead.registry.api.deployments_showing import first_cluster
from fairlead.registry.api.routing import LIST_QUERY, Operation, Parameter
from fairlead.registry.db import people
from fairlead.registry.db.people import Cluster
from fairlead.registry.deploying import instance_types
from fairlead.registry.deploying.clusters import config_of
from fairlead.registry.deploying.secrets import NewSecret, OrgSecret, SecretItem, SecretType

_CLUSTER = Parameter(name="cluster", about="Name of the cluster; the first one when empty.")


class CreateCluster(msgspec.Struct, kw_only=True):
    """`kube_config` is passed over: whoever serves a cluster has access to it."""

    name: str
    description: str | None = None
    kube_config: str | None = None
    config: dict[str, Any] | None = None


class UpdateCluster(msgspec.Struct, kw_only=True):
    description: str | None = None
    kube_config: str | None = None
    config: dict[str, Any] | None = None


class RegisterComponent(msgspec.Struct, kw_only=True):
    name: str
    kube_namespace: str | None = None
    version: str | None = None
    selector_labels: dict[str, str] | None = None
    manifest: dict[str, Any] | None = None


class GivenItem(msgspec.Struct, kw_only=True):
    key: str
    value: str | None = None
    sub_path: str | None = None


class GivenContent(msgspec.Struct, kw_only=True):
    type: str
    items: list[GivenItem]
    path: str | None = None
    stage: str | None = None


class UpdateSecret(msgspec.Struct, kw_only=True):
    content: GivenContent
    description: str | None = None


class CreateSecret(UpdateSecret, kw_only=True):
    name: str


def operations() -> Sequence[Operation]:
    """All of them."""
    return [*_clusters(), *_secrets()]


def _clusters() -> Sequence[Operation]:
    here = partial(Operation, tag="clusters")
    full = shapes.ClusterInFull
    return [
        here(
            method="GET", path="/api/v1/clusters", handler=_list, name="listClusters", about="Lists clusters.",
            query=LIST_QUERY, gives=shapes.ClusterList,
        ),
        here(
            method="POST", path="/api/v1/clusters", handler=_create, name="createCluster", about="Adds a cluster.",
            takes=CreateCluster, gives=full,
        ),
        here(
            method="GET", path="/api/v1/clusters/{cluster}", handler=_get, name="getCluster",
            about="Shows a cluster.", gives=full,
        ),
        here(
            method="PATCH", path="/api/v1/clusters/{cluster}", handler=_update, name="updateCluster",
            about="Changes what is given of a cluster.", takes=UpdateCluster, gives=full,
        ),
        here(
            method="GET", path="/api/v1/current_org/major_cluster", handler=_major, name="getMajorCluster",
            about="Shows the organization's first cluster.", gives=full,
        ),
        here(
            method="GET", path="/api/v1/instance_types", handler=_instance_types, name="listInstanceTypes",
            about="Lists the sizes that services can have by name.", query=(_CLUSTER,),
            gives=list[shapes.InstanceType],
        ),
        here(
            method="GET", path="/api/v1/yatai_components", handler=_all_components, name="listAllComponents",
            about="Lists operators elsewhere.", gives=list[shapes.Component],
        ),
        here(
            method="GET", path="/api/v1/clusters/{cluster}/yatai_components", handler=_components,
            name="listComponents", about="Lists the operators of a cluster.", gives=list[shapes.Component],
        ),
        here(
            method="POST", path="/api/v1/clusters/{cluster}/yatai_components", handler=_register,
            name="registerComponent", about="Notes that an operator is there.", takes=RegisterComponent,
            gives=shapes.Component,
        ),
    ]  # fmt: skip


def _secrets() -> Sequence[Operation]:
    here = partial(Operation, tag="secrets")
    one = "/api/v1/org_secrets/{secret}"
    return [
        here(
            method="GET", path="/api/v1/org_secrets", handler=_list_secrets, name="listSecrets",
            about="Lists secrets, without their values.", query=LIST_QUERY, gives=shapes.SecretList,
        ),
        here(
            method="POST", path="/api/v1/org_secrets", handler=_create_secret, name="createSecret",
            about="Keeps a secret for deployments.", takes=CreateSecret, gives=shapes.Secret, query=(_CLUSTER,),
        ),
        here(
            method="GET", path=one, handler=_get_secret, name="getSecret", about="Shows a secret, without its values.",
            gives=shapes.Secret, query=(_CLUSTER,),
        ),
        here(
            method="PATCH", path=one, handler=_update_secret, name="updateSecret", about="Gives a secret other values.",
            takes=UpdateSecret, gives=shapes.Secret, query=(_CLUSTER,),
        ),
        here(
            method="DELETE", path=one, handler=_delete_secret, name="deleteSecret", about="Removes a secret.",
            gives=shapes.Secret, query=(_CLUSTER,),
        ),
    ]  # fmt: skip


async def _shown(call: Call, found: Sequence[Cluster]) -> list[shapes.ClusterInFull]:
    first = await first_cluster(call)
    async with call.registry.database.read() as connection:
        users = await people.names_of(connection, [each.creator for each in found])
    of = call.caller.organization
    return [shapes.cluster(each, of, users, is_first=each.uid == first) for each in found]


async def _list(call: Call) -> Response:
    page = await call.registry.clusters.list(call.caller, call.list_query())
    items = await _shown(call, page.items)
    return answer(shapes.ClusterList(start=page.start, count=page.count, total=page.total, items=items))


async def _create(call: Call) -> Response:
    asked = await call.body(CreateCluster)
    made = await call.registry.clusters.create(call.caller, asked.name, asked.description or "", asked.config or {})
    return answer((await _shown(call, [made]))[0])


async def _get(call: Call) -> Response:
    return answer((await _shown(call, [await call.registry.clusters.get(call.caller, call.path("cluster"))]))[0])


async def _update(call: Call) -> Response:
    asked = await call.body(UpdateCluster)
    changed = await call.registry.clusters.update(call.caller, call.path("cluster"), asked.description, asked.config)
    return answer((await _shown(call, [changed]))[0])


async def _major(call: Call) -> Response:
    return answer((await _shown(call, [await call.registry.clusters.get(call.caller)]))[0])


async def _instance_types(call: Call) -> Response:
    cluster = await call.registry.clusters.get(call.caller, call.query("cluster"))
    return answer([shapes.instance_type(each) for each in instance_types.read(config_of(cluster))])


async def _all_components(call: Call) -> Response:
    clusters = {each.uid: each for each in await call.registry.clusters.all(call.caller)}
    found = [each for each in await call.registry.clusters.components(call.caller) if each.cluster in clusters]
    shown = dict(zip(clusters, await _shown(call, list(clusters.values())), strict=True))
    return answer([shapes.component(each, shown[each.cluster]) for each in found])


async def _components(call: Call) -> Response:
    cluster = await call.registry.clusters.get(call.caller, call.path("cluster"))
    (shown,) = await _shown(call, [cluster])
    found = await call.registry.clusters.components(call.caller, cluster)
    return answer([shapes.component(each, shown) for each in found])


async def _register(call: Call) -> Response:
    asked = await call.body(RegisterComponent)
    cluster = await call.registry.clusters.get(call.caller, call.path("cluster"))
    manifest = asked.manifest or {"selector_labels": asked.selector_labels or {}}
    heard = await call.registry.clusters.heard_of(
        call.caller,
        cluster,
        name=asked.name,
        namespace=asked.kube_namespace or "",
        version=asked.version or "",
        manifest=json.dumps(manifest),
    )
    return answer(shapes.component(heard, (await _shown(call, [cluster]))[0]))


async def _list_secrets(call: Call) -> Response:
    query = call.list_query()
    found = await call.registry.secrets.list(call.caller, query)
    some = found[query.start : query.start + query.count if query.count else None]
    items = await _shown_secrets(call, some)
    return answer(shapes.SecretList(start=query.start, count=query.count, total=len(found), items=items))


async def _shown_secrets(call: Call, found: Sequence[OrgSecret]) -> list[shapes.Secret]:
    clusters = await _shown(call, [each.cluster for each in found])
    return [shapes.secret(each, shown) for each, shown in zip(found, clusters, strict=True)]


async def _get_secret(call: Call) -> Response:
    found = await call.registry.secrets.get(call.caller, call.query("cluster"), call.path("secret"))
    return answer((await _shown_secrets(call, [found]))[0])


async def _create_secret(call: Call) -> Response:
    asked = await call.body(CreateSecret)
    made = await call.registry.secrets.create(call.caller, call.query("cluster"), _new(asked.name, asked))
    return answer((await _shown_secrets(call, [made]))[0])


async def _update_secret(call: Call) -> Response:
    asked = await call.body(UpdateSecret)
    new = _new(call.path("secret"), asked)
    changed = await call.registry.secrets.update(call.caller, call.query("cluster"), new)
    return answer((await _shown_secrets(call, [changed]))[0])


async def _delete_secret(call: Call) -> Response:
    gone = await call.registry.secrets.delete(call.caller, call.query("cluster"), call.path("secret"))
    return answer((await _shown_secrets(call, [gone]))[0])


def _new(name: str, asked: UpdateSecret) -> NewSecret:
    content = asked.content
    if content.type not in set(SecretType):
        raise BadRequest(f"content.type is {content.type!r}; accepted: {', '.join(SecretType)}")
    return NewSecret(
        name=name,
        type=SecretType(content.type),
        items=[SecretItem(key=item.key, value=item.value, sub_path=item.sub_path) for item in content.items],
        description=asked.description or "",
        path=content.path,
        stage=content.stage,
    )
