from typing import Any

from pydantic import ConfigDict, Field

from fairlead.dialects.openapi import Nesting, object_schema, pruned, resource_schema
from fairlead.dialects.podspec import Object, ObjectMeta, OpenObject, Quantity


class Leaf(Object):
    name: str = Field(pattern="^[a-z]+$", description="Its name.")
    size: Quantity | None = None
    children: list["Leaf"] = Field(default_factory=list, max_length=2)


class Spec(Object):
    leaf: Leaf
    count: int = Field(default=1, ge=1, le=9)
    uris: list[str] = Field(default_factory=list, min_length=1)
    text: str = Field(default="", min_length=1, max_length=5)
    meta: ObjectMeta = Field(default_factory=ObjectMeta)
    anything: dict[str, Any] | None = None
    labels: dict[str, str] = Field(default_factory=dict)


class Open(OpenObject):
    name: str = ""


class Closed(Open):
    model_config = ConfigDict(extra="ignore")


def schema() -> dict[str, Any]:
    return object_schema(Spec, Nesting(Leaf, "children", 2))


def test_constraints_are_those_of_the_fields() -> None:
    fields = schema()["properties"]

    assert (fields["count"]["minimum"], fields["count"]["maximum"]) == (1, 9)
    assert fields["uris"] == {"type": "array", "items": {"type": "string"}, "minItems": 1}
    assert fields["text"] == {"type": "string", "minLength": 1, "maxLength": 5}
    assert fields["leaf"]["properties"]["name"] == {"type": "string", "pattern": "^[a-z]+$", "description": "Its name."}
    assert fields["leaf"]["properties"]["size"] == {"x-kubernetes-int-or-string": True}
    assert schema()["required"] == ["leaf"]


def test_an_object_of_its_own_kind_is_spelled_out_so_many_times() -> None:
    node, depth = schema()["properties"]["leaf"], 0
    while "children" in node["properties"]:
        assert node["properties"]["children"]["maxItems"] == 2
        node, depth = node["properties"]["children"]["items"], depth + 1

    assert depth == 2


def test_what_is_open_keeps_unknown_fields_and_what_is_closed_again_does_not() -> None:
    keeps = "x-kubernetes-preserve-unknown-fields"

    assert object_schema(Open)[keeps]
    assert keeps not in object_schema(Closed)
    assert schema()["properties"]["meta"] == {"type": "object", keeps: True}
    assert schema()["properties"]["anything"] == {"type": "object", keeps: True}


def test_a_resource_has_what_stands_beside_its_spec() -> None:
    whole = resource_schema(Closed, description="A thing.", beside={"disabled": {"type": "boolean"}})

    assert list(whole["properties"]) == ["apiVersion", "kind", "metadata", "disabled", "spec"]


def test_pruning_drops_what_no_field_is_called() -> None:
    nesting = Nesting(Leaf, "children", 2)
    whole = resource_schema(Spec, description="A thing.", status={"type": "object"}, nesting=nesting)
    kept = {"leaf": {"name": "a"}, "labels": {"x": "y"}, "anything": {"a": {"b": 1}}}
    doc = {"apiVersion": "v1", "kind": "T", "metadata": {"x": 1}, "spec": {**kept, "lief": 1}, "extra": 1}

    assert pruned(doc, whole) == {"apiVersion": "v1", "kind": "T", "metadata": {"x": 1}, "spec": kept}
