"""Following the objects that a selector names, against the API server double."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.kubernetes.following import Follower
from fairlead.backends.kubernetes.operator import find_config
from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.connecting import connect
from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.resources import CONFIG_MAP, ResourceType
from support.cluster import Cluster, running_cluster
from support.operators import until

pytestmark = pytest.mark.anyio

NOBODYS = ResourceType(group="example.com", versions=("v1",), kind="Thing", plural="things")


@asynccontextmanager
async def following(
    folder: Path, kind: ResourceType = CONFIG_MAP, changed: Callable[[], None] = lambda: None
) -> AsyncIterator[tuple[Cluster, Follower]]:
    async with running_cluster() as cluster:
        client = connect(find_config(cluster.write_kubeconfig(folder)), timeout_s=5.0)
        api = Api(client, Bucket(1000.0, 1000, time.monotonic), Meter())
        await cluster.create(one("before"))
        follower = Follower(api=api, kind=kind, changed=changed, labels="app=a")
        task = asyncio.create_task(follower.run())
        await until(lambda: follower.is_known)
        try:
            yield cluster, follower
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.aclose()


def one(name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": {"app": "a", **labels}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def names(follower: Follower) -> set[str]:
    return {name for _, name in follower.objects}


async def test_what_is_there_and_what_comes_and_goes_is_known(tmp_path: Path) -> None:
    async with following(tmp_path) as (cluster, follower):
        assert names(follower) == {"before"}
        await cluster.watched("configmaps")
        made = await cluster.create(one("after"))
        await cluster.create(one("other", app="b"))
        await until(lambda: names(follower) == {"before", "after"})
        await cluster.merge(made, {"data": {"a": "b"}})
        await until(lambda: follower.objects["default", "after"].get("data") == {"a": "b"})
        await cluster.delete(made)
        await until(lambda: names(follower) == {"before"})


async def test_it_goes_on_after_watches_that_end_or_break(tmp_path: Path) -> None:
    async with following(tmp_path) as (cluster, follower):
        for number, disturb in enumerate((cluster.end_watches, cluster.cut_watches, cluster.expire)):
            await cluster.watched("configmaps")
            disturb()
            await cluster.create(one(f"made-{number}"))
            await until(lambda number=number: f"made-{number}" in names(follower))  # type: ignore[misc]


async def test_what_went_while_nobody_watched_is_gone(tmp_path: Path) -> None:
    async with following(tmp_path) as (cluster, follower):
        await cluster.watched("configmaps")
        cluster.cut_watches()
        await cluster.delete(cluster.get("ConfigMap", "before"))
        cluster.expire()
        await until(lambda: not names(follower))


async def test_a_kind_that_is_not_served_is_nothing(tmp_path: Path) -> None:
    async with following(tmp_path, NOBODYS) as (_, follower):
        assert names(follower) == set()
