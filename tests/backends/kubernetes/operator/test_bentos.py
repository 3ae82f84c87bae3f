"""The operator with Yatai's kinds, against the API server double and a cluster that plays along: a builder's Job that
ends with its last words, Deployments and their pods, an Ingress with an address."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from fairlead.backends.kubernetes.operator import Followed
from fairlead.backends.kubernetes.webhooks.store import ClusterStore
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Routing
from support.bentos_stored import TAG, bento, condition, deployment, request
from support.cluster import Cluster, running_cluster
from support.cluster.controllers.pods import Fate
from support.operators import install, options, running_operator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Document = dict[str, Any]
SETTINGS = ClusterSettings(
    namespace="default", routing=Routing.INGRESS, values={"bento": {"dockerRegistry": {"server": "registry.lan"}}}
)
IMAGE = "registry.lan/yatai-bentos:yatai.iris_classifier.gsb2nhd6tc4k"
FOUND = {
    "image": IMAGE,
    "style": "old",
    "service": "iris_classifier",
    "bentomlVersion": "1.1.11",
    "runners": [{"name": "iris_clf", "runnableType": "SklearnRunnable", "modelTags": ["iris_clf:aaa"]}],
    "models": ["iris_clf:aaa"],
}
BUILDER = {"yatai.ai/is-bento-image-builder": "true"}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        await install(running, _followed())
        yield running


def _followed() -> list[Followed]:
    dialect = BentoDialect(settings=SETTINGS)
    return [
        Followed(kind=kind, dialect=dialect, source="yatai", reads_pods=True, is_laid_out_by_status=True)
        for kind in dialect.kinds
    ]


def _here(doc: Document) -> Document:
    metadata = {key: value for key, value in doc["metadata"].items() if key in ("name", "annotations")}
    return {**doc, "metadata": {**metadata, "namespace": "default"}}


def _built(cluster: Cluster, words: str = "") -> None:
    cluster.world.pods.meet(Fate.SUCCEEDED, labels=BUILDER)
    cluster.world.pods.last_words = words or f"step 7 of 7\n{json.dumps(FOUND)}"


async def _until(cluster: Cluster, is_so: Callable[[], object]) -> None:
    """Let the cluster do what it does by itself until something is so."""
    with anyio.fail_after(20):
        while not is_so():
            cluster.settle()
            await anyio.sleep(0.01)


def _told(cluster: Cluster, kind: str, type_: str, name: str = "iris") -> Document:
    doc = cluster.find(kind, name, "default") or {}
    return condition({"conditions": [], **(doc.get("status") or {})}, type_)


async def test_a_request_is_built_becomes_a_bento_and_is_deployed(cluster: Cluster) -> None:
    _built(cluster)
    async with running_operator(cluster, _followed(), options(settings=SETTINGS)):
        await cluster.create(_here(deployment()))
        await _until(cluster, lambda: _told(cluster, "BentoDeployment", "Available").get("reason") == "BentoNotFound")
        await cluster.create(_here(request()))
        await _until(cluster, lambda: _told(cluster, "BentoRequest", "BentoAvailable").get("status") == "True")

        await _until(cluster, lambda: _told(cluster, "BentoDeployment", "Available").get("status") == "True")

    made = cluster.find("Bento", "iris", "default") or {}
    assert (made["spec"]["image"], made["spec"]["tag"]) == (IMAGE, TAG)
    assert made["status"] == {"ready": True}
    assert cluster.find("Deployment", "iris-runner-0", "default") is not None
    assert _told(cluster, "BentoRequest", "ImageExists")["message"] == IMAGE


async def test_a_builder_that_fails_says_why(cluster: Cluster) -> None:
    cluster.world.pods.meet(Fate.FAILED, labels=BUILDER)
    cluster.world.pods.last_words = "step 5 of 7: pip: no matching distribution"
    async with running_operator(cluster, _followed(), options(settings=SETTINGS)):
        await cluster.create(_here(request()))

        await _until(cluster, lambda: _told(cluster, "BentoRequest", "BentoAvailable").get("status") == "False")

    assert "no matching distribution" in _told(cluster, "BentoRequest", "BentoAvailable")["message"]
    assert _told(cluster, "BentoRequest", "ImageBuilding")["status"] == "False"
    assert cluster.find("Bento", "iris", "default") is None


async def test_a_request_that_changes_is_built_anew_and_its_bento_stays_meanwhile(cluster: Cluster) -> None:
    def jobs() -> list[str]:
        return [job["metadata"]["name"] for job in cluster.objects("jobs")]

    _built(cluster)
    async with running_operator(cluster, _followed(), options(settings=SETTINGS)):
        created = await cluster.create(_here(request()))
        await _until(cluster, lambda: cluster.find("Bento", "iris", "default"))
        first = jobs()
        cluster.world.pods.meet(Fate.STARTING, labels=BUILDER)
        await cluster.merge(created, {"spec": {"buildArgs": ["A=b"]}})
        await _until(cluster, lambda: len(jobs()) == 1 and jobs() != first)
        await _until(cluster, lambda: _told(cluster, "BentoRequest", "ImageBuilding").get("status") == "True")
        assert cluster.find("Bento", "iris", "default") is not None
        _built(cluster)

        await _until(cluster, lambda: _told(cluster, "BentoRequest", "BentoAvailable").get("status") == "True")


async def test_a_builder_that_does_not_say_what_it_made_is_told(cluster: Cluster) -> None:
    _built(cluster, "nothing of use")
    async with running_operator(cluster, _followed(), options(settings=SETTINGS)):
        await cluster.create(_here(request()))

        await _until(cluster, lambda: _told(cluster, "BentoRequest", "BentoAvailable").get("reason") == "NothingFound")


async def test_a_deployment_by_a_tag_brings_its_request(cluster: Cluster) -> None:
    _built(cluster)
    async with running_operator(cluster, _followed(), options(settings=SETTINGS)):
        doc = BentoDialect().default(_here(deployment(version="v1alpha2", bento_tag=TAG)))
        created = await cluster.create(doc)

        await _until(cluster, lambda: _told(cluster, "BentoDeployment", "Available").get("status") == "True")

    asked = cluster.find("BentoRequest", created["spec"]["bento"], "default") or {}
    assert asked["spec"] == {"bentoTag": TAG}
    assert asked["metadata"]["ownerReferences"][0]["name"] == "iris"


async def test_a_host_is_found_out_by_the_address_of_the_ingress(cluster: Cluster) -> None:
    def host() -> str:
        ingress = cluster.find("Ingress", "iris", "default") or {"spec": {"rules": [{}]}}
        return str(ingress["spec"]["rules"][0].get("host", ""))

    async with running_operator(cluster, _followed(), options(settings=SETTINGS)):
        await cluster.create(_here(bento()))
        await cluster.create(_here(deployment(bento="iris", ingress={"enabled": True})))

        await _until(cluster, lambda: host() == "iris-default.203.0.113.10.sslip.io")

    status = (cluster.find("BentoDeployment", "iris", "default") or {})["status"]
    assert status["url"] == "http://iris-default.203.0.113.10.sslip.io"


async def test_pods_that_do_not_start_are_told_with_their_reason(cluster: Cluster) -> None:
    cluster.world.pods.meet(Fate.IMAGE_PULL, name="iris")
    async with running_operator(cluster, _followed(), options(settings=SETTINGS)):
        await cluster.create(_here(bento()))
        await cluster.create(_here(deployment()))

        await _until(
            cluster, lambda: "ImagePullBackOff" in _told(cluster, "BentoDeployment", "Available").get("message", "")
        )

    assert _told(cluster, "BentoDeployment", "Ready")["status"] == "False"


async def test_the_definition_is_told_who_converts_and_another_installation_leaves_it(cluster: Cluster) -> None:
    name = "bentodeployments.serving.yatai.ai"

    def conversion() -> Document:
        found = cluster.find("CustomResourceDefinition", name) or {}
        return dict(found["spec"]["conversion"])

    async with running_operator(cluster, _followed(), options(settings=SETTINGS)) as operator:
        mine, theirs = (ClusterStore(operator.api, (place, "c"), "x", [name]) for place in ("here", "there"))
        first = await mine.convert("QQ==")
        client = conversion()["webhook"]["clientConfig"]
        await theirs.convert("Qg==")
        kept = conversion()["webhook"]["clientConfig"]
        await mine.convert("Qw==")
        renewed = conversion()["webhook"]["clientConfig"]
        missing = await ClusterStore(operator.api, ("here", "c"), "x", ["others.example.com"]).convert("QQ==")

    assert first
    assert not missing
    assert client["service"] == {"name": "fairlead-webhook", "namespace": "here", "path": "/convert", "port": 443}
    assert kept == client
    assert renewed["caBundle"] == "Qw=="
