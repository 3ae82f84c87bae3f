"""Command lines in the forms of Go's and Python's parsers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import ConfigError
from fairlead.pods.flags import Flags

KNOWN = {"http_port": "8000", "name": "", "full": "false", "model-dir": "/m"}


@pytest.mark.parametrize(
    "words",
    [
        ("--http_port", "9", "--full", "--name=a"),
        ("-http_port=9", "-full=true", "-name", "a"),
        ("--http-port=9", "--full=1", "--name", "a"),
        ("--full", "true", "--http-port=9", "--name", "a"),
    ],
)
def test_all_forms_mean_the_same(words: tuple[str, ...]) -> None:
    flags = Flags(words, KNOWN, switches=("full",))

    assert (flags.port("http_port"), flags.is_on("full"), flags.text("name")) == (9, True, "a")
    assert flags.text("model-dir") == "/m"


def test_a_value_may_begin_with_a_dash_or_hold_an_equals_sign() -> None:
    flags = Flags(("--name", "-1", "--model-dir=a=b"), KNOWN)

    assert (flags.text("name"), flags.text("model-dir")) == ("-1", "a=b")


def test_what_is_not_known_is_told() -> None:
    flags = Flags(("word", "--new=1", "--name", "a", "--name", "b"), KNOWN)

    assert (flags.rest, flags.unknown) == (["word"], ["--new=1"])
    assert (flags.texts("name"), flags.text("name")) == (["a", "b"], "b")


@pytest.mark.parametrize(("name", "value"), [("http_port", "65536"), ("http_port", "x"), ("http_port", "-1")])
def test_a_port_that_is_none_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"--{name} "):
        Flags((f"--{name}={value}",), KNOWN).port(name)


def test_a_switch_that_is_neither_is_refused() -> None:
    with pytest.raises(ConfigError, match="--full 'maybe': must be true or false"):
        Flags(("--full=maybe",), KNOWN, switches=("full",)).is_on("full")


@given(st.lists(st.text()))
def test_no_command_line_breaks_the_reader(words: list[str]) -> None:
    flags = Flags(words, KNOWN, switches=("full",))

    assert isinstance(flags.text("name"), str)
