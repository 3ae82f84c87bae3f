"""A server's command line as flags and values.

Servers read theirs in three ways: `--name=value`, `--name value`, and `--name` alone for what is switched on. Which of
the last two a flag is, only its server knows; here a word after a flag that does not begin with a dash is its value.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Flag(NamedTuple):
    """One flag. `name` has no dashes; `value` is `None` when there is none."""

    name: str
    value: str | None


def flags_of(words: Iterable[str]) -> Iterator[Flag]:
    """The flags in order; words that belong to none are passed over."""
    waiting: str | None = None
    for word in words:
        if not word.startswith("-") or _is_number(word):
            if waiting is not None:
                yield Flag(waiting, word)
                waiting = None
            continue
        if waiting is not None:
            yield Flag(waiting, None)
            waiting = None
        name, equals, value = word.lstrip("-").partition("=")
        if equals:
            yield Flag(name, value)
        elif name:
            waiting = name
    if waiting is not None:
        yield Flag(waiting, None)


def settings_of(words: Iterable[str]) -> dict[str, str]:
    """The flags by name, the last of equal ones; one without a value is `true`."""
    return {flag.name: "true" if flag.value is None else flag.value for flag in flags_of(words)}


def has_flag(words: Iterable[str], name: str) -> bool:
    """Whether a flag is there, with a value or without."""
    return any(flag.name == name for flag in flags_of(words))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
