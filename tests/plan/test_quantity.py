from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.plan import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("1", "1"),
        (2, "2"),
        (0.5, "0.5"),
        ("1e3", "1000"),
        ("1E-2", "0.01"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1k", "1000"),
        ("2M", "2000000"),
        ("1E", "1000000000000000000"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-1", "-1"),
        ("100n", "0.0000001"),
        ("3u", "0.000003"),
        ("1Ei", "1152921504606846976"),
    ],
)
def test_a_quantity_is_read_exactly(text: str | float, value: str) -> None:
    assert quantity.parse(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1gi", "1e", "--1", "1Kb", "0x10", True, "1e9999"])
def test_what_is_no_quantity_says_what_would_be(text: str | bool) -> None:
    with pytest.raises(ValueError, match="is not a quantity; write a number with an optional suffix"):
        quantity.parse(text)


def test_resources_are_not_negative() -> None:
    assert quantity.cores("250m") == 0.25
    assert quantity.size_bytes("1.0001") == 2
    with pytest.raises(ValueError, match="is negative"):
        quantity.size_bytes("-1Gi")


@pytest.mark.parametrize(("value", "text"), [(2, "2"), (0.5, "500m"), (1.25, "1250m"), (0, "0"), (0.0001, "1m")])
def test_cores_are_written_the_short_way(value: float, text: str) -> None:
    assert quantity.format_cores(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1000, "1000"), (1024, "1Ki"), (1536 * 1024**2, "1536Mi"), (1024**6, "1Ei")]
)
def test_bytes_are_written_with_the_largest_suffix_that_fits(value: int, text: str) -> None:
    assert quantity.format_bytes(value) == text


@given(st.integers(min_value=0, max_value=2**62))
def test_bytes_survive_writing_and_reading(value: int) -> None:
    assert quantity.size_bytes(quantity.format_bytes(value)) == value
