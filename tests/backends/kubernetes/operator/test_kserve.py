"""The operator with KServe's kinds, against the API server double and the controllers of a cluster that play along:
Deployments and their pods, gateways, Knative."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from fairlead.backends.kubernetes.operator import Followed
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import KServeDialect
from support.cluster import Cluster, Fault, running_cluster
from support.isvc import isvc, model
from support.operators import install, options, running_operator

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Document = dict[str, Any]
SETTINGS = ClusterSettings(namespace="default")
KNATIVE = ClusterSettings(namespace="default", has_knative=True)
CANARY = {"name": "next", "minReplicas": 1, **model(uri="gs://models/2")}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with running_cluster() as running:
        await install(running, _followed(SETTINGS))
        await running.install(_runtimes())
        await running.install([_definition("gateway.networking.k8s.io", "HTTPRoute", "httproutes")])
        yield running


def _followed(settings: ClusterSettings) -> list[Followed]:
    dialect = KServeDialect(settings=settings)
    return [
        Followed(kind=kind, dialect=dialect, source="kserve", reads_pods=kind.kind == "InferenceService")
        for kind in dialect.kinds
    ]


def _runtimes() -> list[Document]:
    return [dict(seed) for seed in KServeDialect().seeds() if seed["kind"] == "ClusterServingRuntime"]


def _definition(group: str, kind: str, plural: str) -> Document:
    """A definition of somebody else's, that keeps whatever it is given."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _iris(predictor: Document, **others: Any) -> Document:
    doc = isvc(predictor, **others)
    return {**doc, "metadata": {**doc["metadata"], "namespace": "default"}}


async def _until(cluster: Cluster, is_so: Callable[[], object]) -> None:
    """Let the cluster do what it does by itself until something is so."""
    with anyio.fail_after(20):
        while not is_so():
            cluster.settle()
            await anyio.sleep(0.01)


def _status(cluster: Cluster, kind: str = "InferenceService", name: str = "iris") -> Document:
    doc = cluster.find(kind, name, "default") or {}
    return doc.get("status") or {}


def _is_ready(cluster: Cluster, kind: str = "InferenceService", name: str = "iris", generation: int = 1) -> bool:
    status = _status(cluster, kind, name)
    truth = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return truth.get("Ready") == "True" and status.get("observedGeneration") == generation


def _weights(cluster: Cluster) -> dict[str, int]:
    route = cluster.find("HTTPRoute", "iris", "default") or {"spec": {"rules": [{"backendRefs": []}]}}
    return {one["name"]: one["weight"] for one in route["spec"]["rules"][-1]["backendRefs"]}


async def test_a_service_of_standard_mode_becomes_ready(cluster: Cluster) -> None:
    async with running_operator(cluster, _followed(SETTINGS), options(settings=SETTINGS)):
        await cluster.create(_iris(model()))

        await _until(cluster, lambda: _is_ready(cluster))

    status = _status(cluster)
    assert status["url"] == "http://iris-default.example.com"
    assert status["modelStatus"]["transitionStatus"] == "UpToDate"
    assert status["deploymentMode"] == "Standard"


async def test_a_canary_gets_its_share_once_it_is_ready(cluster: Cluster) -> None:
    canary = [{"trafficPercent": 20, "predictor": CANARY}]
    async with running_operator(cluster, _followed(SETTINGS), options(settings=SETTINGS)):
        await cluster.create(_iris(model(), canary=canary))

        await _until(cluster, lambda: _weights(cluster) == {"iris-predictor": 80, "iris-next-predictor": 20})

    assert _status(cluster)["canaryStatuses"][0]["ready"] is True


async def test_a_route_that_a_gateway_refuses_keeps_the_service_from_being_ready(cluster: Cluster) -> None:
    cluster.world.http_routes.refused.add("default/iris")
    async with running_operator(cluster, _followed(SETTINGS), options(settings=SETTINGS)):
        await cluster.create(_iris(model()))

        await _until(cluster, lambda: "no listener takes it" in str(_status(cluster)))

    assert not _is_ready(cluster)


