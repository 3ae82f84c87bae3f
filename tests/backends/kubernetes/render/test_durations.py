"""Durations as routers read them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.render.durations import gateway_duration, proto_duration

_UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (60, "60s"), (0.25, "250ms"), (100.5, "1m40s500ms"), (5000, "5000s")]
)
def test_whole_numbers_with_a_unit(seconds: float, text: str) -> None:
    assert gateway_duration(seconds) == text


@given(milliseconds=st.integers(min_value=0, max_value=99_999 * 3_600_000))
def test_any_duration_is_valid_and_keeps_its_length(milliseconds: int) -> None:
    text = gateway_duration(milliseconds / 1000)

    assert re.fullmatch(r"([0-9]{1,5}(h|m|s|ms)){1,4}", text)
    parts = re.findall(r"(\d+)(ms|h|m|s)", text)
    assert sum(int(count) * _UNITS_MS[unit] for count, unit in parts) == pytest.approx(milliseconds, abs=1)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (1, "1s"), (1.5, "1.5s"), (0.05, "0.05s"), (100, "100s")])
def test_istio_reads_fractions(seconds: float, text: str) -> None:
    assert proto_duration(seconds) == text
