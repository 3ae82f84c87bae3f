"""An operator against the API server double: started, waited for, and the cluster's own controllers played by hand."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fairlead.backends.kubernetes.install.crds import definitions
from fairlead.backends.kubernetes.operator import Followed, Operator, Options, find_config
from fairlead.backends.kubernetes.operator.leading import Terms
from fairlead.backends.kubernetes.operator.queueing import Patience
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.seldon import SeldonDialect
from support.cluster import Cluster

Document = dict[str, Any]
SELDON = SeldonDialect(external_url="")
FOLLOWED = [
    Followed(
        kind=kind,
        dialect=SELDON,
        source="seldon-controller-manager",
        tells_objects=True,
        controller_label="seldon.io/controller-id",
    )
    for kind in SELDON.kinds
]
DEPLOYMENT = "iris-default-0-classifier"
QUICK = Patience(first_s=0.01, longest_s=0.2)


def options(**changed: Any) -> Options:
    """An operator that is quick, listens on free ports, and needs no lease unless it is asked to."""
    known: dict[str, Any] = {
        "settings": ClusterSettings(namespace="default"),
        "host": "127.0.0.1",
        "metrics_port": 0,
        "health_port": 0,
        "elects": False,
        "patience": QUICK,
        "terms": Terms(lease_s=0.6, renew_s=0.4, retry_s=0.05),
        "calls_per_s": 2000.0,
        "call_burst": 1000,
        "settle_s": 0.02,
        "watch_pause_s": 0.02,
    }
    return Options(**{**known, **changed})


def sdep(name: str = "iris", *, namespace: str = "default", **predictor: Any) -> Document:
    """A SeldonDeployment of one model."""
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://models/iris"}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"predictors": [{"name": "default", "replicas": 1, "graph": graph, **predictor}]},
    }


def state(cluster: Cluster, name: str = "iris", namespace: str = "default") -> str:
    """The one word of its status."""
    doc = cluster.find("SeldonDeployment", name, namespace) or {}
    return str((doc.get("status") or {}).get("state", ""))


def events(cluster: Cluster) -> list[tuple[str, str]]:
    """What was told: reasons and messages."""
    return [(event["reason"], event["message"]) for event in cluster.objects("events")]


def reconciles(operator: Operator, result: str = "done") -> float:
    """How many have ended so."""
    samples = [sample for metric in operator.meter.reconciles.collect() for sample in metric.samples]
    return sum(one.value for one in samples if one.name.endswith("_total") and one.labels["result"] == result)


@asynccontextmanager
async def running_operator(
    cluster: Cluster,
    followed: Sequence[Followed] = FOLLOWED,
    chosen: Options | None = None,
    *,
    token: str | None = None,
) -> AsyncIterator[Operator]:
    """An operator that works until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        config = find_config(cluster.write_kubeconfig(Path(folder), token=token))
    operator = Operator(config, followed, chosen or options(), Catalog())
    stop = asyncio.Event()
    running = asyncio.create_task(operator.run(stop))
    try:
        yield operator
    finally:
        stop.set()
        await running


async def install(cluster: Cluster, followed: Sequence[Followed] = FOLLOWED) -> None:
    """Define the kinds that are followed."""
    dialects = {id(one.dialect): one.dialect for one in followed}
    await cluster.install(definitions(dialects.values()))


async def until(is_so: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Return when something is so; looked at again and again, so it takes no longer than it takes."""
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(0.005)


async def roll_out(cluster: Cluster, name: str, namespace: str = "default") -> None:
    """Play the Deployment controller: every pod of the newest template is ready."""
    doc = cluster.get("Deployment", name, namespace)
    count = doc["spec"].get("replicas", 1)
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
    conditions = [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "has minimum"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "has progressed"},
    ]
    status = {"observedGeneration": doc["metadata"]["generation"], "conditions": conditions, **counts}
    await cluster.merge(doc, {"status": status}, subresource="status")


async def roll_out_all(cluster: Cluster, namespace: str = "default") -> None:
    """All Deployments of a namespace."""
    for name in cluster.names("Deployment", namespace):
        await roll_out(cluster, name, namespace)


async def available(cluster: Cluster, name: str = "iris") -> None:
    """Roll out whatever comes until it is Available."""

    async def play() -> None:
        while state(cluster, name) != "Available":
            await roll_out_all(cluster)
            await asyncio.sleep(0.01)

    await asyncio.wait_for(play(), 10)
