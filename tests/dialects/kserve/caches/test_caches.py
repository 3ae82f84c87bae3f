from typing import Any

import pytest

from fairlead.dialects.base import ALONE, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import KServeDialect
from fairlead.errors import InvalidManifest
from fairlead.plan.model import Plan
from fairlead.plan.status import ModelState, ModelStatus, PlanStatus
from support.stored_docs import DocumentWorld

DIALECT = KServeDialect()
EARLIER, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def cache(uri: str = "s3://models/iris", *, namespace: str = "", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "LocalModelNamespaceCache" if namespace else "LocalModelCache",
        "metadata": {"name": "iris", "generation": 2, **({"namespace": namespace} if namespace else {})},
        "spec": {"sourceModelUri": uri, "modelSize": "1Gi", "nodeGroups": ["workers"], **spec},
    }


def lowered(doc: dict[str, Any]) -> Plan:
    return DIALECT.lower(doc, catalog=Catalog())


def told(doc: dict[str, Any], *models: ModelStatus, world: World = ALONE) -> dict[str, Any]:
    plan = lowered(doc)
    observed = PlanStatus(owner=plan.owner, components=(), routed=True, prefetched=models)
    return DIALECT.status(doc, plan, observed, now=NOW, world=world)


def test_a_cache_asks_for_its_model_and_runs_nothing() -> None:
    plan = lowered(cache(namespace="default", serviceAccountName="fetcher"))

    (wanted,) = plan.prefetched
    assert (wanted.name, wanted.artifact.uri, wanted.artifact.service_account) == (
        "iris",
        "s3://models/iris",
        "fetcher",
    )
    assert (plan.components, plan.routes, plan.owner.namespace) == ((), (), "default")


@pytest.mark.parametrize(
    ("uri", "path", "parameters"),
    [
        ("s3://models/deep/iris", "deep/iris", (("bucket", "models"), ("region", "eu"), ("type", "s3"))),
        ("hdfs://deep/iris", "deep/iris", (("region", "eu"), ("type", "hdfs"))),
    ],
)
def test_named_credentials_come_from_the_entry_of_a_secret(
    uri: str, path: str, parameters: tuple[tuple[str, str], ...]
) -> None:
    plan = lowered(cache(uri, storage={"key": "mine", "parameters": {"region": "eu"}}))

    entry = plan.prefetched[0].artifact.entry
    assert entry is not None
    assert (entry.secret, entry.key, entry.path, entry.parameters) == ("storage-config", "mine", path, parameters)
    assert plan.secrets == ("storage-config",)


@pytest.mark.parametrize(
    ("state", "node", "copies", "ready"),
    [
        (ModelState.PENDING, "NodeDownloadPending", (0, 0), "Unknown"),
        (ModelState.DOWNLOADING, "NodeDownloading", (0, 0), "Unknown"),
        (ModelState.LOADING, "NodeDownloading", (0, 0), "Unknown"),
        (ModelState.READY, "NodeDownloaded", (1, 0), "True"),
        (ModelState.FAILED, "NodeDownloadError", (0, 1), "False"),
    ],
)
def test_the_status_tells_of_the_one_node(state: ModelState, node: str, copies: tuple[int, int], ready: str) -> None:
    status = told(cache(), ModelStatus(name="iris", state=state, message="why"))

    assert status["nodeStatus"] == {"localhost": node}
    assert status["copies"] == {"available": copies[0], "total": 1, "failed": copies[1]}
    assert [(one["type"], one["status"], one["message"]) for one in status["conditions"]] == [("Ready", ready, "why")]
    assert status["observedGeneration"] == 2


def test_a_model_that_nobody_looked_at_yet_is_pending() -> None:
    assert told(cache())["nodeStatus"] == {"localhost": "NodeDownloadPending"}


def test_a_state_that_lasts_keeps_its_time() -> None:
    doc = cache()
    doc["status"] = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": EARLIER}]}

    for state, time in ((ModelState.READY, EARLIER), (ModelState.FAILED, NOW)):
        (condition,) = told(doc, ModelStatus(name="iris", state=state))["conditions"]
        assert condition["lastTransitionTime"] == time


def test_the_status_names_the_services_that_use_the_model() -> None:
    services = [
        {
            "kind": "InferenceService",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"predictor": {"model": {"storageUri": uri}}},
        }
        for name, namespace, uri in (
            ("same", "a", "s3://models/iris"),
            ("below", "b", "s3://models/iris/v2"),
            ("beside", "b", "s3://models/iris-2"),
        )
    ]

    everywhere = told(cache(), world=DocumentWorld(services))["inferenceServices"]
    within = told(cache(namespace="a"), world=DocumentWorld(services))["inferenceServices"]

    assert sorted(one["name"] for one in everywhere) == ["below", "same"]
    assert within == [{"name": "same", "namespace": "a"}]


def test_an_address_that_nothing_fetches_fails_the_cache() -> None:
    doc = cache("ftp://models/iris")

    with pytest.raises(InvalidManifest, match="StorageUri \\[ftp://models/iris\\] is not supported") as caught:
        lowered(doc)
    status = DIALECT.failed_status(doc, caught.value, now=NOW)

    assert status["nodeStatus"] == {"localhost": "NodeDownloadError"}
    assert "is not supported" in status["conditions"][0]["message"]


def test_a_model_that_is_here_now_is_an_event() -> None:
    doc = cache()
    here = told(doc, ModelStatus(name="iris", state=ModelState.READY))

    assert [one.reason for one in DIALECT.events(doc, here)] == ["ModelDownloaded"]
    assert DIALECT.events({**doc, "status": here}, here) == ()


def test_the_status_fits_its_schema() -> None:
    doc = {**cache(), "status": told(cache(), ModelStatus(name="iris", state=ModelState.READY))}

    assert DIALECT.prune(doc) == doc


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("LocalModelCache", {"sourceModelUri": "s3://a/b", "nodeGroups": []}),
        ("LocalModelCache", {"nodeGroups": ["a"]}),
        ("LocalModelNodeGroup", {"persistentVolumeSpec": "text"}),
        ("LocalModelNode", {"localModels": {}}),
    ],
)
def test_fields_of_the_wrong_type_are_refused(kind: str, spec: dict[str, Any]) -> None:
    doc = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": kind, "metadata": {"name": "iris"}, "spec": spec}

    with pytest.raises(InvalidManifest, match=f'{kind}.serving.kserve.io "iris" is invalid'):
        DIALECT.validate(doc, catalog=Catalog())


def test_node_groups_and_nodes_are_stored_as_they_are() -> None:
    for kind, spec in (
        ("LocalModelNodeGroup", {"storageLimit": "10Gi", "persistentVolumeSpec": {"a": 1}}),
        ("LocalModelNode", {"localModels": [{"modelName": "iris", "sourceModelUri": "s3://a/b"}]}),
    ):
        doc = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": kind, "metadata": {"name": "one"}, "spec": spec}
        DIALECT.validate(doc, catalog=Catalog())
        assert DIALECT.prune(doc) == doc
        assert not next(one for one in DIALECT.kinds if one.kind == kind).is_planned
