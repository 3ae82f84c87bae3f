"""The language of lists."""

import pytest

from fairlead.errors import BadRequest
from fairlead.registry.listing import parse
from fairlead.registry.values import LabelFilter


def test_words_filter_sort_and_search() -> None:
    query = parse(
        "iris creator:@me creator:bob sort:size-asc in:description is:public not:old", start=5, count="3", me="ada"
    )

    assert query.keywords == ("iris",)
    assert query.fields == ("description",)
    assert query.filters == {"creator": ("ada", "bob")}
    assert query.flags == {"public": True, "old": False}
    assert (query.sort, query.is_descending, query.start, query.count) == ("size", False, 5, 3)


def test_labels_are_wanted_or_unwanted_with_and_without_a_value() -> None:
    query = parse("label:stage=prod -label:old label:owner")

    assert query.labels == (
        LabelFilter(key="stage", value="prod"),
        LabelFilter(key="old", is_negated=True),
        LabelFilter(key="owner"),
    )


def test_a_word_with_an_unknown_key_is_searched_for() -> None:
    assert parse("iris:v1 sort:created_at", search="x").keywords == ("iris:v1", "x")


def test_nothing_asks_for_everything_newest_first() -> None:
    query = parse()

    assert (query.start, query.count, query.sort, query.is_descending) == (0, 0, "", True)


@pytest.mark.parametrize("count", [-1, "many", 2**31])
def test_numbers_that_are_none_are_refused(count: int | str) -> None:
    with pytest.raises(BadRequest, match="count"):
        parse(count=count)
