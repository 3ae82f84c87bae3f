"""Watches and what disturbs them: windows, bookmarks, expiry, broken connections."""

from typing import Any

import aiohttp
import pytest

from support.cluster import Cluster
from support.cluster.client import Api

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
PATH = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, **metadata: Any) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


async def test_a_watch_takes_up_where_a_list_ended(cluster: Cluster, api: Api) -> None:
    listed = await api.get(PATH)
    await cluster.create(config_map("before"))

    async with api.watch(PATH, resourceVersion=listed.version) as events:
        await cluster.create(config_map("after"))
        found = [(await events.next())[1]["metadata"]["name"] for _ in range(2)]

    assert found == ["before", "after"]


async def test_bookmarks_come_to_those_who_ask(cluster: Cluster, api: Api) -> None:
    listed = await api.get(PATH)
    async with (
        api.watch(PATH, resourceVersion=listed.version, allowWatchBookmarks="true") as asked,
        api.watch(PATH, resourceVersion=listed.version) as silent,
    ):
        await cluster.create({**config_map("elsewhere"), "metadata": {"name": "x", "namespace": "kube-public"}})
        cluster.bookmark()
        await cluster.create(config_map("here"))
        kind, marked = await asked.next()
        first = (await silent.next())[0]

    assert kind == "BOOKMARK"
    assert int(marked["metadata"]["resourceVersion"]) > int(listed.version)
    assert marked["kind"] == "ConfigMap"
    assert first == "ADDED"


async def test_a_list_can_come_as_a_watch(cluster: Cluster, api: Api) -> None:
    await cluster.create(config_map("here"))
    asked = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}

    async with api.watch(PATH, **asked) as events:
        added, marked = await events.next(), await events.next()

    assert added[0] == "ADDED"
    assert marked[0] == "BOOKMARK"
    assert marked[1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_version_that_is_forgotten_is_gone(cluster: Cluster, api: Api) -> None:
    listed = await api.get(PATH)
    await cluster.create(config_map("one"))
    cluster.expire()

    async with api.watch(PATH, resourceVersion=listed.version) as events:
        kind, status = await events.next()

    assert kind == "ERROR"
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith("too old resource version: ")


async def test_a_version_that_is_forgotten_may_be_refused_at_once(cluster: Cluster, api: Api) -> None:
    listed = await api.get(PATH)
    await cluster.create(config_map("one"))
    cluster.expire()
    cluster.server.watches.refuses_the_expired = True

    refused = await api.get(PATH, watch="true", resourceVersion=listed.version)

    assert (refused.code, refused.body["reason"]) == (410, "Expired")


async def test_open_watches_are_told_when_history_is_forgotten(cluster: Cluster, api: Api) -> None:
    listed = await api.get(PATH)
    async with api.watch(PATH, resourceVersion=listed.version) as events:
        cluster.expire()

        assert (await events.next())[0] == "ERROR"
        with pytest.raises(EOFError):
            await events.next()


async def test_pages_of_a_list_are_forgotten_too(cluster: Cluster, api: Api) -> None:
    for name in "ab":
        await cluster.create(config_map(name))
    first = await api.get(PATH, limit="1")
    cluster.expire()

    late = await api.get(PATH, limit="1", **{"continue": first.body["metadata"]["continue"]})

    assert (late.code, late.body["reason"]) == (410, "Expired")
    assert first.body["metadata"]["remainingItemCount"] == 1


async def test_a_list_of_the_future_is_refused(api: Api) -> None:
    refused = await api.get(PATH, resourceVersion="999999")

    assert refused.code == 504
    assert refused.body["message"].startswith("Timeout: Too large resource version: 999999")


async def test_a_watch_breaks_in_mid_stream(cluster: Cluster, api: Api) -> None:
    async with api.watch(PATH) as events:
        await cluster.create(config_map("one"))
        await events.next()
        cluster.cut_watches()

        with pytest.raises((aiohttp.ClientPayloadError, ConnectionError)):
            await events.next()

    assert cluster.watches() == []


async def test_events_after_a_deletion_have_the_versions_of_their_writes(cluster: Cluster, api: Api) -> None:
    made = await cluster.create(config_map("one"))
    async with api.watch(PATH, resourceVersion=made["metadata"]["resourceVersion"]) as events:
        await cluster.delete(config_map("one"))
        kind, last = await events.next()

    assert kind == "DELETED"
    assert int(last["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


async def test_one_object_is_watched_by_its_name(cluster: Cluster, api: Api) -> None:
    async with api.watch(PATH, fieldSelector="metadata.name=mine") as events:
        await cluster.create(config_map("theirs"))
        await cluster.create(config_map("mine"))

        assert (await events.next())[1]["metadata"]["name"] == "mine"
