"""What a place for deployments promises, held by the control plane's store, by a cluster, and by the fake that other
tests use."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.kubernetes.deploying import ClusterPlace
from fairlead.backends.kubernetes.install.crds import definitions
from fairlead.backends.kubernetes.operator import find_config
from fairlead.control.api.kinds import POD, resources_of
from fairlead.control.api.pod_logs import LogQuery, PodSource
from fairlead.control.deploying import StoredPlace
from fairlead.control.store import NAMESPACE, Store
from fairlead.dialects.base import Kind
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from fairlead.errors import InvalidManifest, NotFound
from fairlead.registry.deploying.place import LogPart, Place
from support.cluster import running_cluster
from support.deployment_places import FakePlace

pytestmark = pytest.mark.anyio
BENTO = BentoDialect()
DATA_URL = "http://10.0.0.1:8080"
NOW = "2026-01-01T00:00:00Z"


class _Logs:
    """One replica's; it is there after so many who have asked in vain."""

    def __init__(self, missing: int = 0) -> None:
        self.missing = missing

    async def log(self, namespace: str, name: str, query: LogQuery) -> AsyncGenerator[bytes, None]:
        self.missing -= 1
        if (namespace, name) != ("default", "p-0") or self.missing >= 0:
            raise NotFound("no log")
        return self._lines(query)

    async def _lines(self, query: LogQuery) -> AsyncGenerator[bytes, None]:
        for line in [b"one\n", b"two\n"][-(query.tail_lines or 2) :]:
            yield line


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "objects.db")
    yield opened
    await opened.close()


@pytest.fixture
def make_place(store: Store) -> Callable[[PodSource], StoredPlace]:
    """A place over the store whose replicas' logs come from there."""

    def admission(_operation: str, kind: Kind, new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        assert kind in BENTO.kinds or kind.group == ""
        if kind in BENTO.kinds:
            BENTO.validate(new, catalog=Catalog(), old=old)
        return new

    resources = resources_of(BENTO.kinds, BENTO.open_api)
    return lambda logs: StoredPlace(store, resources, admission, logs, now=lambda: NOW, data_url=DATA_URL)


@pytest.fixture
def stored(make_place: Callable[[PodSource], StoredPlace]) -> StoredPlace:
    return make_place(_Logs())


@pytest.fixture(params=["stored", "cluster", "fake"])
async def place(request: pytest.FixtureRequest, stored: StoredPlace, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param != "cluster":
        yield stored if request.param == "stored" else FakePlace()
        return
    async with running_cluster() as cluster:
        await cluster.install(definitions([BENTO]))
        async with ClusterPlace(find_config(cluster.write_kubeconfig(tmp_path))) as place:
            yield place


def _deployment(name: str = "d", namespace: str = "team-a", **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "annotations": {"a": "1"}, "labels": {"team": namespace}}
    kind = {"apiVersion": "serving.yatai.ai/v2alpha1", "kind": "BentoDeployment"}
    return {**kind, "metadata": meta, "spec": {"bento": "iris--v-1", **spec}}


def _request(name: str = "iris--v-1", tag: str = "iris:v1", namespace: str = "default") -> dict[str, Any]:
    kind = {"apiVersion": "resources.yatai.ai/v1alpha1", "kind": "BentoRequest"}
    return {**kind, "metadata": {"name": name, "namespace": namespace}, "spec": {"bentoTag": tag}}


async def test_an_object_is_made_with_its_namespace_and_found_again(place: Place) -> None:
    made = await place.put(_deployment())

    found = await place.get("BentoDeployment", "team-a", "d")

    assert found is not None
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert (found["metadata"]["generation"], found["spec"]["bento"]) == (1, "iris--v-1")
    assert await place.get("BentoDeployment", "team-a", "other") is None
    assert await place.get("BentoDeployment", "nowhere", "d") is None


async def test_what_is_put_again_has_the_new_spec_and_keeps_what_others_wrote(place: Place) -> None:
    first = await place.put(_deployment(labels={"x": "1"}))
    again = _deployment(envs=[{"name": "A", "value": "B"}])
    again["metadata"] |= {"annotations": {"b": "2"}, "labels": {}}

    second = await place.put(again)

    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert second["metadata"]["generation"] == 2
    assert second["metadata"]["annotations"] == {"a": "1", "b": "2"}
    assert second["metadata"]["labels"] == {"team": "team-a"}
    assert "labels" not in second["spec"]


async def test_what_is_put_unchanged_is_no_new_generation(place: Place) -> None:
    await place.put(_deployment())
    assert (await place.put(_deployment()))["metadata"]["generation"] == 1


async def test_lists_are_in_order_and_select_by_labels(place: Place) -> None:
    for name, namespace in (("b", "team-a"), ("a", "team-a"), ("a", "team-b")):
        await place.put(_deployment(name, namespace))

    everywhere = await place.list("BentoDeployment")
    here = await place.list("BentoDeployment", "team-a")
    selected = await place.list("BentoDeployment", None, {"team": "team-b"})

    assert [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in everywhere] == [
        ("team-a", "a"),
        ("team-a", "b"),
        ("team-b", "a"),
    ]
    assert [each["metadata"]["name"] for each in here] == ["a", "b"]
    assert [each["metadata"]["namespace"] for each in selected] == ["team-b"]


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(place: Place) -> None:
    await place.put(_deployment())
    await place.delete("BentoDeployment", "team-a", "d")
    await place.delete("BentoDeployment", "team-a", "d")
    assert await place.get("BentoDeployment", "team-a", "d") is None


async def test_a_wrong_object_is_refused(place: Place) -> None:
    with pytest.raises(InvalidManifest, match=r"spec\.bento"):
        await place.put(_deployment(bento=""))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}}
    with pytest.raises(InvalidManifest, match="base64"):
        await place.put({**secret, "type": "Opaque", "data": {"k": "%%"}})
    stored = await place.put({**secret, "type": "Opaque", "data": {"k": base64.b64encode(b"v").decode()}})
    assert stored["data"] == {"k": "dg=="}


