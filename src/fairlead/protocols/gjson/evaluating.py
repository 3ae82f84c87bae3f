"""What a GJSON path finds in a document.

It follows https://github.com/tidwall/gjson (1.14 and the documented additions since) closely enough that a condition
which was written for it decides the same here: the first match counts, a wildcard tries one key after the other, what
is after `#` or `#(…)#` is asked of each element, what is after a pipe of all of them.
"""

import json
from typing import Any, NoReturn

import orjson

from fairlead.protocols.gjson.comparing import holds
from fairlead.protocols.gjson.modifiers import literal, modified
from fairlead.protocols.gjson.paths import ItemPart, item_part, key_part, multipath, name_of, split_pipe
from fairlead.protocols.gjson.values import MISSING, Value


def parse(document: bytes) -> Value:
    """The document's value; raises `ValueError` when it is no JSON (`NaN` is none)."""
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        pass
    try:  # which takes surrogates that stand alone, and numbers beyond all floats
        return json.loads(document, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def exists(document: Value, path: str) -> bool:
    """Whether a path finds anything in a parsed document: null, false and zero are something."""
    return get(document, path) is not MISSING


def get(document: Value, path: str) -> Value:
    """What a path finds in a parsed document, `MISSING` when it is nothing. A path can be wrong in no way that is an
    error: it then finds nothing. Neither can one be too deep."""
    try:
        return _get(document, path)
    except RecursionError:
        return MISSING


def _get(value: Value, path: str) -> Value:
    if len(path) > 1 and path[0] in "@![{":
        rewritten = _rewritten(value, path)
        if rewritten is not None:
            made, rest = rewritten
            return _get(made, rest[1:]) if rest[:1] in (".", "|") else made
    search = _Search()
    if path.startswith(".."):
        search.in_array([value], path[2:])  # JSON lines, of which a document is one
    else:
        search.into(value, path)
    return search.found if search.pipe is None else _get(search.found, search.pipe)


def _rewritten(value: Value, path: str) -> tuple[Value, str] | None:
    """What a path makes of the value that starts with a modifier, a literal or a multipath, and the path after it."""
    if path[0] == "@":
        return _dug(value, path) if path.startswith("@dig:") else modified(value, path)
    if path[0] == "!":
        return literal(path)
    selected = multipath(path)
    if selected is None or (selected[1] and selected[1][0] not in ".|"):
        return None
    members, rest = selected
    found = [(one, _get(value, one.path)) for one in members]
    there = [(one, item) for one, item in found if item is not MISSING]
    if path[0] == "[":
        return [item for _, item in there], rest
    made: dict[str, Any] = {}
    for one, item in there:
        made.setdefault(one.name or name_of(one.path), item)
    return made, rest


def _dug(value: Value, path: str) -> tuple[Value, str]:
    """Everything that a path finds in the value or anywhere inside it."""
    wanted, bar, rest = path.removeprefix("@dig:").partition("|")
    found: list[Value] = []
    inside = [value]
    while inside:
        one = inside.pop()
        item = _get(one, wanted)
        if item is not MISSING:
            found.append(item)
        if isinstance(one, dict | list):
            inside += reversed(list(one.values()) if isinstance(one, dict) else one)
    return found, bar + rest


class _Search:
    """The way of one path down to a value. `pipe` is the path to ask what was found for."""

    __slots__ = ("found", "pipe")

    def __init__(self) -> None:
        self.found: Value = MISSING
        self.pipe: str | None = None

    def into(self, value: Value, path: str) -> bool:
        """Look inside a value; whether the search is over."""
        if isinstance(value, dict):
            return self._in_object(value, path)
        return self.in_array(value, path) if isinstance(value, list) else False

    def in_array(self, items: list[Any], path: str) -> bool:
        """Look at the elements."""
        part = item_part(path)
        if part.pipe is not None:
            self.pipe = part.pipe
        if part.query is not None:
            return self._ask(items, part)
        if part.each is not None:
            wanted, pipe = split_pipe(part.each)
            self.pipe = pipe
            found = (_get(item, wanted) for item in items)
            return self._take([one for one in found if one is not MISSING])
        if part.is_count:
            return self._take(len(items))
        if part.index is None or part.index >= len(items):
            return False
        item = items[part.index]
        return self._take(item) if part.rest is None else self.into(item, part.rest)

    def _in_object(self, members: dict[str, Any], path: str) -> bool:
        part = key_part(path)
        if part.pipe is not None:
            self.pipe = part.pipe
        for value in part.key.members(members):
            if self._take(value) if part.rest is None else self.into(value, part.rest):
                return True
        return False

    def _ask(self, items: list[Any], part: ItemPart) -> bool:
        query = part.query
        assert query is not None  # or nobody would ask
        found: list[Value] = []
        for item in items:
            if isinstance(item, dict | list):
                about = _get(item, query.path)
            elif query.path:
                continue
            else:
                about = item
            if not holds(query, about):
                continue
            answer = item
            if part.rest is not None:
                wanted, pipe = split_pipe(part.rest)
                self.pipe = pipe if pipe is not None else self.pipe
                answer = _get(item, wanted)
            if not query.is_all:
                return self._take(answer)
            if answer is not MISSING:
                found.append(answer)
        if query.is_all and self.found is MISSING:
            self.found = found
        return False

    def _take(self, value: Value) -> bool:
        self.found = value
        return True


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
