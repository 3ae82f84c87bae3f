"""A manifest's roll-out by the operator, as the requests of its callers see it through the gateway: canary, promotion,
and the way back."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.kubernetes.operator import Followed
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import KServeDialect
from fairlead.plan.layout import Routing
from support.cluster import Cluster
from support.gateway_scenes import Scene, answer, scene
from support.isvc import isvc, model
from support.operators import install, options, running_operator
from support.wire import wire_to

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SETTINGS = ClusterSettings(namespace="default", has_own_gateway=True, routing=Routing.NONE)
Document = dict[str, Any]


def iris(uri: str, **predictor: Any) -> Document:
    made = isvc({**model(uri=uri), **predictor}, annotations={"serving.kserve.io/deploymentMode": "Knative"})
    return {**made, "metadata": {**made["metadata"], "namespace": "default"}}


def status(cluster: Cluster) -> Document:
    found: Document = (cluster.find("InferenceService", "iris") or {}).get("status") or {}
    return found


def traffic(cluster: Cluster) -> dict[str, int]:
    told = status(cluster).get("components", {}).get("predictor", {}).get("traffic", ())
    return {one["revisionName"].removeprefix("iris-predictor-"): one["percent"] for one in told}


async def until(is_so: Callable[[], object], cluster: Cluster) -> None:
    try:
        async with asyncio.timeout(40):
            while not is_so():
                await asyncio.sleep(0.01)
    except TimeoutError:
        deployments = {one["metadata"]["name"]: one.get("status") for one in cluster.objects("Deployment")}
        pods = {one["metadata"]["name"]: one.get("status") for one in cluster.objects("Pod")}
        events = [(one["reason"], one["message"]) for one in cluster.objects("events")]
        raise AssertionError(f"{status(cluster)}\n{deployments}\n{pods}\n{events}") from None


async def shares(made: Scene) -> dict[str, int]:
    """Which revisions answer fifty requests."""
    async with wire_to(made.gateways[0].port) as wire:
        answers = Counter([(await answer(wire)).split("-")[2] for _ in range(50)])
    return dict(answers)


async def test_a_canary_is_promoted_and_taken_back(tmp_path: Path) -> None:
    dialect = KServeDialect(settings=SETTINGS)
    followed = [Followed(kind=kind, dialect=dialect, source="kserve") for kind in dialect.kinds]
    async with scene(tmp_path) as (made, stack), AsyncExitStack() as operating:
        cluster = made.cluster
        await install(cluster, followed)
        await cluster.install([dict(one) for one in dialect.seeds() if one["kind"] == "ClusterServingRuntime"])
        await operating.enter_async_context(running_operator(cluster, followed, options(settings=SETTINGS)))
        await made.gateway(stack)

        await cluster.create(iris("gs://models/1"))
        await until(lambda: traffic(cluster) == {"00001": 100}, cluster)
        assert await shares(made) == {"00001": 50}

        await change(cluster, iris("gs://models/2", canaryTrafficPercent=20))
        await until(lambda: traffic(cluster) == {"00002": 20, "00001": 80}, cluster)
        await until(lambda: "00002" in str(made.gateways[0].gateway.switchboard.table.services), cluster)
        assert await shares(made) == {"00002": 10, "00001": 40}

        await change(cluster, iris("gs://models/2"))
        await until(lambda: traffic(cluster) == {"00002": 100}, cluster)
        await until(lambda: made.replicas(1) == 0, cluster)
        assert await shares(made) == {"00002": 50}

        await change(cluster, iris("gs://models/2", canaryTrafficPercent=0))
        await until(lambda: traffic(cluster) == {"00002": 0, "00001": 100}, cluster)
        assert await shares(made) == {"00001": 50}

        await change(cluster, iris("gs://models/3"))
        await until(lambda: traffic(cluster) == {"00003": 100}, cluster)
        assert await shares(made) == {"00003": 50}


async def change(cluster: Cluster, doc: Document) -> None:
    live = deepcopy(cluster.get("InferenceService", "iris"))
    await cluster.replace({**live, "spec": doc["spec"]})
