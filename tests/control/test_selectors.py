"""Selectors: the two languages, read and applied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.control.selectors import parse_fields, parse_labels
from fairlead.errors import BadRequest

LABELS = {"app": "iris", "tier": "front", "size": "3"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=iris", True),
        ("app==iris,tier!=back", True),
        ("app=rose", False),
        ("app in (rose, iris)", True),
        ("app notin (rose,iris)", False),
        ("missing notin (a)", True),
        ("missing!=a", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("size>2,size<4", True),
        ("size>3", False),
        ("tier>1", False),
        ("app=,tier", False),
        ("example.com/app-name notin (x),app", True),
    ],
)
def test_a_label_selector_matches_as_kubernetes_does(text: str, matches: bool) -> None:
    assert all(requirement.matches(LABELS) for requirement in parse_labels(text)) is matches


@pytest.mark.parametrize("text", ["app=iris,", "app in", "app in (a", "=x", "app in (a))", "a b", "app===x", ","])
def test_what_is_no_label_selector_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="unable to parse requirement"):
        parse_labels(text)


@given(st.text(alphabet="ab=!(),<> in", max_size=20))
def test_reading_a_label_selector_ends_in_requirements_or_a_refusal(text: str) -> None:
    try:
        requirements = parse_labels(text)
    except BadRequest:
        return
    for requirement in requirements:
        requirement.matches(LABELS)


def test_a_field_selector_compares_the_text_of_fields() -> None:
    document = {"metadata": {"name": "a"}, "status": {"phase": "Running"}}

    terms = parse_fields("metadata.name=a,status.phase!=Failed", ("metadata.name", "status.phase"))

    assert all(term.matches(document) for term in terms)


def test_a_field_that_is_not_indexed_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.secret"):
        parse_fields("spec.secret=x", ("metadata.name",))
