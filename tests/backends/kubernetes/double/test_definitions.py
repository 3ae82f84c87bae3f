"""CustomResourceDefinitions: what makes one acceptable, what it makes the server serve, and how its schema is kept."""

from copy import deepcopy
from typing import Any

import pytest

from support.cluster import Cluster, Refusal
from support.cluster.client import Api

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
PATH = "/apis/example.com/v1/namespaces/default/widgets"
TEXT: Document = {"type": "string"}


def definition(spec: Document | None = None, *more: Document, **fields: Any) -> Document:
    """A definition of Widgets whose specification has this schema."""
    properties = {"spec": spec or {"type": "object"}, "status": {"type": "object", "properties": {"phase": TEXT}}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {"status": {}},
    }
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wg"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [{**version, **fields}, *more],
        },
    }


def widget(**spec: Any) -> Document:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


async def test_a_definition_is_established_and_served(cluster: Cluster, api: Api) -> None:
    made = await cluster.create(definition())

    conditions = {item["type"]: item["status"] for item in made["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert made["status"]["acceptedNames"]["listKind"] == "WidgetList"
    assert made["status"]["storedVersions"] == ["v1"]
    assert (await api.get(PATH)).body["kind"] == "WidgetList"
    (entry, status) = (await api.get("/apis/example.com/v1")).body["resources"]
    assert (entry["name"], entry["shortNames"], status["name"]) == ("widgets", ["wg"], "widgets/status")


async def test_without_its_definition_a_kind_and_its_objects_are_gone(cluster: Cluster, api: Api) -> None:
    await cluster.create(definition())
    await api.create(PATH, widget())

    await cluster.delete(definition())
    gone = await api.get(PATH)
    await cluster.create(definition())

    assert gone.code == 404
    assert gone.body["message"] == "the server could not find the requested resource"
    assert (await api.get(PATH)).body["items"] == []


async def test_unknown_fields_are_pruned_but_where_they_may_stay(cluster: Cluster, api: Api) -> None:
    free = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"known": {"type": "integer"}},
    }
    await cluster.create(definition({"type": "object", "properties": {"free": free, "map": {"type": "object"}}}))

    made = await api.create(PATH, widget(free={"known": 1, "other": {"deep": [1]}}, map={"a": 1}, more=2))

    assert made.body["spec"] == {"free": {"known": 1, "other": {"deep": [1]}}, "map": {}}
    assert len(made.warnings) == 2


async def test_defaults_are_filled_in_where_their_parent_is(cluster: Cluster, api: Api) -> None:
    inner = {"type": "object", "properties": {"port": {"type": "integer", "default": 8080}}}
    whole = {"type": "object", "default": {}, "properties": {"size": {"type": "string", "default": "small"}}}
    await cluster.create(definition({"type": "object", "properties": {"inner": inner, "whole": whole}}))

    bare = await api.create(PATH, widget(), dryRun="All")
    there = await api.create(PATH, widget(inner={}), dryRun="All")

    assert bare.body["spec"] == {"whole": {"size": "small"}}
    assert there.body["spec"]["inner"] == {"port": 8080}


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "string", "enum": ["a", "b"]}, "c", 'Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "integer", "minimum": 1}, 0, "should be greater than or equal to 1"),
        ({"type": "string", "pattern": "^a+$"}, "b", "should match '^a+$'"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["a", "b"], "should have at most 1 items"),
        ({"type": "string"}, 1, 'must be of type string: "integer"'),
        ({"type": "object", "required": ["a"], "properties": {"a": TEXT}}, {}, "spec.value.a: Required value"),
        ({"type": "string"}, None, 'must be of type string: "null"'),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": TEXT}},
            },
            [{"name": "a"}, {"name": "a"}],
            "spec.value[1]: Duplicate value",
        ),
        (
            {
                "type": "object",
                "properties": {"a": TEXT, "b": TEXT},
                "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {"a": "1", "b": "2"},
            "must validate one and only one of the schemas (oneOf)",
        ),
    ],
)
async def test_values_are_held_against_the_schema(
    cluster: Cluster, api: Api, schema: Document, value: Any, text: str
) -> None:
    await cluster.create(definition({"type": "object", "properties": {"value": schema}}))

    refused = await api.create(PATH, widget(value=value))

    assert (refused.code, refused.body["reason"]) == (422, "Invalid")
    assert text in refused.body["message"]


