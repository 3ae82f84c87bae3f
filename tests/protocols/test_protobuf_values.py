"""JSON values and arrays in `google.protobuf`'s messages; the quick ways against protobuf's own classes."""

import math
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import UnitFailed
from fairlead.protocols import protos
from fairlead.protocols.protobuf_values import read_array, read_list, read_value, write_array, write_list, write_value

LIST, VALUE = "google.protobuf.ListValue", "google.protobuf.Value"

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_a_json_value_is_what_protobuf_itself_reads(value: Any) -> None:
    proto = protos.parse(VALUE, write_value(value))

    assert read_value(proto) == value
    assert json_format.MessageToDict(proto) == value


@given(st.integers(1, 5), st.integers(0, 40), st.data())
def test_a_table_of_numbers_is_read_as_its_lists_are(rows: int, columns: int, data: Any) -> None:
    given_rows = data.draw(
        st.lists(st.lists(st.floats(width=64), min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    )
    written = protos.message(LIST)()
    written.extend(given_rows)

    array = read_array(written)

    np.testing.assert_array_equal(array, np.array(read_list(written)))
    assert array.dtype == np.float64


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(5, dtype=np.int32),
        np.arange(300.0).reshape(100, 3),
        np.zeros((1, 200)),
        np.arange(8.0).reshape(2, 2, 2),
        np.zeros((2, 0)),
        np.array([]),
        np.array([["a", "b"]]),
        np.array([[True, False]]),
        np.array([[1.5, math.nan], [math.inf, -math.inf]]),
        np.arange(12.0).reshape(3, 4)[:, ::2],
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_is_written_as_its_list_is(array: Any) -> None:
    written = protos.parse(LIST, write_array(array))
    plain = protos.parse(LIST, write_list(array.tolist()))

    assert written.SerializeToString() == plain.SerializeToString()
    np.testing.assert_array_equal(read_array(written), np.array(array.tolist()))


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 2], [3, None]],
        [[1, 2], [3, "x"]],
        [[1], [2, 3, 4]],
        [1, [2]],
        [[1, 2], 3],
        [[1, 2], [True, 3]],
        [[[1]], [2]],
    ],
)
def test_a_table_that_is_not_regular_is_read_the_long_way(rows: Any) -> None:
    listed = protos.parse(LIST, write_list(rows))

    try:
        expected = np.array(read_list(listed))
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)[:30]):
            read_array(listed)
    else:
        np.testing.assert_array_equal(read_array(listed), expected)


def test_numpys_values_are_plain_values() -> None:
    value = {"i": np.int64(3), "f": np.float32(0.5), "b": np.bool_(True), "a": np.arange(3), "t": (1, 2)}

    assert read_value(protos.parse(VALUE, write_value(value))) == {
        "i": 3.0,
        "f": 0.5,
        "b": True,
        "a": [0.0, 1.0, 2.0],
        "t": [1.0, 2.0],
    }


def test_what_json_cannot_hold_is_named() -> None:
    with pytest.raises(UnitFailed, match="object cannot be written as a JSON value"):
        write_value({"a": object()})
    with pytest.raises(UnitFailed, match="too large"):
        write_value(10**400)
