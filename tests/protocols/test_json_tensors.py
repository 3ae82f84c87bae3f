"""Nested lists as arrays and back."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.protocols.json_tensors import array_of, columns_of, restored, rows_of, values_of, with_bytes
from fairlead.protocols.message import Form, Payload
from fairlead.protocols.tensors import tensor

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=12,
)


def leaves(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


@given(values)
def test_an_array_holds_what_the_lists_hold(value: Any) -> None:
    array = array_of(value)

    if array is not None:
        given_ = [
            leaf.encode() if array.dtype.kind == "O" and isinstance(leaf, str) else leaf for leaf in leaves(value)
        ]
        assert array.reshape(-1).tolist() == given_
        assert len({isinstance(leaf, str | bytes) for leaf in leaves(value)}) <= 1


@pytest.mark.parametrize("value", [[1, "a"], [[1], [1, 2]], [None], {"a": 1}, [{"a": 1}], [2**70], ["a\0"], ["\ud800"]])
def test_what_numpy_would_bend_is_no_array(value: Any) -> None:
    assert array_of(value) is None


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=3))
def test_bytes_come_back_as_text_or_base64(items: list[bytes]) -> None:
    array = array_of(with_bytes([{"b64": base64.b64encode(item).decode()} for item in items]))

    assert array is not None
    assert array.tolist() == items
    written = values_of(array)
    assert [with_bytes(one) if isinstance(one, dict) else one.encode() for one in written] == items
    assert with_bytes(values_of(array, as_base64=True)) == items


@pytest.mark.parametrize("text", ["?", 1, None, "AA=", "Ä"])
def test_what_is_no_base64_is_refused(text: Any) -> None:
    with pytest.raises(BadRequest, match="holds no base64 text"):
        with_bytes([{"b64": text}])


def test_an_object_with_more_than_base64_is_no_bytes() -> None:
    assert with_bytes({"b64": "AA==", "x": 1}) == {"b64": "AA==", "x": 1}


@pytest.mark.parametrize("rows", [[], [{}], [1], [{"a": 1}, {"b": 1}], [{"a": 1}, {"a": "x"}], {"a": 1}])
def test_rows_that_make_no_columns_make_none(rows: Any) -> None:
    assert columns_of(rows) is None


def test_rows_come_back_out_of_columns() -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    tensors = columns_of(rows)

    assert tensors is not None
    assert rows_of({one.name: values_of(one.array) for one in tensors}, [2, 2]) == rows
    assert rows_of({"a": [1], "b": [1, 2]}, [1, 2]) is None
    assert rows_of({"a": 1, "b": 1}, [-1, -1]) is None


@pytest.mark.parametrize(
    ("parameters", "text", "form"),
    [
        ({"content_type": "json"}, '{"a": 1}', Form.JSON),
        ({"content_type": "json"}, "{", Form.TENSORS),
        ({"content_type": "str"}, "{}", Form.TENSORS),
        ({}, "{}", Form.TENSORS),
    ],
)
def test_only_what_stands_for_json_is_restored(parameters: dict[str, Any], text: str, form: Form) -> None:
    assert restored(Payload(Form.TENSORS, [tensor("o", np.array([text]), parameters)])).form is form
