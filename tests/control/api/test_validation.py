"""Schemas: what is unknown goes, what is wrong is said in Kubernetes' words."""

from typing import Any

import pytest

from fairlead.control.api.schemas import METADATA
from fairlead.control.api.validation import examine

ITEM: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "boolean"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]*$"},
        "count": {"type": "integer", "format": "int32", "minimum": 0},
        "ratio": {"type": "number", "maximum": 1},
        "mode": {"type": "string", "enum": ["on", "off"]},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "items": {
            "type": "array",
            "maxItems": 2,
            "items": {"type": "object", "properties": {"a": {"type": "boolean"}}},
        },
        "maybe": {"type": "string", "nullable": True},
    },
}


def test_a_good_document_passes_unchanged() -> None:
    document = {
        "name": "abc",
        "count": 3,
        "ratio": 0.5,
        "mode": "on",
        "port": "http",
        "free": {"any": [1]},
        "labels": {"a.b/c": "d"},
        "items": [{"a": True}],
        "maybe": None,
    }
    before = repr(document)

    findings = examine(SCHEMA, document)

    assert (findings.unknown, findings.problems, repr(document)) == ([], [], before)


def test_unknown_fields_are_found_with_their_paths_and_removed() -> None:
    document: dict[str, Any] = {"name": "a", "nmae": "b", "items": [{"a": True, "b": 1}], "count": None}

    findings = examine(SCHEMA, document, "spec")

    assert [(one.path, one.near) for one in findings.unknown] == [("spec.nmae", ""), ("spec.items[0].b", "")]
    assert document == {"name": "a", "items": [{"a": True}]}


def test_a_misspelt_field_is_told_the_name_it_is_close_to() -> None:
    unknown = examine(SCHEMA, {"nmae": "b", "countt": 1, "zebra": 1}, "spec").unknown

    assert [str(one) for one in unknown] == [
        'unknown field "spec.nmae"; did you mean name?',
        'unknown field "spec.countt"; did you mean count?',
        'unknown field "spec.zebra"',
    ]


def wrong(found: str, field: str, wanted: str) -> str:
    return f'Invalid value: "{found}": {field} in body must be of type {wanted}: "{found}"'


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ({}, "name", "Required value"),
        ({"name": 1}, "name", wrong("integer", "name", "string")),
        (
            {"name": "a", "count": "3"},
            "count",
            wrong("string", "count", "integer"),
        ),
        (
            {"name": "a", "count": True},
            "count",
            wrong("boolean", "count", "integer"),
        ),
        ({"name": "a", "count": -1}, "count", "Invalid value: -1: count in body should be greater than or equal to 0"),
        (
            {"name": "a", "count": 2**31},
            "count",
            "Invalid value: 2147483648: count in body should be less than or equal to 2147483647",
        ),
        ({"name": "a", "ratio": 2.5}, "ratio", "Invalid value: 2.5: ratio in body should be less than or equal to 1"),
        ({"name": "a", "mode": "x"}, "mode", 'Unsupported value: "x": supported values: "on", "off"'),
        (
            {"name": "a", "port": 1.5},
            "port",
            wrong("number", "port", "integer,string"),
        ),
        (
            {"name": "a", "labels": {"k": 1}},
            "labels.k",
            wrong("integer", "labels.k", "string"),
        ),
        (
            {"name": "a", "items": [1]},
            "items[0]",
            wrong("integer", "items[0]", "object"),
        ),
        ({"name": "a", "items": [{}] * 3}, "items", "Invalid value: 3: items in body must have at most 2 items"),
        ({"name": "A"}, "name", "Invalid value: \"A\": name in body should match '^[a-z]*$'"),
        ({"name": ""}, "name", 'Invalid value: "": name in body should be at least 1 chars long'),
        ({"name": "abcdef"}, "name", "Too long: may not be more than 5 bytes"),
    ],
)
def test_a_problem_says_where_and_what(document: dict[str, Any], field: str, message: str) -> None:
    problems = examine(SCHEMA, document).problems

    assert [(problem.field, problem.message) for problem in problems] == [(field, message)]


def test_every_problem_is_found_at_once() -> None:
    problems = examine(SCHEMA, {"count": "x", "mode": "y"}).problems

    assert sorted(problem.field for problem in problems) == ["count", "mode", "name"]


def test_metadata_from_any_tool_passes() -> None:
    metadata = {"name": "a", "creationTimestamp": None, "managedFields": [{"manager": "x", "fieldsV1": {"f:a": {}}}]}

    findings = examine(METADATA, metadata, "metadata")

    assert (findings.unknown, findings.problems) == ([], [])
