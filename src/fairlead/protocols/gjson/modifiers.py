"""What a path may do to a value on its way: `@reverse`, `@flatten`, `@join` and the rest, and `!` for a literal.

Those that only change how JSON is laid out (`@pretty`, `@ugly`) give the value as it is, since a condition looks at
values and not at their text.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fairlead.protocols.gjson.paths import squash
from fairlead.protocols.gjson.values import MISSING, Value
from fairlead.protocols.jsontext import compact

Modifier = Callable[[Value, str], Value]
_DECODER = json.JSONDecoder(strict=False)
_WORDS: Mapping[str, Value] = {"true": True, "false": False, "null": None, "nan": float("nan"), "inf": float("inf")}


def modified(value: Value, path: str) -> tuple[Value, str] | None:
    """What the modifier that a path starts with makes of the value, and the path after it; `None` when it is none."""
    end = next((at for at, char in enumerate(path) if char in ":|."), len(path))
    modifier = _MODIFIERS.get(path[1:end])
    if modifier is None:
        return None
    argument, rest = "", path[end:]
    if rest[:1] == ":":
        argument, rest = _argument(rest[1:])
    return modifier(value, argument), rest


def literal(path: str) -> tuple[Value, str] | None:
    """The value that a path writes down after `!`, and the path after it; `None` when it is none."""
    text = path[1:]
    if text[:1] in ("{", "["):
        end = squash(text, 0)
        return _decoded(text[:end]), text[end:]
    if text[:1] and text[0] in '"+-0123456789':
        return _decoded(text), ""
    end = next((at for at, char in enumerate(text) if char in ".|"), len(text))
    word = text[:end].lower()
    return (_WORDS[word], text[end:]) if word in _WORDS else None


def _argument(text: str) -> tuple[str, str]:
    if text[:1] in ("{", "[", '"'):
        end = squash(text, 0)
        return text[:end], text[end:]
    argument, bar, rest = text.partition("|")
    return argument, bar + rest


def _decoded(text: str) -> Value:
    try:
        return _DECODER.raw_decode(text.strip().removeprefix("+"))[0]
    except ValueError:
        return MISSING


def _asks(argument: str, option: str) -> bool:
    options = _decoded(argument)
    return isinstance(options, dict) and options.get(option) is True


def _same(value: Value, _argument: str) -> Value:
    return value


def _reverse(value: Value, _argument: str) -> Value:
    if isinstance(value, list):
        return value[::-1]
    return dict(reversed(value.items())) if isinstance(value, dict) else value


def _flatten(value: Value, argument: str) -> Value:
    if not isinstance(value, list):
        return value
    return list(_flat(value, is_deep=_asks(argument, "deep")))


def _flat(items: list[Any], *, is_deep: bool) -> Iterator[Any]:
    for item in items:
        if not isinstance(item, list):
            yield item
        elif is_deep:
            yield from _flat(item, is_deep=True)
        else:
            yield from item


def _join(value: Value, argument: str) -> Value:
    """Of a key that several objects have the last value counts; `preserve` keeps them all, of which the first is
    found."""
    if not isinstance(value, list):
        return value
    objects = [item for item in value if isinstance(item, dict)]
    if _asks(argument, "preserve"):
        objects.reverse()
    return {key: item for one in objects for key, item in one.items()}


def _keys(value: Value, _argument: str) -> Value:
    if isinstance(value, dict):
        return list(value)
    if value is MISSING:
        return []
    return [None] * (len(value) if isinstance(value, list) else 1)


def _values(value: Value, _argument: str) -> Value:
    if isinstance(value, dict):
        return list(value.values())
    if value is MISSING:
        return []
    return value if isinstance(value, list) else [value]


def _to_text(value: Value, _argument: str) -> Value:
    return "" if value is MISSING else compact(value).decode()


def _from_text(value: Value, _argument: str) -> Value:
    if value is None:
        return MISSING
    return _decoded(value) if isinstance(value, str) else value


def _group(value: Value, _argument: str) -> Value:
    """An object of arrays as an array of objects."""
    if not isinstance(value, dict):
        return MISSING
    grouped: list[dict[str, Any]] = []
    for key, items in value.items():
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if index == len(grouped):
                grouped.append({})
            grouped[index][key] = item
    return grouped


_MODIFIERS: Mapping[str, Modifier] = {
    "flatten": _flatten,
    "fromstr": _from_text,
    "group": _group,
    "join": _join,
    "keys": _keys,
    "pretty": _same,
    "reverse": _reverse,
    "this": _same,
    "tostr": _to_text,
    "ugly": _same,
    "valid": _same,
    "values": _values,
}
