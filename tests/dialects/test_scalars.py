import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.dialects.scalars import resolve


@pytest.mark.parametrize("text", ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"])
def test_words_of_yaml_1_1_are_true(text: str) -> None:
    assert resolve(text) is True


@pytest.mark.parametrize("text", ["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"])
def test_words_of_yaml_1_1_are_false(text: str) -> None:
    assert resolve(text) is False


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_null(text: str) -> None:
    assert resolve(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 8),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b101", 5),
        ("-0x10", -16),
        ("+7", 7),
        ("1_000", 1000),
        ("1e3", 1000),
        ("1.0", 1),
        ("08", 8),
        (".5", 0.5),
        ("2.5e-3", 0.0025),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_numbers_are_what_go_makes_of_them(text: str, value: float) -> None:
    found = resolve(text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "1:30",
        "2024-01-31",
        "2024-01-31T10:00:00Z",
        "v1",
        "1.2.3",
        "500m",
        "1Gi",
        "yEs",
        "+",
        "-",
        ".",
        "0x",
        "-name",
        "e3",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", "1e999"])
def test_numbers_that_json_cannot_hold_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        resolve(text)


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_integers_read_as_themselves(value: int) -> None:
    assert resolve(str(value)) == value
