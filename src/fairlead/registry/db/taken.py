"""A unique constraint's refusal, in words: the same whether the row was seen first or another writer was quicker."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from fairlead.errors import AlreadyExists


@contextmanager
def refused_as(message: str) -> Iterator[None]:
    """Turn a violated constraint into AlreadyExists; the transaction it happened in is lost."""
    try:
        yield
    except IntegrityError as error:
        raise AlreadyExists(message) from error
