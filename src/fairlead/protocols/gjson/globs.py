"""Patterns with `*` for any characters and `?` for any one, in time that grows with the product of both lengths, so
that no pattern of a manifest and no text of a client makes a worker stand still."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

_ANY: Final = -1
_ONE: Final = -2
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern. `literal` is the text it stands for when it has no wildcard; else `marks` are the code points and
    wildcards it is made of."""

    literal: str | None
    marks: tuple[int, ...] = ()

    def matches(self, text: str) -> bool:
        """Whether the whole text is like this."""
        return text == self.literal if self.literal is not None else _matches(self.marks, text)

    def members(self, of: Mapping[str, Any]) -> Iterator[Any]:
        """The values whose keys are like this, in their order."""
        if self.literal is not None:
            if self.literal in of:
                yield of[self.literal]
            return
        for key, value in of.items():
            if _matches(self.marks, key):
                yield value


@lru_cache(_REMEMBERED)
def glob_of(pattern: str) -> Glob:
    """A pattern in which a backslash takes the meaning from what follows it."""
    marks: list[int] = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            index += 1
            marks += [ord(one) for one in pattern[index : index + 1]]
        elif char == "*":
            marks.append(_ANY)
        else:
            marks.append(_ONE if char == "?" else ord(char))
        index += 1
    if _ANY in marks or _ONE in marks:
        return Glob(None, tuple(marks))
    return Glob("".join(map(chr, marks)))


def _matches(marks: tuple[int, ...], text: str) -> bool:
    """A star first takes nothing; when what follows does not fit, the last one takes one character more."""
    at = mark = 0
    star = retry = -1
    while at < len(text):
        if mark < len(marks) and marks[mark] == _ANY:
            star, retry = mark, at
            mark += 1
        elif mark < len(marks) and marks[mark] in (_ONE, ord(text[at])):
            at += 1
            mark += 1
        elif star >= 0:
            retry += 1
            at, mark = retry, star + 1
        else:
            return False
    return all(rest == _ANY for rest in marks[mark:])
