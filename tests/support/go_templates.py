"""As much of Go's template language, and of the functions that Helm adds to it, as our chart is written in. What is not
here raises, so the chart cannot grow past what is checked.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.S)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[()|]|:=|,|[^\s()|,]+')


def to_json(value: Any) -> str:
    """As Go writes JSON: keys in order, nothing that HTML would take for markup."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@dataclass
class Chart:
    """Templates by file name."""

    templates: Mapping[str, str]
    _defined: dict[str, list[Any]] = field(default_factory=dict)

    def render(self, name: str, data: Mapping[str, Any]) -> str:
        """One template with these values."""
        for text in self.templates.values():
            _Parser(text, self._defined).block()
        return self._run(_Parser(self.templates[name], {}).block()[0], data, {"$": data})

    def _run(self, nodes: list[Any], dot: Any, variables: dict[str, Any]) -> str:
        return "".join(self._node(node, dot, variables) for node in nodes)

    def _node(self, node: Any, dot: Any, variables: dict[str, Any]) -> str:
        if isinstance(node, str):
            return node
        kind, expression, body, other = node
        if kind == "print":
            return _printed(self._value(expression, dot, variables))
        value = self._value(expression, dot, variables)
        if kind == "if":
            return self._run(body if value else other, dot, variables)
        names, body = body
        made = []
        pairs = sorted(value.items()) if isinstance(value, Mapping) else enumerate(value or ())
        for key, item in pairs:
            bound = dict(zip(names, (key, item), strict=True)) if names else {}
            made.append(self._run(body, item, {**variables, **bound}))
        return "".join(made)

    def _value(self, tokens: list[str], dot: Any, variables: dict[str, Any]) -> Any:
        """A pipeline: each command gets what the one before it gave as its last argument."""
        result: Any = None
        for index, command in enumerate(_split(tokens)):
            given = [result] if index else []
            words = list(self._words(command, dot, variables))
            if callable(words[0]):
                result = words[0](*words[1:], *given)
            else:
                assert len(words) == 1, f"not a function: {command}"
                result = words[0]
        return result

    def _words(self, command: list[str], dot: Any, variables: dict[str, Any]) -> Iterator[Any]:
        rest = list(command)
        while rest:
            token = rest.pop(0)
            if token == "(":
                depth, inner = 1, []
                while depth:
                    inner.append(rest.pop(0))
                    depth += {"(": 1, ")": -1}.get(inner[-1], 0)
                yield self._value(inner[:-1], dot, variables)
            elif token.startswith('"'):
                yield json.loads(token)
            elif token.startswith("$"):
                yield variables[token]
            elif token.startswith("."):
                yield _at(dot, token)
            else:
                yield self._functions(token)

    def _functions(self, name: str) -> Callable[..., Any]:
        known: dict[str, Callable[..., Any]] = {
            "toJson": to_json,
            "quote": lambda value: json.dumps(_printed(value), ensure_ascii=False),
            "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
            "default": lambda other, value=None: value or other,
            "not": lambda value: not value,
            "and": lambda *values: next((value for value in values if not value), values[-1]),
            "kindIs": lambda kind, value: isinstance(value, Mapping) == (kind == "map"),
            "include": lambda name, data: self._run(self._defined[name], data, {"$": data}),
        }
        return known[name]


def _at(dot: Any, path: str) -> Any:
    for name in path.split("."):
        if name:
            dot = dot.get(name)
    return dot


def _printed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _split(tokens: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "|" and not depth:
            yield command
            command = []
        else:
            command.append(token)
    yield command


class _Parser:
    """Text and actions, nested by their blocks."""

    def __init__(self, text: str, defined: dict[str, list[Any]]) -> None:
        self._defined = defined
        self._parts: list[str | list[str]] = []
        at, trims = 0, False
        for found in _ACTION.finditer(text):
            before = text[at : found.start()]
            before = before.lstrip() if trims else before
            self._parts.append(before.rstrip() if found[1] else before)
            self._parts.append(_TOKEN.findall(found[2]))
            at, trims = found.end(), bool(found[3])
        self._parts.append(text[at:].lstrip() if trims else text[at:])

    def block(self) -> tuple[list[Any], str]:
        """Nodes up to the end of the block, and what ended it."""
        nodes: list[Any] = []
        while self._parts:
            part = self._parts.pop(0)
            if isinstance(part, str):
                nodes.append(part)
            elif part[0] in ("end", "else"):
                return nodes, part[0]
            elif part[0] == "define":
                self._defined[json.loads(part[1])] = self.block()[0]
            elif part[0] == "if":
                body, ended = self.block()
                nodes.append(("if", part[1:], body, self.block()[0] if ended == "else" else []))
            elif part[0] == "range":
                names = [word for word in part[1:] if word.startswith("$")] if ":=" in part else []
                expression = part[part.index(":=") + 1 :] if names else part[1:]
                nodes.append(("range", expression, (names, self.block()[0]), []))
            else:
                nodes.append(("print", part, [], []))
        return nodes, ""
