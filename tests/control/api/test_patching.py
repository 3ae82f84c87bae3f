"""The patches: examples of their standards, and laws that hold for any document."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.control.api.patching import json_patch, merge_patch, strategic_merge
from fairlead.control.api.schemas import METADATA, SERVICE_ACCOUNT
from fairlead.errors import BadRequest, InvalidManifest

KEYS = st.sampled_from(["a", "b", "c/d", "~"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b/c", "~d"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


# RFC 7386, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_its_standard_shows(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


@given(DOCUMENTS, DOCUMENTS)
def test_a_merge_patch_twice_is_a_merge_patch_once(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)

    assert merge_patch(once, patch) == once


@given(DOCUMENTS)
def test_a_merge_patch_onto_nothing_is_the_patch_without_its_nulls(patch: Any) -> None:
    assert merge_patch({}, patch) == without_nulls(patch)


# RFC 6902, appendix A.
@pytest.mark.parametrize(
    ("document", "operations", "result"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["a", "c"]}, [{"op": "add", "path": "/foo/1", "value": "b"}], {"foo": ["a", "b", "c"]}),
        ({"foo": ["a"]}, [{"op": "add", "path": "/foo/-", "value": ["b"]}], {"foo": ["a", ["b"]]}),
        ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
        ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": None}], {"a": None}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"a/b": 1}, [{"op": "replace", "path": "/a~1b", "value": 2}], {"a/b": 2}),
    ],
)
def test_a_json_patch_does_what_its_standard_shows(document: Any, operations: Any, result: Any) -> None:
    assert json_patch(document, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "add", "path": "/a/9", "value": 1},
        {"op": "add", "path": "/a/01", "value": 1},
        {"op": "add", "path": "/missing/b", "value": 1},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/b"},
        {"op": "add", "value": 1},
        {"op": "move", "from": "/a", "path": "/a/0"},
        {"op": "test", "path": "/a/0", "value": True},
        {"op": "remove", "path": ""},
        {"op": "burn", "path": "/a"},
        {"path": "/a"},
    ],
)
def test_an_operation_that_cannot_be_done_refuses_the_patch(operation: dict[str, Any]) -> None:
    document = {"a": [1]}

    with pytest.raises(InvalidManifest, match="operation 1"):
        json_patch(document, [{"op": "add", "path": "/c", "value": 1}, operation])

    assert document == {"a": [1]}


@pytest.mark.parametrize("patch", [{}, ["x"], "x", None])
def test_what_is_no_list_of_operations_is_refused(patch: Any) -> None:
    with pytest.raises(BadRequest, match="list of operations"):
        json_patch({}, patch)


def paths(value: Any, prefix: str = "") -> list[str]:
    found = [prefix]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths(item, f"{prefix}/{str(key).replace('~', '~0').replace('/', '~1')}")
    return found


@given(DOCUMENTS, st.data(), VALUES)
def test_what_is_added_anywhere_is_there_and_removing_it_undoes_it(
    document: Any, data: st.DataObject, value: Any
) -> None:
    inside = [path for path in paths(document) if isinstance(json_value(document, path), dict)]
    path = data.draw(st.sampled_from(inside)) + "/new"

    added = json_patch(document, [{"op": "add", "path": path, "value": value}])

    assert json_patch(added, [{"op": "test", "path": path, "value": value}]) == added
    assert json_patch(added, [{"op": "remove", "path": path}]) == document


def json_value(document: Any, path: str) -> Any:
    for part in path.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


def test_a_strategic_merge_merges_lists_by_their_key() -> None:
    old = {"secrets": [{"name": "a"}, {"name": "b", "namespace": "x"}]}
    patch = {
        "secrets": [{"name": "b", "namespace": "y"}, {"name": "a", "$patch": "delete"}, {"name": "c"}],
        "$setElementOrder/secrets": [{"name": "c"}, {"name": "b"}],
    }

    merged = strategic_merge(old, patch, SERVICE_ACCOUNT)

    assert merged == {"secrets": [{"name": "c"}, {"name": "b", "namespace": "y"}]}


def test_a_strategic_merge_understands_its_directives() -> None:
    old = {"labels": {"a": "1", "b": "2"}, "finalizers": ["x", "y"], "annotations": {"k": "v"}}
    patch = {
        "labels": {"$patch": "replace", "c": "3"},
        "finalizers": ["z"],
        "$deleteFromPrimitiveList/finalizers": ["x"],
        "annotations": None,
    }

    merged = strategic_merge(old, patch, METADATA)

    assert merged == {"labels": {"c": "3"}, "finalizers": ["y", "z"]}


@given(DOCUMENTS, DOCUMENTS)
def test_without_merge_keys_a_strategic_merge_is_a_merge_patch(target: Any, patch: Any) -> None:
    assert strategic_merge(target, patch, {}) == merge_patch(target, patch)