async def test_a_nullable_field_may_be_null(cluster: Cluster, api: Api) -> None:
    await cluster.create(definition({"type": "object", "properties": {"value": {"type": "string", "nullable": True}}}))

    assert (await api.create(PATH, widget(value=None))).body["spec"] == {"value": None}


async def test_numbers_or_texts(cluster: Cluster, api: Api) -> None:
    either = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    await cluster.create(definition({"type": "object", "properties": {"value": either}}))

    made = [await api.create(PATH, widget(value=value), dryRun="All") for value in (1, "10%", 1.5)]

    assert [answer.code for answer in made] == [201, 201, 422]


async def test_all_versions_show_the_same_object(cluster: Cluster, api: Api) -> None:
    old = definition()["spec"]["versions"][0] | {"name": "v1beta1", "storage": False}
    await cluster.create(definition(None, old))
    await api.create(PATH, widget())

    other = await api.get(PATH.replace("/v1/", "/v1beta1/") + "/w")
    group = await api.get("/apis/example.com")

    assert other.body["apiVersion"] == "example.com/v1beta1"
    assert group.body["preferredVersion"]["version"] == "v1"
    assert [item["version"] for item in group.body["versions"]] == ["v1", "v1beta1"]


async def test_a_version_that_is_not_served_is_not_there(cluster: Cluster, api: Api) -> None:
    old = definition()["spec"]["versions"][0] | {"name": "v1beta1", "storage": False, "served": False}
    await cluster.create(definition(None, old))

    assert (await api.get(PATH.replace("/v1/", "/v1beta1/"))).code == 404


async def test_tables_have_the_columns_of_the_definition(cluster: Cluster, api: Api) -> None:
    columns = [{"name": "Phase", "type": "string", "jsonPath": ".status.phase"}]
    await cluster.create(definition(additionalPrinterColumns=columns))
    await api.create(PATH, widget())
    await api.merge(f"{PATH}/w/status", {"status": {"phase": "Ready"}})

    table = Api(api.url, api.http, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    found = (await table.get(PATH)).body

    assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Phase", "Age"]
    assert found["rows"][0]["cells"][:2] == ["w", "Ready"]


def broken(change: Any) -> Document:
    found = deepcopy(definition({"type": "object", "properties": {"value": {"type": "string"}}}))
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    change(found, schema["properties"]["spec"])
    return found


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            broken(lambda crd, _: crd["metadata"].update(name="w.example.com")),
            'must be spec.names.plural+"."+spec.group',
        ),
        (
            broken(lambda crd, _: crd["spec"]["versions"][0].update(storage=False)),
            "exactly one version marked as storage",
        ),
        (broken(lambda crd, _: crd["spec"]["versions"][0].pop("schema")), "schemas are required"),
        (broken(lambda _, schema: schema["properties"]["value"].pop("type")), "must not be empty for specified object"),
        (broken(lambda _, schema: schema["properties"].update(list={"type": "array"})), "items: Required value"),
        (
            broken(lambda _, schema: schema.update(additionalProperties={"type": "string"})),
            "additionalProperties and properties are mutual exclusive",
        ),
        (
            broken(lambda _, schema: schema.update(anyOf=[{"type": "object"}])),
            "must be empty to be structural",
        ),
        (
            broken(
                lambda _, schema: schema["properties"].update(
                    list={
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "properties": {"name": {"type": "string"}}},
                    }
                )
            ),
            "a key of the list must have a default or be required",
        ),
    ],
)
async def test_a_schema_that_is_not_structural_is_refused(cluster: Cluster, wrong: Document, text: str) -> None:
    with pytest.raises(Refusal) as refused:
        await cluster.create(wrong)

    assert refused.value.code == 422
    assert text in refused.value.message
