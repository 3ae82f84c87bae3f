"""Names of rows: 24 characters, later ones after earlier ones, so that the newest come first without another column."""

import secrets
import time
from collections.abc import Callable

# Crockford's base 32: digits and letters in the order in which every database sorts them.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_LETTERS = 10
_RANDOM_LETTERS = 14


def new_uid(clock: Callable[[], float] = time.time) -> str:
    """50 bits of milliseconds, then 70 random bits."""
    return _letters(int(clock() * 1000), _TIME_LETTERS) + _letters(secrets.randbits(70), _RANDOM_LETTERS)


def _letters(number: int, count: int) -> str:
    return "".join(_ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(count)))
