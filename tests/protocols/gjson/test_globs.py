"""Patterns with wildcards."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.protocols.gjson.globs import glob_of


@given(st.text(alphabet="ab*?.", max_size=8), st.text(alphabet="ab.", max_size=10))
def test_a_pattern_matches_as_the_regular_expression_of_the_same_meaning(pattern: str, text: str) -> None:
    meaning = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)

    assert glob_of(pattern).matches(text) is (re.fullmatch(meaning, text, re.DOTALL) is not None)


@pytest.mark.parametrize(("pattern", "text"), [(r"x\*y", "x*y"), (r"\?", "?"), ("a\\", "a"), (r"\*?", "*b")])
def test_a_backslash_takes_the_meaning_from_a_wildcard(pattern: str, text: str) -> None:
    assert glob_of(pattern).matches(text)


def test_a_pattern_with_many_stars_takes_no_time_to_fail() -> None:
    assert not glob_of("*a" * 60 + "*b").matches("a" * 20_000)
