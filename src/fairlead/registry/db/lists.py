"""How a `ListQuery` becomes conditions and an order, whatever the list is of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fairlead.errors import BadRequest
from fairlead.registry.db import labels
from fairlead.registry.db.tables import users
from fairlead.registry.values import ListQuery

_NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of one list: where keywords are looked for, what is filtered by, and what it can be sorted by (the
    first is its own order). `people` hold uids of users and are filtered by their names."""

    uid: sa.ColumnElement[str]
    resource_type: str
    texts: Mapping[str, Sequence[sa.ColumnElement[str]]]
    filters: Mapping[str, sa.ColumnElement[str]]
    people: Mapping[str, sa.ColumnElement[str]]
    sorts: Mapping[str, sa.ColumnElement[float]]


def conditions(columns: Columns, query: ListQuery) -> list[sa.ColumnElement[bool]]:
    """What a row must be. Filters that this list does not know match nothing."""
    found: list[sa.ColumnElement[bool]] = []
    for keyword in query.keywords:
        texts = [text for name in query.fields for text in columns.texts.get(name, ())]
        found.append(sa.or_(sa.false(), *(text.icontains(keyword, autoescape=True) for text in texts)))
    for key, values in query.filters.items():
        found.append(_filter(columns, key, values))
    found.extend(labels.condition(wanted, columns.resource_type, columns.uid) for wanted in query.labels)
    return found


def _filter(columns: Columns, key: str, values: Sequence[str]) -> sa.ColumnElement[bool]:
    if key in columns.people:
        return columns.people[key].in_(sa.select(users.c.uid).where(users.c.name.in_(values)))
    return columns.filters[key].in_(values) if key in columns.filters else sa.false()


def order(columns: Columns, query: ListQuery) -> list[sa.ColumnElement[Any]]:
    """The newest first unless the query says otherwise; uids decide between equals, so that pages never overlap."""
    if query.sort and query.sort not in columns.sorts:
        raise BadRequest(f"cannot sort by {query.sort!r}; accepted: {', '.join(columns.sorts)}")
    column = columns.sorts[query.sort or next(iter(columns.sorts))]
    both: tuple[sa.ColumnElement[Any], ...] = (column, columns.uid)
    return [each.desc() if query.is_descending else each.asc() for each in both]


def limit(query: ListQuery) -> int:
    """How many rows at most."""
    return query.count or _NO_LIMIT
