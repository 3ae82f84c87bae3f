import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.registry.deploying import go_durations


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("0", 0), ("90s", 90 * 10**9), ("1m30s", 90 * 10**9), ("250ms", 250 * 10**6), ("1.5h", 5400 * 10**9), ("7ns", 7)],
)
def test_a_duration_is_read_as_go_reads_it(text: str, nanoseconds: int) -> None:
    assert go_durations.nanoseconds(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "soon", "10", "10 s", "s", "-5s", "1d", "1m30"])
def test_what_go_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        go_durations.nanoseconds(text)


@given(st.integers(0, 10**14).map(lambda number: number * 1000))
def test_what_is_written_reads_the_same(nanoseconds: int) -> None:
    assert abs(go_durations.nanoseconds(go_durations.written(nanoseconds)) - nanoseconds) <= nanoseconds * 1e-9