async def test_changes_are_told_at_once_and_after_each_write(place: Place) -> None:
    changes = place.changes(("BentoDeployment",), "team-a")
    try:
        await asyncio.wait_for(anext(changes), 10)
        await place.put(_deployment())
        await asyncio.wait_for(anext(changes), 10)
        await place.delete("BentoDeployment", "team-a", "d")
        await asyncio.wait_for(anext(changes), 10)
    finally:
        await changes.aclose()


async def test_a_log_of_nothing_is_not_found(place: Place) -> None:
    with pytest.raises(NotFound):
        await place.log("default", "none", LogPart())


async def test_an_address_is_told_of_what_is_for_the_outside(place: Place) -> None:
    status = {"status": {"url": "http://here/"}}
    assert list(place.urls({**_deployment(ingress={"enabled": True}), **status})) == ["http://here/"]
    assert list(place.urls({**_deployment(), **status})) == []
    assert list(place.urls(_deployment(ingress={"enabled": True}))) == []


# The control plane's own


async def test_an_address_that_only_the_internet_knows_is_told_as_a_path_of_the_gateway(stored: StoredPlace) -> None:
    document = {**_deployment(ingress={"enabled": True}), "status": {"url": "http://d-team-a.10.0.0.1.sslip.io:8080"}}
    assert list(stored.urls(document)) == ["http://10.0.0.1:8080/bento/team-a/d/"]


async def test_a_replicas_log_is_read_from_its_file(stored: StoredPlace) -> None:
    assert [line async for line in await stored.log("default", "p-0", LogPart(tail_lines=1))] == [b"two\n"]


async def test_who_follows_a_replica_that_has_just_begun_waits_for_its_first_line(
    store: Store, make_place: Callable[[PodSource], StoredPlace]
) -> None:
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p-0", "namespace": "default", "uid": "p"}}
    await store.mirror(POD, [pod], owner_uid="")
    place = make_place(_Logs(missing=1))

    log = await place.log("default", "p-0", LogPart(follows=True))

    assert [line async for line in log] == [b"one\n", b"two\n"]


async def test_a_namespace_is_made_as_the_api_makes_it(stored: StoredPlace, store: Store) -> None:
    await stored.put(_deployment())
    namespace = store.peek(NAMESPACE, "", "team-a")
    assert (namespace["spec"], namespace["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})


async def test_who_wrote_an_object_is_on_record(stored: StoredPlace) -> None:
    made = await stored.put(_deployment())
    assert [each["manager"] for each in made["metadata"]["managedFields"]] == ["fairlead-registry"]


@pytest.mark.parametrize(
    ("available", "phase"), [(None, "Running"), ("Unknown", "Running"), ("True", "Succeeded"), ("False", "Failed")]
)
async def test_a_bento_on_its_way_is_shown_as_the_pod_of_a_builder(
    stored: StoredPlace, store: Store, available: str | None, phase: str
) -> None:
    await stored.put(_request())
    if available is not None:
        await _tell(stored, store, status=available, message="why")

    (pod,) = await stored.list("Pod", "default", {"yatai.ai/bento-repository": "iris", "yatai.ai/bento": "v1"})

    assert pod["metadata"]["labels"]["yatai.ai/is-bento-image-builder"] == "true"
    assert pod["status"]["phase"] == phase
    assert pod["status"].get("message") == ("why" if available == "False" else None)
    assert await stored.list("Pod", "default", {"yatai.ai/bento": "v2"}) == []
    assert POD.kind == "Pod"


async def test_a_builders_log_tells_what_becomes_of_the_bento(stored: StoredPlace, store: Store) -> None:
    made = await stored.put(_request())
    await store.record_event(made, "Downloading", "downloading iris:v1")
    (pod,) = await stored.list("Pod", "default")
    log = await stored.log("default", pod["metadata"]["name"], LogPart(follows=True))

    assert await anext(log) == b"downloading iris:v1\n"
    reading = asyncio.ensure_future(anext(log))
    await asyncio.sleep(0)
    await _tell(stored, store, status="Unknown", message="installing 3 packages")
    assert await reading == b"installing 3 packages\n"
    reading = asyncio.ensure_future(anext(log))
    await _tell(stored, store, status="True", message="Bento is generated")
    assert await reading == b"Bento is generated\n"
    with pytest.raises(StopAsyncIteration):
        await anext(log)


async def _tell(stored: StoredPlace, store: Store, *, status: str, message: str) -> None:
    kind = next(each for each in BENTO.kinds if each.kind == "BentoRequest")
    condition = {"type": "BentoAvailable", "status": status, "message": message, "reason": "Reconciling"}
    await store.update_status(kind, "default", "iris--v-1", {"conditions": [condition]})
    assert await stored.get("BentoRequest", "default", "iris--v-1") is not None
