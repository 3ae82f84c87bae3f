"""Deployments of a registry to the API server double, with the rights that an installation gives it and no others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.kubernetes.install import registry_objects
from fairlead.backends.kubernetes.install.crds import definitions
from fairlead.control.cluster_deploying import Target, deploying
from fairlead.dialects.bento import BentoDialect
from fairlead.errors import ConfigError, Forbidden
from fairlead.registry.callers import Caller
from fairlead.registry.db import people
from fairlead.registry.deploying.place import LogPart
from fairlead.registry.deploying.secrets import NewSecret, SecretItem, SecretType
from fairlead.registry.deploying.words import Status
from fairlead.registry.service import Registry
from fairlead.registry.values import Kind, NewVersion
from support.cluster import Cluster, running_cluster
from support.deployments import NEW_MANIFEST, add_bento, add_cluster, new_v2
from support.installing import installation
from support.registries import Clock, add_caller, config

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
DEFINITIONS = definitions([BentoDialect()])
ACCOUNT = ("fairlead-system", "fairlead-registry")
RIGHTS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


@asynccontextmanager
async def serving(cluster: Cluster, folder: Path, **values: Any) -> AsyncIterator[tuple[Registry, Caller]]:
    """A registry that was installed with these values, and who deploys with it."""
    made = installation({"registry": {"enabled": True, **values}})
    await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}})
    for document in registry_objects.objects(made):
        if document["kind"] in RIGHTS:
            await cluster.create(document)
    cluster.access.is_enforced = True
    kubeconfig = cluster.write_kubeconfig(folder, token=cluster.access.account(*ACCOUNT))
    async with Registry.open(config(folder), clock=Clock()) as registry:
        caller = await add_caller(registry)
        await add_cluster(registry, caller, "default")
        async with deploying(registry, Target(kubeconfig=kubeconfig)):
            yield registry, caller


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        await running.install(DEFINITIONS)
        yield running


async def test_a_deployment_comes_runs_and_goes_with_the_rights_that_are_installed(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with serving(cluster, tmp_path) as (registry, caller):
        await add_bento(registry, caller, "iris:v1", NEW_MANIFEST)
        new = replace(new_v2(name="iris"), namespace="bentos")
        await registry.deployments.create(caller, "default", new)

        deployment = cluster.get("BentoDeployment", "iris", "bentos")
        assert cluster.get("BentoRequest", deployment["spec"]["bento"], "bentos")["spec"]["bentoTag"] == "iris:v1"
        await runs(cluster, deployment)
        view = await registry.deployments.get(caller, "default", "bentos", "iris")
        place = registry.clusters.places.by_name["default"]
        log = await place.log("bentos", "iris-0", LogPart(tail_lines=1))

        assert (view.row.status, list(view.urls)) == (Status.RUNNING, ["http://iris.example"])
        assert [line async for line in log] == [b"ready\n"]

        await registry.deployments.terminate(caller, "default", "bentos", "iris")
        await registry.deployments.delete(caller, "default", "bentos", "iris")
        assert cluster.names("BentoDeployment") == cluster.names("BentoRequest") == []


async def runs(cluster: Cluster, deployment: Document) -> None:
    """As the operator and a kubelet make it so."""
    meta = {"name": "iris-0", "namespace": "bentos", "labels": {"yatai.ai/bento-deployment": "iris"}}
    spec = {"containers": [{"name": "main", "image": "i"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    await cluster.create(pod)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await cluster.merge(pod, {"status": ready}, subresource="status")
    cluster.logs.write("bentos/iris-0/main", "starting", "ready")
    request = cluster.get("BentoRequest", deployment["spec"]["bento"], "bentos")
    available = {"type": "BentoAvailable", "status": "True", "reason": "Reconciling"}
    await cluster.merge(request, {"status": {"conditions": [available]}}, subresource="status")
    await cluster.merge(deployment, {"status": {"url": "http://iris.example"}}, subresource="status")


@pytest.mark.parametrize("is_allowed", [False, True])
async def test_secrets_are_kept_in_the_cluster_where_the_installation_allows_it(
    cluster: Cluster, tmp_path: Path, is_allowed: bool
) -> None:
    new = NewSecret(name="keys", type=SecretType.ENV, items=[SecretItem(key="K", value="v")])
    async with serving(cluster, tmp_path, deploySecrets=is_allowed) as (registry, caller):
        if not is_allowed:
            with pytest.raises(Forbidden, match="the cluster does not let the registry"):
                await registry.secrets.create(caller, "default", new)
            return
        await registry.secrets.create(caller, "default", new)
        assert cluster.get("Secret", "keys")["data"] == {"K": "dg=="}


async def test_a_model_that_a_cluster_fetches_is_in_use(cluster: Cluster, tmp_path: Path) -> None:
    await cluster.apply(_definition())
    for name, uri in (("own", "fairlead://iris:v1"), ("elsewhere", "s3://bucket/iris")):
        await cluster.create(_service(name, uri))
    async with serving(cluster, tmp_path) as (registry, caller):
        async with registry.database.begin() as connection:
            default = replace(caller.organization, uid="default-organization", name="default")
            await people.insert_organization(connection, default)
        owner = replace(caller, organization=default)
        await registry.repositories.create(owner, Kind.MODEL, "iris")
        held = '{"metadata": {"registry": "huggingface"}}'
        await registry.versions.create(owner, Kind.MODEL, "iris", NewVersion(version="v1", build_at=0.0, manifest=held))

        (lineage,) = registry.uses[-1:]
        assert await lineage.deployed(default.uid) == {(Kind.MODEL, "iris", "v1"): ["default/own"]}
        assert await lineage.deployed(caller.organization.uid) == {}


def _definition() -> Document:
    """A kind of that name, with any content."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "InferenceService", "plural": "inferenceservices", "singular": "inferenceservice"}
    spec = {"group": "serving.kserve.io", "names": names, "scope": "Namespaced", "versions": [version]}
    meta = {"name": "inferenceservices.serving.kserve.io"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}


def _service(name: str, uri: str) -> Document:
    spec = {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}}}
    kind = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    return {**kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def test_without_a_way_to_a_cluster_nothing_is_served(tmp_path: Path) -> None:
    async with Registry.open(config(tmp_path), clock=Clock()) as registry:
        with pytest.raises(ConfigError, match="no way to a cluster"):
            async with deploying(registry, Target(kubeconfig=tmp_path / "missing")):
                raise AssertionError
