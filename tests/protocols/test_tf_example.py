"""Examples as TensorFlow's own messages read them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.protocols.tf_example import serialized
from support.formats import needed

pytestmark = pytest.mark.slow  # TensorFlow takes seconds to import

names = st.text(max_size=4)
features = (
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3)
    | st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=3)
    | st.lists(st.text(max_size=3), min_size=1, max_size=3)
    | st.integers(-9, 9)
    | st.text(max_size=3)
)


def parsed(data: bytes) -> dict[str, list[Any]]:
    example = needed("tensorflow", "make setup").train.Example.FromString(data)
    kinds = {"bytes_list", "float_list", "int64_list"}
    return {
        name: [item for kind in kinds for item in getattr(feature, kind).value]
        for name, feature in example.features.feature.items()
    }


def as_features(value: Any) -> list[Any]:
    return [
        item.encode() if isinstance(item, str) else item for item in (value if isinstance(value, list) else [value])
    ]


@settings(deadline=None)
@given(st.lists(st.dictionaries(names, features, max_size=3), min_size=1, max_size=2))
def test_tensorflow_reads_the_features(examples: list[dict[str, Any]]) -> None:
    array = serialized(examples, None)

    assert [parsed(data) for data in array] == [
        {name: as_features(value) for name, value in example.items()} for example in examples
    ]


def test_the_context_is_part_of_every_example_and_base64_is_bytes() -> None:
    array = serialized([{"x": 1}, {"x": 2.5}], {"who": {"b64": "/w=="}})

    assert [parsed(data) for data in array] == [{"x": [1], "who": [b"\xff"]}, {"x": [2.5], "who": [b"\xff"]}]


@pytest.mark.parametrize(
    ("examples", "context", "words"),
    [
        ([], None, "key 'examples' must be a list of objects"),
        ({}, None, "key 'examples' must be a list of objects"),
        ([1], None, "Example 0 must be an object with features, got int"),
        ([{"a": 1}], [], "'context' must be an object"),
        ([{"a": 1}], {"a": 2}, "Example 0 has the feature 'a' of the context too"),
        ([{"a": [1, "x"]}], None, "Example 0, feature 'a': expected numbers or strings, all of one kind"),
        ([{"a": [[1]]}], None, "Example 0, feature 'a': expected numbers or strings, all of one kind"),
        ([{"a": [1e300]}], None, "Example 0, feature 'a': a number is too large for 32 bits"),
        ([{"a": [2**70, 0.5]}], None, None),
    ],
)
def test_what_is_no_example_is_refused(examples: Any, context: Any, words: str | None) -> None:
    if words is None:
        serialized(examples, context)
        return
    with pytest.raises(BadRequest, match=words):
        serialized(examples, context)
