"""The real kubectl against the double, in the ways that people and the operator's documentation use it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support.cluster import Cluster
from support.kubectl import Kubectl

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: iris
spec:
  replicas: 1
  selector: {matchLabels: {app: iris}}
  template:
    metadata: {labels: {app: iris}}
    spec:
      containers:
      - name: main
        image: example.com/iris:1
        ports: [{containerPort: 8080}]
"""


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: Path) -> Kubectl:
    return Kubectl(cluster.write_kubeconfig(tmp_path), tmp_path / "cache")


async def apply(kubectl: Kubectl, manifest: str = MANIFEST, *options: str) -> str:
    return await kubectl.run("apply", "-f", "-", *options, stdin=manifest)


async def test_apply_creates_then_configures_then_leaves_alone(cluster: Cluster, kubectl: Kubectl) -> None:
    assert "created" in await apply(kubectl)
    assert "unchanged" in await apply(kubectl)
    assert "configured" in await apply(kubectl, MANIFEST.replace("iris:1", "iris:2"))

    (container,) = cluster.get("Deployment", "iris")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "example.com/iris:2"


async def test_server_side_apply_takes_over_from_apply(cluster: Cluster, kubectl: Kubectl) -> None:
    await apply(kubectl)

    assert "serverside-applied" in await apply(kubectl, MANIFEST.replace("iris:1", "iris:2"), "--server-side")
    assert "serverside-applied" in await apply(kubectl, MANIFEST.replace("replicas: 1", "replicas: 2"), "--server-side")

    assert cluster.get("Deployment", "iris")["spec"]["replicas"] == 2


async def test_a_conflict_is_told_field_by_field(cluster: Cluster, kubectl: Kubectl) -> None:
    await cluster.apply(
        json.loads(await kubectl.run("create", "--dry-run=client", "-o", "json", "-f", "-", stdin=MANIFEST))
    )

    process = await kubectl.start("apply", "--server-side", "-f", "-")
    _, error = await process.communicate(MANIFEST.replace("replicas: 1", "replicas: 2").encode())

    assert process.returncode == 1
    assert 'conflict with "test": .spec.replicas' in error.decode()


async def test_unknown_fields_are_refused_before_anything_happens(cluster: Cluster, kubectl: Kubectl) -> None:
    process = await kubectl.start("apply", "-f", "-")
    _, error = await process.communicate(MANIFEST.replace("image:", "picture:").encode())

    assert process.returncode == 1
    assert 'unknown field "spec.template.spec.containers[0].picture"' in error.decode()
    assert cluster.names("Deployment") == []


async def test_get_follows_what_happens(cluster: Cluster, kubectl: Kubectl) -> None:
    await apply(kubectl)
    process = await kubectl.start("get", "deployment", "iris", "-w", "--output-watch-events", "--no-headers")
    assert process.stdout is not None

    async def line() -> str:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            return (await process.stdout.readline()).decode()

    first = await line()
    await cluster.watched("deployments")
    cluster.settle()
    ready = first
    while "1/1" not in ready:
        ready = await line()
    await cluster.delete(cluster.get("Deployment", "iris"))
    last = ready
    while "DELETED" not in last:
        last = await line()
    process.terminate()
    await process.wait()

    assert first.split()[:3] == ["ADDED", "iris", "0/1"]


async def test_delete_waits_until_what_is_owned_is_gone(cluster: Cluster, kubectl: Kubectl) -> None:
    await apply(kubectl)
    cluster.settle()

    assert "deleted" in await kubectl.run("delete", "deployment", "iris", "--cascade=foreground", "--timeout=20s")

    assert cluster.names("ReplicaSet") == []


async def test_everything_is_listed_by_its_short_name(cluster: Cluster, kubectl: Kubectl) -> None:
    await apply(kubectl)
    cluster.settle()

    assert "deployment.apps/iris" in await kubectl.run("get", "all")
    assert (await kubectl.run("get", "po", "-o", "name")).startswith("pod/iris-")
    assert "1/1" in await kubectl.run("get", "deploy", "iris")


async def test_rollouts_and_waits_end(cluster: Cluster, kubectl: Kubectl) -> None:
    await apply(kubectl)
    cluster.settle()

    assert "successfully rolled out" in await kubectl.run("rollout", "status", "deployment/iris", "--timeout=20s")
    assert "condition met" in await kubectl.run("wait", "--for=condition=Available", "deployment/iris", "--timeout=20s")


async def test_questions_of_rights_are_answered(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    assert (await kubectl.run("auth", "can-i", "delete", "deployments")).strip() == "yes"

    assert (await kubectl.run("version")).count("v1.") >= 2


async def test_definitions_are_applied_and_used(cluster: Cluster, kubectl: Kubectl) -> None:
    free: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": free}}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wg"]},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"a": 1}}

    await apply(kubectl, json.dumps(crd))
    await kubectl.run("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=20s")
    await apply(kubectl, json.dumps(widget))

    assert (await kubectl.json("get", "wg", "w"))["spec"] == {"a": 1}
