"""Events: counted up when they repeat, kept within bounds, and never in the way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.connecting import connect, find_config
from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.metering import Meter
from fairlead.backends.kubernetes.operator.recording import Recorder
from support.cluster import Cluster, Fault, running_cluster

pytestmark = pytest.mark.anyio

ABOUT = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {"name": "iris", "namespace": "default", "uid": "u", "resourceVersion": "1"},
}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        yield running


@pytest.fixture
async def api(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Api]:
    client = connect(find_config(cluster.write_kubeconfig(tmp_path)), timeout_s=5.0)
    yield Api(client, Bucket(1000.0, 1000, asyncio.get_running_loop().time), Meter())
    await client.aclose()


def recorder(api: Api) -> Recorder:
    return Recorder(api, lambda: "2026-01-01T00:00:00Z", lambda: 0.0)


async def test_the_same_again_raises_the_count_even_after_a_restart(cluster: Cluster, api: Api) -> None:
    for teller in (one := recorder(api), one, recorder(api)):
        await teller.tell(ABOUT, "Created", "it is", source="seldon-controller-manager")

    (event,) = cluster.objects("events")
    assert event["count"] == 3
    assert event["source"] == {"component": "seldon-controller-manager"}
    assert (event["type"], event["involvedObject"]["name"]) == ("Normal", "iris")


async def test_an_event_that_the_cluster_has_forgotten_is_told_anew(cluster: Cluster, api: Api) -> None:
    teller = recorder(api)
    await teller.tell(ABOUT, "Created", "it is", source="x")
    await cluster.delete(cluster.objects("events")[0])

    await teller.tell(ABOUT, "Created", "it is", source="x")

    assert [event["count"] for event in cluster.objects("events")] == [1]


async def test_one_object_cannot_flood_the_cluster(cluster: Cluster, api: Api) -> None:
    teller = recorder(api)
    for number in range(40):
        await teller.tell(ABOUT, "Failed", f"no. {number}", source="x", is_warning=True)

    assert len(cluster.objects("events")) == 25


async def test_an_event_that_cannot_be_written_stops_nothing(cluster: Cluster, api: Api) -> None:
    cluster.faults.add(Fault.SERVER_ERROR, kinds="Event")

    await recorder(api).tell(ABOUT, "Created", "it is", source="x")

    assert cluster.objects("events") == []


async def test_events_of_cluster_wide_objects_are_in_the_default_namespace(cluster: Cluster, api: Api) -> None:
    runtime = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "uid": "n"}}

    await recorder(api).tell(runtime, "Created", "it is", source="x")

    assert cluster.objects("events")[0]["metadata"]["namespace"] == "default"
