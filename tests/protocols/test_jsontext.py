"""JSON in and out, as Python services write it."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.protocols import jsontext

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_written_reads_back_as_python_reads_it(value: object) -> None:
    text = jsontext.dumps(value)

    assert text.endswith(b"\n")
    assert text.isascii()
    assert repr(json.loads(text)) == repr(json.loads(json.dumps(value, sort_keys=True)))


@given(values)
def test_python_json_of_anything_is_read(value: object) -> None:
    assert repr(jsontext.loads(json.dumps(value).encode())) == repr(value)


def test_keys_are_sorted_without_spaces() -> None:
    assert (
        jsontext.dumps({"b": [1, 2.0], "a": {"d": "é", "c": True}}) == b'{"a":{"c":true,"d":"\\u00e9"},"b":[1,2.0]}\n'
    )


def test_numbers_that_are_not_finite_are_pythons_words() -> None:
    assert jsontext.dumps([math.nan, math.inf, -math.inf, None]) == b"[NaN,Infinity,-Infinity,null]\n"
    assert jsontext.loads(b"[Infinity, -Infinity]") == [math.inf, -math.inf]


def test_text_beyond_the_basic_plane_is_a_surrogate_pair() -> None:
    assert jsontext.dumps("😀") == b'"\\ud83d\\ude00"\n'


def test_a_lone_surrogate_goes_through() -> None:
    assert jsontext.dumps(jsontext.loads(b'"\\ud800"')) == b'"\\ud800"\n'


@pytest.mark.parametrize("text", [b"", b"nope", b"{", b"[" * 100_000, b"\xff", b"1" * 5000])
def test_text_that_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        jsontext.loads(text)


def test_html_is_escaped_only_where_it_occurs() -> None:
    assert jsontext.html_safe(b'{"a":"<b>&"}') == b'{"a":"\\u003cb\\u003e\\u0026"}'
    assert jsontext.html_safe(b'{"a":1}') == b'{"a":1}'


def test_compact_text_keeps_the_order_of_keys_and_writes_utf_8() -> None:
    assert jsontext.compact({"b": [1, 2.5], "a": "é"}) == '{"b":[1,2.5],"a":"é"}'.encode()


def test_compact_text_has_arrays_as_lists_and_few_digits_for_short_floats() -> None:
    values = {
        "a": np.array([[0.1]], np.float32),
        "b": np.arange(4).reshape(2, 2).T,
        "c": np.array(["x"]),
        "d": np.int64(3),
    }

    assert jsontext.compact(values) == b'{"a":[[0.1]],"b":[[0,2],[1,3]],"c":["x"],"d":3}'


def test_compact_text_has_numbers_that_are_not_finite_as_python_writes_them() -> None:
    assert jsontext.compact([math.nan, None, np.array([math.inf])]) == b"[NaN,null,[Infinity]]"


def test_a_nan_can_be_null_where_clients_know_no_other_word() -> None:
    value = {"a": [math.nan, None, np.array([math.inf, math.nan])], "b": (np.float32("nan"), "NaN")}

    assert jsontext.compact_without_nan(value) == b'{"a":[null,null,[Infinity,null]],"b":[null,"NaN"]}'
    assert jsontext.compact_without_nan([1, 2.5]) == b"[1,2.5]"


def test_compact_text_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(TypeError, match="set cannot be written as JSON"):
        jsontext.compact({"a": {1}})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"instances": [[1,2]', "unexpected end of data: line 1 column 21 (char 20)"),
        (b"", "Input is a zero-length, empty document: line 1 column 1 (char 0)"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_refused_in_orjsons_words(body: bytes, words: str) -> None:
    with pytest.raises(ValueError) as refused:
        jsontext.loads(body)

    assert str(refused.value) == words


def test_compact_text_is_utf_8_beside_a_null_and_escapes_what_utf_8_cannot_hold() -> None:
    assert jsontext.compact(["é", None]) == '["é",null]'.encode()
    assert jsontext.compact(["\ud800", "é"]) == b'["\\ud800","\\u00e9"]'
