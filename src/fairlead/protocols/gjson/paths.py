"""The text of a GJSON path, taken apart one component at a time.

What a component means depends on the value it meets: `#` counts an array and is an ordinary key of an object. So there
is one reading for each, and both are remembered by the text that is left of the path. A dot goes on inside what was
found; a pipe (and a dot before a modifier or multipath) goes on with the whole result.

Grammar: https://github.com/tidwall/gjson/blob/v1.14.4/SYNTAX.md.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

from fairlead.protocols.gjson.globs import Glob, glob_of

MODIFIERS = frozenset(
    "dig flatten fromstr group join keys pretty reverse this tostr ugly valid values".split()  # noqa: SIM905 - reads well
)
_REMEMBERED = 4096
_OPENING, _CLOSING = "[({", "])}"
_OPERATORS = ("!=", "!%", "<=", ">=", "==", "<", ">", "=", "%")


@dataclass(frozen=True, slots=True)
class Query:
    """`#(path op value)`: the elements of an array of which it holds, the first of them or `is_all`."""

    path: str
    op: str
    value: str
    is_all: bool


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A component as it looks at an object. `rest` is what follows a dot, `pipe` what follows a pipe; at most one of
    them is there."""

    key: Glob
    rest: str | None = None
    pipe: str | None = None


@dataclass(frozen=True, slots=True)
class ItemPart:
    """A component as it looks at an array: an index, `is_count` for `#`, `each` for the path after `#.`, or a query."""

    index: int | None = None
    is_count: bool = False
    each: str | None = None
    query: Query | None = None
    rest: str | None = None
    pipe: str | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """One member of a multipath; an empty name is for its path to say."""

    name: str
    path: str


@lru_cache(_REMEMBERED)
def key_part(path: str) -> KeyPart:
    """The first component of a path that meets an object."""
    at = _end_of_key(path)
    key, rest = glob_of(path[:at]), path[at + 1 :]
    if at == len(path):
        return KeyPart(key)
    if path[at] == "|" or _is_of_all(rest):
        return KeyPart(key, pipe=rest)
    return KeyPart(key, rest)


@lru_cache(_REMEMBERED)
def item_part(path: str) -> ItemPart:
    """The first component of a path that meets an array."""
    query, end = None, 0
    if path[:2] in ("#(", "#["):
        query, end = _query(path)
        if query is None:
            return ItemPart()  # brackets without an end: nothing is found
    at = next((at for at in range(end, len(path)) if path[at] in ".|"), len(path))
    text, rest = path[:at], path[at + 1 :]
    if at == len(path):
        return _item(text, query)
    if path[at] == "|":
        return _item(text, query, pipe=rest)
    if text == "#":
        return ItemPart(each=rest)
    if "#" not in text and _is_of_all(rest):  # a modifier after a query is asked of each element
        return _item(text, query, pipe=rest)
    return _item(text, query, rest=rest)


@lru_cache(_REMEMBERED)
def split_pipe(path: str) -> tuple[str, str | None]:
    """What is asked of each element, and what of all their answers together."""
    if path.startswith("{"):
        end = squash(path, 0)
        return (path[:end], path[end + 1 :]) if path[end : end + 1] == "|" else (path, None)
    index = 0
    while index < len(path):
        if path[index] == "\\":
            index += 2
        elif path[index : index + 3] in (".#(", ".#["):
            index = squash(path, index + 2)
        elif path[index : index + 2] == ".#":
            index += 3  # a pipe right after a count belongs to the element, as in GJSON
        elif path[index] == "|":
            return path[:index], path[index + 1 :]
        else:
            index += 1
    return path, None


