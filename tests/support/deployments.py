"""Registries with a cluster that has a place, and bentos to deploy there."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairlead.registry.callers import Caller
from fairlead.registry.db import people
from fairlead.registry.db.people import Cluster
from fairlead.registry.db.tables import versions
from fairlead.registry.deploying.asked import asked_v1, asked_v2
from fairlead.registry.deploying.service import NewDeployment
from fairlead.registry.service import Registry
from fairlead.registry.uids import new_uid
from fairlead.registry.values import Kind, ListQuery, NewVersion, UploadStatus
from support.deployment_places import FakePlace
from support.registries import Clock, add_caller, config

OLD_MANIFEST = {
    "service": "service:svc",
    "bentoml_version": "1.1.11",
    "apis": {},
    "models": [],
    "runners": [{"name": "iris_clf", "runnable_type": "Sklearn", "models": [], "resource_config": None}],
    "size_bytes": 9,
}
NEW_MANIFEST = {
    "service": "service:Iris",
    "entry_service": "Iris",
    "bentoml_version": "1.4.39",
    "services": [{"name": "Iris", "service": "service:Iris", "models": []}],
    "models": [],
    "size_bytes": 9,
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A registry whose first cluster has a fake place."""

    registry: Registry
    caller: Caller
    place: FakePlace
    clock: Clock

    async def add_bento(self, tag: str, manifest: dict[str, Any] = NEW_MANIFEST, *, is_complete: bool = True) -> None:
        await add_bento(self.registry, self.caller, tag, manifest, is_complete=is_complete)

    async def add_cluster(self, name: str) -> Cluster:
        return await add_cluster(self.registry, self.caller, name)

    async def run(self, name: str, namespace: str = "default") -> None:
        """Let a deployment's bento be here and its pod answer, as a back-end would."""
        document = self.place.objects["BentoDeployment", namespace, name]
        available = {"conditions": [{"type": "BentoAvailable", "status": "True"}]}
        await self.place.set("BentoRequest", namespace, document["spec"]["bento"], status=available)
        await self.place.add_pod(namespace, f"{name}-0", bento_deployment=name)
        await self.place.set("BentoDeployment", namespace, name, status={"url": f"http://here/{name}/"})


@asynccontextmanager
async def scene(folder: Path, *, database: str = "") -> AsyncIterator[Scene]:
    clock = Clock()
    async with Registry.open(config(folder, database=database), clock=clock) as registry:
        caller = await add_caller(registry)
        await add_cluster(registry, caller, "default")
        place = FakePlace()
        registry.clusters.places.by_name["default"] = place
        yield Scene(registry=registry, caller=caller, place=place, clock=clock)


async def add_cluster(registry: Registry, caller: Caller, name: str) -> Cluster:
    now = registry.clock()
    cluster = Cluster(uid=new_uid(), name=name, created_at=now, updated_at=now, organization=caller.organization.uid)
    async with registry.database.begin() as connection:
        await people.insert_cluster(connection, cluster)
    return cluster


async def add_bento(
    registry: Registry, caller: Caller, tag: str, manifest: dict[str, Any], *, is_complete: bool = True
) -> None:
    """A bento whose bytes nobody asks for."""
    name, version = tag.split(":")
    found = await registry.repositories.list(caller, Kind.BENTO, ListQuery())
    if name not in {each.name for each in found.items}:
        await registry.repositories.create(caller, Kind.BENTO, name)
    new = NewVersion(version=version, build_at=registry.clock(), manifest=json.dumps(manifest))
    made = await registry.versions.create(caller, Kind.BENTO, name, new)
    if is_complete:
        await mark_uploaded(registry, made.uid)


async def mark_uploaded(registry: Registry, uid: str) -> None:
    """As if the bytes of a version had come."""
    async with registry.database.begin() as connection:
        done = versions.update().where(versions.c.uid == uid).values(upload_status=UploadStatus.SUCCESS.value)
        await connection.execute(done)


def v2_body(**changes: Any) -> dict[str, Any]:
    """What `bentoml deploy` of a client since 1.2 sends."""
    services = {"Iris": {"scaling": {"min_replicas": 1, "max_replicas": 2}, "config_overrides": {}}}
    body = {"bento": "iris:v1", "name": "iris-dep", "services": services, "envs": None, "access_authorization": False}
    return body | changes


def v1_body(**changes: Any) -> dict[str, Any]:
    """What `bentoml deployment create` of a client before 1.2 sends."""
    target = {"type": "stable", "bento_repository": "iris", "bento": "v1", "config": {"enable_ingress": True}}
    return {"name": "iris-dep", "kube_namespace": "default", "targets": [target], "mode": None} | changes


def new_v2(**changes: Any) -> NewDeployment:
    body = v2_body(**changes)
    return NewDeployment(asked=asked_v2(body), name=body["name"] or "")


def new_v1(**changes: Any) -> NewDeployment:
    body = v1_body(**changes)
    asked = asked_v1(body)
    assert asked is not None
    return NewDeployment(
        asked=asked,
        name=body["name"],
        namespace=body["kube_namespace"] or "",
        is_noted=bool(body.get("do_not_deploy")),
    )
