"""Long lists of names in pieces that a statement may have: SQLite takes 32 766 parameters, PostgreSQL's protocol as
many again."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")
_SIZE = 5000


def batches(items: Iterable[_T]) -> Iterator[list[_T]]:
    """The items in their order, some at a time."""
    left = iter(items)
    while some := list(islice(left, _SIZE)):
        yield some