@lru_cache(_REMEMBERED)
def multipath(path: str) -> tuple[tuple[Selected, ...], str] | None:
    """The members of `[…]` or `{…}` and the path after them; `None` for a bracket without an end."""
    found: list[Selected] = []
    depth, start, colon, in_modifier = 1, 1, 0, False
    index = 1
    while index < len(path):
        char = path[index]
        if char == "\\":
            index += 1
        elif char == '"':
            index = _end_of_text(path, index)
            continue
        elif char == "@" and path[index - 1] in ".|":
            in_modifier = True
        elif char == ":" and depth == 1 and not colon and not in_modifier:
            colon = index
        elif char in _OPENING:
            depth += 1
        elif char in _CLOSING:
            depth -= 1
        if depth == 0 or (char == "," and depth == 1):
            found.append(_selected(path, start, colon, index))
            if depth == 0:
                return tuple(found), path[index + 1 :]
            start, colon, in_modifier = index + 1, 0, False
        index += 1
    return None


def squash(text: str, start: int) -> int:
    """Where the value that starts here with a bracket or a quote ends; the end of the text for one that does not."""
    if text[start] == '"':
        return _end_of_text(text, start)
    depth, index = 0, start
    while index < len(text):
        char = text[index]
        if char == '"':
            index = _end_of_text(text, index)
            continue
        depth += (char in _OPENING) - (char in _CLOSING)
        index += 2 if char == "\\" else 1
        if depth == 0:
            return index
    return len(text)


def name_of(path: str) -> str:
    """What a member of `{…}` without a name is called: the last component of its path, `_` when that is none."""
    index = len(path) - 1
    while index >= 0 and (path[index] not in "|." or path[index - 1 : index] == "\\"):
        index -= 1
    last = path[index + 1 :]
    is_plain = not any(char < " " or char in "[]{}()#|!" for char in last)
    return last if is_plain else "_"


def unescaped(text: str) -> str:
    """The text between two quotes as JSON reads it; as it is when JSON does not."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _selected(path: str, start: int, colon: int, end: int) -> Selected:
    if not colon:
        return Selected("", path[start:end])
    name = path[start:colon]
    is_quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return Selected(unescaped(name[1:-1]) if is_quoted else name, path[colon + 1 : end])


def _item(text: str, query: Query | None, *, rest: str | None = None, pipe: str | None = None) -> ItemPart:
    if query is not None:
        return ItemPart(query=query, rest=rest, pipe=pipe)
    index = int(text) if text.isascii() and text.isdigit() else None
    return ItemPart(index, is_count=text == "#", rest=rest, pipe=pipe)


def _query(path: str) -> tuple[Query | None, int]:
    """The query that a path starts with, and where it ends; without one when its bracket has no end."""
    end = squash(path, 1)
    if path[end - 1] not in "])" or end < 3:
        return None, end
    inside = path[2 : end - 1]
    at = _operator_at(inside)
    is_all = path[end : end + 1] == "#"
    if at is None:
        return Query(_trim(inside), "", "", is_all), end
    where, compared = _trim(inside[:at]), _trim(inside[at:])
    op = next((op for op in _OPERATORS if compared.startswith(op)), "")
    value = _trim(compared[len(op) :])
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = unescaped(value[1:-1]) if "\\" in value else value[1:-1]
    return Query(where, "=" if op == "==" else op, value, is_all), end


def _operator_at(inside: str) -> int | None:
    """Where the comparison starts that is no part of a query within."""
    index = 0
    while index < len(inside):
        char = inside[index]
        if char in "!=<>%":
            return index
        if char in '"[(':
            index = squash(inside, index)
        else:
            index += 2 if char == "\\" else 1
    return None


def _end_of_key(path: str) -> int:
    index = 0
    while index < len(path) and path[index] not in ".|":
        index += 2 if path[index] == "\\" else 1
    return min(index, len(path))


def _is_of_all(rest: str) -> bool:
    """Whether a path goes on with the result rather than inside of it, although it follows a dot."""
    if rest[:1] == "@":
        end = next((at for at, char in enumerate(rest) if char in ".|:"), len(rest))
        return rest[1:end] in MODIFIERS
    return rest[:1] in ("[", "{")


def _end_of_text(text: str, start: int) -> int:
    """Where the quoted text ends that starts here."""
    index = start + 1
    while index < len(text):
        if text[index] == '"':
            return index + 1
        index += 2 if text[index] == "\\" else 1
    return len(text)


def _trim(text: str) -> str:
    return text.strip("".join(map(chr, range(33))))
