"""A cluster as a place for deployments, beyond what every place promises (tests/control/test_deploying.py)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.kubernetes.deploying import ClusterPlace
from fairlead.backends.kubernetes.install.crds import definitions
from fairlead.backends.kubernetes.operator import find_config
from fairlead.dialects.bento import BentoDialect
from fairlead.errors import Forbidden, InvalidManifest, NotFound, Retryable
from fairlead.registry.deploying.place import LogPart
from support.cluster import Cluster, Fault, running_cluster
from support.operators import until

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
DEFINITIONS = definitions([BentoDialect()])


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        await running.install(DEFINITIONS)
        yield running


@pytest.fixture
async def place(cluster: Cluster, tmp_path: Path) -> AsyncIterator[ClusterPlace]:
    async with ClusterPlace(find_config(cluster.write_kubeconfig(tmp_path))) as place:
        yield place


def deployment(name: str = "d", namespace: str = "default", **spec: Any) -> Document:
    kind = {"apiVersion": "serving.yatai.ai/v2alpha1", "kind": "BentoDeployment"}
    return {**kind, "metadata": {"name": name, "namespace": namespace}, "spec": {"bento": "iris--v-1", **spec}}


def pod(name: str = "p", *containers: str, **annotations: str) -> Document:
    spec = {"containers": [{"name": each, "image": "i"} for each in containers or ("main",)]}
    meta = {"name": name, "namespace": "default", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def read(place: ClusterPlace, part: LogPart, name: str = "p") -> list[bytes]:
    return [line async for line in await place.log("default", name, part)]


async def test_who_wrote_an_object_is_on_record_and_what_others_tell_stays(
    place: ClusterPlace, cluster: Cluster
) -> None:
    await place.put(deployment())
    await cluster.merge(deployment(), {"status": {"url": "http://d.example"}}, subresource="status")

    again = await place.put(deployment(envs=[{"name": "A", "value": "1"}]))

    assert again["status"]["url"] == "http://d.example"
    assert "fairlead-registry" in [each["manager"] for each in again["metadata"]["managedFields"]]


async def test_an_object_that_changes_meanwhile_is_read_again(place: ClusterPlace, cluster: Cluster) -> None:
    await place.put(deployment())
    cluster.faults.add(Fault.CONFLICT, verbs="update", times=1)

    await place.put(deployment(labels={"a": "b"}))

    assert cluster.get("BentoDeployment", "d")["spec"]["labels"] == {"a": "b"}


async def test_without_definitions_nothing_is_there_and_nothing_can_be_put(tmp_path: Path) -> None:
    async with running_cluster() as bare, ClusterPlace(find_config(bare.write_kubeconfig(tmp_path))) as place:
        assert await place.list("BentoDeployment") == []
        assert await place.get("BentoDeployment", "default", "d") is None
        with pytest.raises(Retryable, match="is Fairlead installed"):
            await place.put(deployment(namespace="new"))
        assert "new" not in bare.names("namespaces")


async def test_what_the_cluster_forbids_is_said_to_be_the_registrys_lack(cluster: Cluster, tmp_path: Path) -> None:
    cluster.access.is_enforced = True
    token = cluster.access.account("fairlead-system", "fairlead-registry")
    async with ClusterPlace(find_config(cluster.write_kubeconfig(tmp_path, token=token))) as place:
        with pytest.raises(Forbidden, match="the cluster does not let the registry"):
            await place.put(deployment())
        with pytest.raises(Forbidden, match="the cluster does not let the registry"):
            await place.list("Secret")


async def test_a_place_of_one_namespace_looks_and_writes_nowhere_else(cluster: Cluster, tmp_path: Path) -> None:
    await cluster.create(deployment("elsewhere", "kube-public"))
    async with ClusterPlace(find_config(cluster.write_kubeconfig(tmp_path)), only=("default",)) as place:
        await place.put(deployment())

        assert [each["metadata"]["name"] for each in await place.list("BentoDeployment")] == ["d"]
        assert await place.list("BentoDeployment", "kube-public") == []
        assert await place.get("BentoDeployment", "kube-public", "elsewhere") is None
        await place.delete("BentoDeployment", "kube-public", "elsewhere")
        with pytest.raises(Forbidden, match="only to default"):
            await place.put(deployment("elsewhere", "kube-public"))
    assert cluster.find("BentoDeployment", "elsewhere", "kube-public") is not None


async def test_a_manifest_that_the_api_server_refuses_is_the_clients(place: ClusterPlace) -> None:
    with pytest.raises(InvalidManifest, match="minReplicas"):
        await place.put(deployment(autoscaling={"minReplicas": "two"}))


async def test_who_waits_for_one_kind_shares_a_watch_and_the_last_one_ends_it(
    place: ClusterPlace, cluster: Cluster
) -> None:
    async with aclosing(place.changes(("BentoDeployment",), "default")) as one:
        async with aclosing(place.changes(("BentoDeployment",), "default")) as other:
            await anext(one)
            await anext(other)
            await cluster.watched("bentodeployments")
            await place.put(deployment())
            await asyncio.wait_for(asyncio.gather(anext(one), anext(other)), 10)
        assert len(cluster.watches("bentodeployments")) == 1
    # A server learns that nobody listens any more when it has something to tell.
    await place.put(deployment("other"))
    await until(lambda: not cluster.watches("bentodeployments"))


@pytest.mark.parametrize("break_", [Cluster.cut_watches, Cluster.end_watches, Cluster.expire])
async def test_a_watch_that_breaks_is_begun_anew_and_what_happened_meanwhile_is_told(
    place: ClusterPlace, cluster: Cluster, break_: Callable[[Cluster], None]
) -> None:
    place.watches.pause_s = 0.01
    async with aclosing(place.changes(("BentoDeployment",))) as changes:
        await anext(changes)
        await cluster.watched("bentodeployments")
        break_(cluster)
        await place.put(deployment())

        async with asyncio.timeout(10):
            await anext(changes)
            await cluster.watched("bentodeployments")
            await anext(changes)


async def test_who_waits_goes_when_the_place_stops(place: ClusterPlace) -> None:
    changes = place.changes(("Pod",))
    await anext(changes)
    place.stop()
    async with asyncio.timeout(10):
        assert len([None async for _ in changes]) <= 1


async def test_a_log_is_that_of_the_main_container_unless_another_is_named(
    place: ClusterPlace, cluster: Cluster
) -> None:
    await cluster.create(pod("p", "main", "side"))
    await cluster.create(pod("q", "side", "main", **{"kubectl.kubernetes.io/default-container": "main"}))
    for name in ("p", "q"):
        cluster.logs.write(f"default/{name}/main", "one", "two")
        cluster.logs.write(f"default/{name}/side", "beside")

    assert await read(place, LogPart()) == [b"one\n", b"two\n"]
    assert await read(place, LogPart(), "q") == [b"one\n", b"two\n"]
    assert await read(place, LogPart(container="side")) == [b"beside\n"]
    assert await read(place, LogPart(tail_lines=1, has_times=True)) == [b"2026-01-01T00:00:00Z two\n"]


async def test_a_container_that_has_not_begun_has_no_log(place: ClusterPlace, cluster: Cluster) -> None:
    await cluster.create(pod())
    with pytest.raises(NotFound, match="waiting to start"):
        await place.log("default", "p", LogPart())


async def test_who_follows_waits_for_the_first_line_and_gets_every_one(place: ClusterPlace, cluster: Cluster) -> None:
    await cluster.create(pod())
    async with aclosing(await place.log("default", "p", LogPart(follows=True))) as log:
        first = asyncio.ensure_future(anext(log))
        await until(lambda: cluster.journal.counts["get", "pods/log", 400])
        cluster.logs.write("default/p/main", "one")
        assert await first == b"one\n"
        cluster.logs.write("default/p/main", "two", ends=True)
        assert [line async for line in log] == [b"two\n"]
