"""Whatever goes wrong and whatever people do meanwhile, the cluster ends where it would have come to undisturbed.

Each story has a seed: people create, change, break and delete while calls fail, answers are lost, watches break and
the operator is restarted. Afterwards the same manifests are given to another cluster where nothing goes wrong, and
both must hold the same objects. `FAIRLEAD_TEST_STORIES` says how many stories there are.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from fairlead.backends.kubernetes.operator import Followed, Operator
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import KServeDialect
from support.cluster import Cluster, Fate, Fault, running_cluster
from support.cluster_definitions import ROUTES
from support.cluster_users import People, orphans, owned_objects
from support.operators import FOLLOWED, install, options, reconciles, running_operator

pytestmark = [pytest.mark.anyio, pytest.mark.slow(5)]

Document = dict[str, Any]
NAMES = ("ash", "birch", "cedar", "elm", "fir", "hazel", "juniper", "larch", "maple", "oak")
ACTIONS = 240
SEEDS = range(int(os.environ.get("FAIRLEAD_TEST_STORIES", "4")))
_FAULTS = (
    Fault.SERVER_ERROR,
    Fault.UNAVAILABLE,
    Fault.THROTTLED,
    Fault.RESET,
    Fault.LOST_ANSWER,
    Fault.LOST_ANSWER_500,
)
_SETTINGS = ClusterSettings(namespace="default")
_KSERVE = KServeDialect(settings=_SETTINGS)
_FOLLOWED = [*FOLLOWED, *(Followed(kind=kind, dialect=_KSERVE, source="kserve") for kind in _KSERVE.kinds)]


@asynccontextmanager
async def _world() -> AsyncIterator[Cluster]:
    async with running_cluster() as cluster:
        cluster.faults.retry_after_s = 0
        await install(cluster, _FOLLOWED)
        await cluster.install([dict(seed) for seed in _KSERVE.seeds() if seed["kind"] == "ClusterServingRuntime"])
        await cluster.install([ROUTES])
        yield cluster


def _is_settled(cluster: Cluster, manifests: dict[tuple[str, str], Document]) -> bool:
    cluster.settle()
    return all(_is_up(cluster.find(kind, name)) for kind, name in manifests)


def _is_up(document: Document | None) -> bool:
    status = (document or {}).get("status") or {}
    if (document or {}).get("kind") == "SeldonDeployment":
        return bool(status.get("state") == "Available")
    return any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or ())


async def _wanted(manifests: dict[tuple[str, str], Document]) -> dict[str, Document]:
    """What a cluster comes to in which nothing goes wrong."""
    async with _world() as cluster:
        for document in manifests.values():
            await cluster.create(deepcopy(document))
        async with running_operator(cluster, _FOLLOWED, options(settings=_SETTINGS)) as operator:
            await _until_settled(cluster, operator, manifests)
        return owned_objects(cluster)


async def _until_settled(cluster: Cluster, operator: Operator, manifests: dict[tuple[str, str], Document]) -> None:
    """Until everything has been looked at and is up, and nothing is written any more. What an earlier operator wrote
    may be up before this one has begun."""
    calm, revision = 0, -1
    async with asyncio.timeout(60):
        while calm < 5:
            is_calm = _is_settled(cluster, manifests) and cluster.state.storage.revision == revision
            has_looked = reconciles(operator) >= len(manifests) and all(is_so() for is_so in operator.is_ready)
            is_idle = has_looked and not len(operator.queue) and not operator.queue.working
            calm = calm + 1 if is_calm and is_idle else 0
            revision = cluster.state.storage.revision
            await asyncio.sleep(0.02)


async def _tell(cluster: Cluster, seed: int) -> tuple[People, float]:
    """One story; the people at its end, and how many reconciles it took."""
    random = Random(seed)
    people = People(cluster, random, NAMES)
    cluster.faults.random = Random(seed)
    for fault in _FAULTS:
        cluster.faults.add(fault, chance=0.03)
    cluster.faults.add(Fault.CONFLICT, chance=0.15, verbs=("update", "apply", "create"))
    cluster.state.random = Random(seed)
    done = 0.0
    for _ in range(3):
        async with running_operator(cluster, _FOLLOWED, options(settings=_SETTINGS)) as operator:
            for _ in range(ACTIONS // 3):
                await people.act()
                await asyncio.sleep(random.choice((0, 0.01, 0.03)))
            done += sum(reconciles(operator, word) for word in ("done", "conflict", "later", "refused"))
    return people, done


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_end_is_the_same_as_without_faults(seed: int) -> None:
    async with _world() as cluster:
        people, done = await _tell(cluster, seed)
        cluster.faults.clear()
        cluster.world.pods.default = Fate.READY

        async with running_operator(cluster, _FOLLOWED, options(settings=_SETTINGS)) as operator:
            await _until_settled(cluster, operator, people.manifests)
            done += reconciles(operator)

        assert owned_objects(cluster) == await _wanted(people.manifests)
        assert orphans(cluster) == []
        assert people.lost_changes() == []
        assert done > 100