async def test_a_service_of_knatives_mode_is_rolled_out_and_promoted(cluster: Cluster) -> None:
    def predictor() -> Document:
        found: Document = _status(cluster)["components"]["predictor"]
        return found

    await cluster.install([_definition("serving.knative.dev", "Service", "services")])
    async with running_operator(cluster, _followed(KNATIVE), options(settings=KNATIVE)):
        created = await cluster.create(_iris(model()))
        await _until(cluster, lambda: _is_ready(cluster))
        await cluster.merge(
            created, {"spec": {"predictor": {**model(uri="gs://models/2"), "canaryTrafficPercent": 10}}}
        )
        await _until(cluster, lambda: _is_ready(cluster, generation=2) and len(predictor()["traffic"]) == 2)
        shares = {one["revisionName"]: one["percent"] for one in predictor()["traffic"]}
        await cluster.merge(created, {"spec": {"predictor": {"canaryTrafficPercent": None}}})

        await _until(cluster, lambda: predictor()["latestRolledoutRevision"] == "iris-predictor-00002")

    assert shares == {"iris-predictor-00002": 10, "iris-predictor-00001": 90}
    assert predictor()["previousRolledoutRevision"] == "iris-predictor-00001"


async def test_who_takes_a_canary_back_waits_for_no_news_of_what_the_operator_wrote(cluster: Cluster) -> None:
    def shares() -> dict[str, int]:
        traffic = (_status(cluster).get("components") or {}).get("predictor", {}).get("traffic", ())
        return {one["revisionName"]: one["percent"] for one in traffic}

    await cluster.install([_definition("serving.knative.dev", "Service", "services")])
    async with running_operator(cluster, _followed(KNATIVE), options(settings=KNATIVE)):
        created = await cluster.create(_iris(model()))
        await _until(cluster, lambda: shares() == {"iris-predictor-00001": 100})
        await cluster.merge(created, {"spec": {"predictor": model(uri="gs://models/2")}})
        await _until(cluster, lambda: shares() == {"iris-predictor-00002": 100})
    await cluster.merge(created, {"spec": {"predictor": {"canaryTrafficPercent": 0}}})
    cluster.faults.add(Fault.SLOW, kinds="InferenceService", where=lambda call: call.user_agent.startswith("kopf"))

    async with running_operator(cluster, _followed(KNATIVE), options(settings=KNATIVE)):
        await _until(cluster, lambda: shares() == {"iris-predictor-00002": 0, "iris-predictor-00001": 100})


async def test_a_graph_waits_for_its_services(cluster: Cluster) -> None:
    steps = [{"serviceName": "iris"}]
    graph = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "flow", "namespace": "default"},
        "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}},
    }
    async with running_operator(cluster, _followed(SETTINGS), options(settings=SETTINGS)):
        await cluster.create(graph)
        await _until(
            cluster, lambda: "Failed to find graph service iris" in str(_status(cluster, "InferenceGraph", "flow"))
        )
        await cluster.create(_iris(model()))

        await _until(cluster, lambda: _is_ready(cluster, "InferenceGraph", "flow"))

    assert cluster.find("Deployment", "flow", "default") is not None


async def test_a_model_for_others_is_ready_with_its_server(cluster: Cluster) -> None:
    hosted = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "TrainedModel",
        "metadata": {"name": "cats", "namespace": "default"},
        "spec": {
            "inferenceService": "iris",
            "model": {"storageUri": "s3://models/cats", "framework": "sklearn", "memory": "1Gi"},
        },
    }
    async with running_operator(cluster, _followed(SETTINGS), options(settings=SETTINGS)):
        await cluster.create(_iris({"model": {"modelFormat": {"name": "sklearn"}}}))
        await cluster.create(hosted)

        await _until(cluster, lambda: _is_ready(cluster, "TrainedModel", "cats"))

    assert "s3://models/cats" in cluster.get("ConfigMap", "modelconfig-iris-0")["data"]["models.json"]


async def test_a_language_model_becomes_ready(cluster: Cluster) -> None:
    service = {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": {"name": "writer", "namespace": "default"},
        "spec": {"model": {"uri": "pvc://models/tiny"}, "router": {"route": {}}},
    }
    async with running_operator(cluster, _followed(SETTINGS), options(settings=SETTINGS)):
        await cluster.create(service)

        await _until(cluster, lambda: _is_ready(cluster, "LLMInferenceService", "writer"))

    assert cluster.find("HTTPRoute", "writer-kserve-route", "default") is not None


async def test_knatives_mode_is_refused_where_there_is_nothing_for_it(cluster: Cluster) -> None:
    asked = {"serving.kserve.io/deploymentMode": "Knative"}
    async with running_operator(cluster, _followed(SETTINGS), options(settings=SETTINGS)):
        await cluster.create(_iris(model(), annotations=asked))

        await _until(cluster, lambda: "ServerlessModeRejected" in str(_status(cluster)))

    assert cluster.find("Deployment", "iris-predictor", "default") is None
