"""The operator as a whole, over real HTTP, with Seldon's dialect."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fairlead.backends.kubernetes.operator import Followed
from fairlead.dialects.seldon import SeldonDialect
from support.cluster import Cluster, running_cluster
from support.operators import install, options, roll_out_all, running_operator, until

pytestmark = pytest.mark.anyio
Document = dict[str, Any]

DIALECT = SeldonDialect(external_url="")
FOLLOWED = [
    Followed(
        kind=kind,
        dialect=DIALECT,
        source="seldon-controller-manager",
        tells_objects=True,
        controller_label="seldon.io/controller-id",
    )
    for kind in DIALECT.kinds
]


def sdep(name: str = "iris", **changed: Any) -> Document:
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://models/iris"}
    spec = {"predictors": [{"name": "default", "replicas": 1, "graph": graph, **changed}]}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        await install(running, FOLLOWED)
        yield running


def state(cluster: Cluster, name: str = "iris") -> str:
    doc = cluster.find("SeldonDeployment", name) or {}
    return str((doc.get("status") or {}).get("state", ""))


async def test_a_manifest_becomes_objects_and_then_available(cluster: Cluster) -> None:
    async with running_operator(cluster, FOLLOWED):
        await cluster.create(sdep())
        await until(lambda: cluster.find("Deployment", "iris-default-0-classifier"))
        await until(lambda: state(cluster) == "Creating")

        await roll_out_all(cluster)

        await until(lambda: state(cluster) == "Available")
    owner = cluster.get("Service", "iris-default")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == cluster.get("SeldonDeployment", "iris")["metadata"]["uid"]


async def test_an_idle_operator_writes_nothing_and_its_restart_neither(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster, FOLLOWED):
        await until(lambda: cluster.names("Deployment"))
        await roll_out_all(cluster)
        await until(lambda: state(cluster) == "Available")
    cluster.journal.clear()

    async with running_operator(cluster, FOLLOWED) as operator:
        await until(lambda: reconciled(operator) >= 1)

    verbs = set(cluster.journal.by_verb())
    assert verbs <= {"get", "list", "watch"}, cluster.journal.by_verb()


def reconciled(operator: Any, result: str = "done") -> float:
    return sum(
        sample.value
        for metric in operator.meter.reconciles.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["result"] == result
    )


async def test_drift_is_corrected(cluster: Cluster) -> None:
    async with running_operator(cluster, FOLLOWED):
        await cluster.create(sdep())
        await until(lambda: cluster.names("Deployment"))
        deployment = cluster.objects("Deployment")[0]

        await cluster.merge(deployment, {"spec": {"replicas": 5}})
        await until(lambda: cluster.objects("Deployment")[0]["spec"]["replicas"] == 1)

        await cluster.delete(cluster.get("Service", "iris-default"))
        await until(lambda: cluster.find("Service", "iris-default"))


__all__ = ["options"]
