"""The kinds as the API serves them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fairlead.dialects.base import Kind
from fairlead.dialects.document import load
from fairlead.dialects.kserve import KServeDialect
from support.golden import folders

DIALECT = KServeDialect()
KINDS = pytest.mark.parametrize("kind", DIALECT.kinds, ids=lambda kind: kind.kind)


def kind_of(plural: str) -> Kind:
    return next(kind for kind in DIALECT.kinds if (kind.group, kind.plural) == ("serving.kserve.io", plural))


def schema_of(plural: str) -> dict[str, Any]:
    return DIALECT.open_api(kind_of(plural))


def described(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from described(inner, f"{path}.{name}")
        if isinstance(inner.get("items"), dict):
            yield from described(inner["items"], f"{path}.{name}[]")


@KINDS
def test_the_schema_is_structural(kind: Kind) -> None:
    def check(schema: dict[str, Any]) -> None:
        assert not schema.keys() & {"$ref", "anyOf", "oneOf", "allOf", "definitions"}
        assert "type" in schema or schema.keys() & {
            "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields",
        }
        assert not ("properties" in schema and "additionalProperties" in schema)
        assert set(schema.get("required", ())) <= set(schema.get("properties", ()))
        for inner in schema.get("properties", {}).values():
            check(inner)
        for key in ("items", "additionalProperties"):
            if key in schema:
                check(schema[key])

    jsonschema.Draft202012Validator.check_schema(DIALECT.open_api(kind))
    check(DIALECT.open_api(kind))


@pytest.mark.parametrize(
    ("plural", "kind", "short", "is_namespaced"),
    [
        ("inferenceservices", "InferenceService", ("isvc",), True),
        ("servingruntimes", "ServingRuntime", (), True),
        ("clusterservingruntimes", "ClusterServingRuntime", (), False),
        ("inferencegraphs", "InferenceGraph", ("ig",), True),
        ("trainedmodels", "TrainedModel", ("tm",), True),
        ("clusterstoragecontainers", "ClusterStorageContainer", (), False),
        ("localmodelcaches", "LocalModelCache", (), False),
        ("localmodelnamespacecaches", "LocalModelNamespaceCache", (), True),
        ("localmodelnodegroups", "LocalModelNodeGroup", (), False),
        ("localmodelnodes", "LocalModelNode", (), False),
    ],
)
def test_every_kind_is_served_under_its_names(
    plural: str, kind: str, short: tuple[str, ...], *, is_namespaced: bool
) -> None:
    found = kind_of(plural)

    assert (found.kind, found.short_names, found.is_namespaced) == (kind, short, is_namespaced)


def test_services_are_listed_with_their_roll_out() -> None:
    found = kind_of("inferenceservices")

    assert found.versions == ("v1beta1",)
    assert [column.name for column in found.columns] == [
        "URL",
        "Ready",
        "Prev",
        "Latest",
        "PrevRolledoutRevision",
        "LatestReadyRevision",
        "Age",
    ]


def test_every_field_of_a_service_has_a_description() -> None:
    spec = schema_of("inferenceservices")["properties"]["spec"]
    # Inside containers and volumes the words are core/v1's own.
    inside = ("containers[]", "initContainers[]", "volumes[]", ".env[]", ".envFrom[]", ".ports[]", "volumeMounts[]")
    own = [(path, field) for path, field in described(spec) if not any(name in path for name in inside)]

    lacking = {path.rsplit(".", 1)[-1] for path, field in own if not field.get("description")}
    containers = {"name", "image", "command", "args", "workingDir", "env", "envFrom", "ports", "resources"}
    assert lacking <= containers | {"volumeMounts", "securityContext", "requests", "limits"}


@pytest.mark.parametrize("document", DIALECT.seeds(), ids=lambda document: document["metadata"]["name"])
def test_what_is_there_from_the_start_fits_its_schema_and_the_rules(document: dict[str, Any]) -> None:
    if document["kind"] == "ConfigMap":
        assert all(json.loads(text) for text in document["data"].values() if text.startswith("{"))
        return
    kind = next(kind for kind in DIALECT.kinds if kind.kind == document["kind"])
    jsonschema.Draft202012Validator(DIALECT.open_api(kind)).validate(document)

    assert DIALECT.prune(document) == document


@pytest.mark.parametrize("folder", folders("kserve/validation"), ids=lambda folder: folder.name)
def test_what_only_a_rule_refuses_fits_the_schema_and_survives_pruning(folder: Path) -> None:
    doc = load((folder / "manifest.yaml").read_text())[0].doc
    kind = next(kind for kind in DIALECT.kinds if kind.kind == doc["kind"])

    jsonschema.Draft202012Validator(DIALECT.open_api(kind)).validate(doc)
    assert DIALECT.prune(doc) == doc


def test_a_misspelt_field_is_dropped_and_every_field_of_a_pod_is_kept() -> None:
    pod: dict[str, Any] = {"affinity": {"nodeAffinity": {"any": [1]}}, "hostIPC": True, "priorityClassName": "high"}
    server: dict[str, Any] = {
        "modelFormat": {"name": "sklearn"},
        "livenessProbe": {"httpGet": {"path": "/", "port": 1}},
    }
    doc = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {"predictor": {**pod, "minReplica": 1, "model": {**server, "storageURI": "gs://x"}}},
        "status": {"url": "http://iris", "addedByOthers": 1},
    }

    pruned = DIALECT.prune(doc)

    assert pruned == {**doc, "spec": {"predictor": {**pod, "model": server}}}
