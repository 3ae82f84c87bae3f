"""Durations as kubectl writes them."""

import pytest

from fairlead.cli.durations import seconds
from fairlead.cli.exits import UsageError


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90), ("1m30s", 90), ("10m", 600), ("2h", 7200), ("500ms", 0.5), ("5", 5), ("1.5s", 1.5)]
)
def test_a_duration_reads_as_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "10 m", "-1s", "1x", "s"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="write 90s"):
        seconds(text)
