"""Fields written by hand, read back by protobuf."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.protocols import protos
from fairlead.protocols.protobuf_fields import (
    double,
    entry,
    nested,
    packed,
    single,
    tag,
    text,
    top_level,
    varint,
    whole,
)

META = "seldon.protos.Meta"


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_are_read_as_they_were(value: int) -> None:
    parameter = protos.parse("inference.InferParameter", b"\x10" + varint(value))

    assert parameter.int64_param == value


@given(st.text(), st.floats(allow_nan=False, width=32), st.dictionaries(st.text(), st.integers(-(2**31), 2**31 - 1)))
def test_text_numbers_and_maps_are_read_as_they_were(words: str, number: float, routing: dict[str, int]) -> None:
    data = b"".join(entry(b"\x1a", key, b"\x10" + varint(branch)) for key, branch in routing.items())
    data += nested(b"\x2a", text(b"\x0a", words.encode("utf-8", "replace").decode()) + single(b"\x1d", number))

    meta = protos.parse(META, data)

    assert dict(meta.routing) == routing
    assert meta.metrics[0].value == number


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_packed_numbers_are_read_as_they_were(values: list[int]) -> None:
    contents = protos.parse("inference.InferTensorContents", nested(tag(3), packed(values)))

    assert list(contents.int64_contents) == values


def test_a_zero_takes_no_bytes_except_in_a_oneof() -> None:
    assert (whole(b"\x08", 0), single(b"\x1d", 0.0), text(b"\x0a", "")) == (b"", b"", b"")
    assert (
        protos.parse("inference.InferParameter", double(b"\x21", 0.0)).WhichOneof("parameter_choice") == "double_param"
    )


def test_a_number_too_large_for_32_bits_is_infinite() -> None:
    assert protos.parse("seldon.protos.Metric", single(b"\x1d", 1e300)).value == float("inf")
    assert protos.parse("seldon.protos.Metric", single(b"\x1d", -1e300)).value == float("-inf")


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_a_refusal(data: bytes) -> None:
    try:
        fields = list(top_level(data))
    except BadRequest:
        return
    assert b"".join(data[start:end] for _, start, _, end in fields) == data


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x0a", b"\x80", b"\x80" * 11, b"\x0b", b"\x09\x00"])
def test_fields_that_are_cut_short_or_of_no_kind_are_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="the message"):
        list(top_level(data))
