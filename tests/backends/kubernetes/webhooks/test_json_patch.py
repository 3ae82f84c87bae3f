"""Whatever two objects are, the patch between them makes the second of the first."""

from copy import deepcopy
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.webhooks.json_patch import difference

_KEYS = st.text(alphabet="ab/~é", max_size=3)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(_KEYS, _VALUES, max_size=4)


@given(old=_OBJECTS, new=_OBJECTS)
def test_applied_to_the_old_object_it_gives_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    patched = jsonpatch.apply_patch(deepcopy(old), difference(old, new))

    assert patched == new
    assert repr(sorted(patched)) == repr(sorted(new))


@given(same=_OBJECTS)
def test_nothing_is_said_of_equal_objects(same: dict[str, Any]) -> None:
    assert difference(same, deepcopy(same)) == []


def test_a_field_that_is_renamed_is_removed_and_added_with_nothing_around_it() -> None:
    old = {"spec": {"predictor": {"sklearn": {"storageUri": "gs://m"}, "minReplicas": 1}}}
    new = {"spec": {"predictor": {"model": {"storageUri": "gs://m"}, "minReplicas": 1}}}

    assert difference(old, new) == [
        {"op": "remove", "path": "/spec/predictor/sklearn"},
        {"op": "add", "path": "/spec/predictor/model", "value": {"storageUri": "gs://m"}},
    ]


def test_keys_of_annotations_are_escaped() -> None:
    old: dict[str, Any] = {"a": {}}

    assert difference(old, {"a": {"x.io/y~z": "1"}}) == [{"op": "add", "path": "/a/x.io~1y~0z", "value": "1"}]


def test_a_flag_is_no_number() -> None:
    assert difference({"a": 1}, {"a": True}) == [{"op": "replace", "path": "/a", "value": True}]
