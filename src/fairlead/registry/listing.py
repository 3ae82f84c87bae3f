"""The small language of lists: words divided by blanks, `key:value` to filter and bare ones to search.

`label:k=v` and `-label:k=v`, `sort:build_at-desc`, `in:name` and `in:description`, `is:x` and `not:x`, and `@me` for
whoever asks. A word with a key that nobody knows is searched for like any other: tags have colons too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from fairlead.errors import BadRequest
from fairlead.registry.values import LabelFilter, ListQuery

_KEYS = frozenset(
    {
        "creator",
        "last_updater",
        "module",
        "cluster",
        "status",
        "bento",
        "bento_repository",
        "resource_type",
        "operation_name",
        "started_at",
        "ended_at",
    }
)
_FIELDS = ("name", "description")
_PEOPLE = frozenset({"creator", "last_updater"})
_DIRECTIONS = ("asc", "desc")
_MOST = 2**31 - 1


def parse(
    q: str = "",
    *,
    start: int | str = 0,
    count: int | str = 0,
    search: str = "",
    me: str = "",
    keys: frozenset[str] = _KEYS,
) -> ListQuery:
    """What a list is asked for. `me` is the name that `@me` stands for. Raises BadRequest for numbers that are none."""
    words = _Words(me=me, keys=keys)
    for word in q.split():
        words.take(word)
    query = replace(words.query(), start=_number("start", start), count=_number("count", count))
    return replace(query, keywords=(*query.keywords, search)) if search else query


def _number(name: str, given: int | str) -> int:
    try:
        number = int(given or 0)
    except ValueError:
        number = -1
    if not 0 <= number <= _MOST:
        raise BadRequest(f"{name} is {given!r}; it must be a number from 0 to {_MOST}")
    return number


@dataclass
class _Words:
    """Gathers what the words of a query ask for."""

    me: str
    keys: frozenset[str]
    keywords: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    filters: dict[str, list[str]] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=dict)
    labels: list[LabelFilter] = field(default_factory=list)
    sort: str = ""
    is_descending: bool = True

    def take(self, word: str) -> None:
        key, colon, value = word.partition(":")
        if not colon or not value:
            self.keywords.append(word)
        elif key in ("label", "-label"):
            self.labels.append(_label(value, is_negated=key.startswith("-")))
        elif key == "sort":
            self._sort(value)
        elif key == "in" and value in _FIELDS:
            self.fields.append(value)
        elif key in ("is", "not"):
            self.flags[value] = key == "is"
        elif key in self.keys:
            self.filters.setdefault(key, []).append(self.me if value == "@me" and key in _PEOPLE else value)
        else:
            self.keywords.append(word)

    def _sort(self, value: str) -> None:
        column, dash, direction = value.rpartition("-")
        if not dash or direction not in _DIRECTIONS:
            column, direction = value, "desc"
        self.sort, self.is_descending = column, direction == "desc"

    def query(self) -> ListQuery:
        filters: Mapping[str, tuple[str, ...]] = {key: tuple(values) for key, values in self.filters.items()}
        return ListQuery(
            keywords=tuple(self.keywords),
            fields=tuple(dict.fromkeys(self.fields)) or ("name",),
            filters=MappingProxyType(dict(filters)),
            flags=MappingProxyType(dict(self.flags)),
            labels=tuple(self.labels),
            sort=self.sort,
            is_descending=self.is_descending,
        )


def _label(text: str, *, is_negated: bool) -> LabelFilter:
    key, equals, value = text.partition("=")
    return LabelFilter(key=key, value=value if equals else None, is_negated=is_negated)
