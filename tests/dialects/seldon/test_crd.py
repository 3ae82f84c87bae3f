import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fairlead.dialects.document import load
from fairlead.dialects.seldon import SeldonDialect
from support.golden import folders
from support.sdep import MODEL, pod, predictor, sdep

DIALECT = SeldonDialect()
SCHEMA = DIALECT.open_api(DIALECT.kinds[0])
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_kind_is_served_under_its_names() -> None:
    (kind,) = DIALECT.kinds

    assert (kind.group, kind.plural) == ("machinelearning.seldon.io", "seldondeployments")
    assert (kind.kind, kind.versions, kind.short_names) == (
        "SeldonDeployment",
        ("v1", "v1alpha2", "v1alpha3"),
        ("sdep",),
    )
    assert (kind.scale_path, kind.scale_status_path) == (".spec.replicas", ".status.replicas")
    assert [column.name.upper() for column in kind.columns] == ["STATE", "REPLICAS", "ADDRESS", "AGE"]


def test_another_kind_has_no_schema_here() -> None:
    kind = DIALECT.kinds[0]
    with pytest.raises(ValueError, match="Other is not a kind of this dialect"):
        DIALECT.open_api(type(kind)(group="g", versions=("v1",), kind="Other", plural="others", singular="other"))


@pytest.mark.parametrize("folder", folders("seldon"), ids=lambda folder: folder.name)
def test_every_valid_manifest_fits_the_schema_and_survives_pruning(folder: Path) -> None:
    if folder.name == "refused-types":
        return
    doc = load((folder / "manifest.yaml").read_text())[0].doc
    without_null = json.loads(
        json.dumps(doc), object_hook=lambda item: {k: v for k, v in item.items() if v is not None}
    )

    VALIDATOR.validate(without_null)
    assert DIALECT.prune(doc) == doc


def test_the_schema_is_structural() -> None:
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

    check(SCHEMA)


def test_required_fields_are_those_of_the_resource() -> None:
    spec = SCHEMA["properties"]["spec"]
    predictors = spec["properties"]["predictors"]["items"]["properties"]
    pods = predictors["componentSpecs"]["items"]["properties"]

    assert spec["required"] == ["predictors"]
    assert predictors["graph"]["required"] == ["name"]
    assert pods["spec"]["required"] == ["containers"]
    assert pods["hpaSpec"]["required"] == ["maxReplicas"]
    assert pods["kedaSpec"]["required"] == ["triggers"]


def test_children_are_spelled_out_thirty_times() -> None:
    node = SCHEMA["properties"]["spec"]["properties"]["predictors"]["items"]["properties"]["graph"]
    depth = 0
    while "children" in node["properties"]:
        node, depth = node["properties"]["children"]["items"], depth + 1

    assert depth == 30


def test_unknown_fields_are_dropped_and_those_of_pods_kept() -> None:
    extra: dict[str, Any] = {"unknown": {"a": 1}}
    doc = sdep(
        predictor(
            graph={**MODEL, **extra, "endpoint": {"type": "REST", **extra}},
            componentSpecs=[{**pod({"name": "classifier", "livenessProbe": {"x": 1}}, hostNetwork=True), **extra}],
            **extra,
        ),
        **extra,
    ) | {"extra": 1, "status": {"state": "Available"}}

    pruned = DIALECT.prune(doc)

    pods = [pod({"name": "classifier", "livenessProbe": {"x": 1}}, hostNetwork=True)]
    graph = {**MODEL, "endpoint": {"type": "REST"}}
    assert pruned == sdep(predictor(graph=graph, componentSpecs=pods)) | {"status": {"state": "Available"}}


def test_pruning_takes_any_shape() -> None:
    shapes: list[Any] = [None, [], "text", {"predictors": "text"}, {"predictors": [1, {"graph": [None]}]}]
    for spec in shapes:
        assert DIALECT.prune({"spec": spec}) == {"spec": spec}
