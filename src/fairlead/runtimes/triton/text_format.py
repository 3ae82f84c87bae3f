"""Protobuf's text format, as `config.pbtxt` is written in it, without a schema.

A message becomes a dict whose values are lists, because only a schema knows which fields repeat. Names of enums become
strings like any other. Pure: text in, values out.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from fairlead.errors import LoadError

Fields = dict[str, list[Any]]

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?)(?![\w.]))
    |(?P<name>-?[A-Za-z_][\w.]*)
    |(?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE | re.DOTALL,
)
_ENDS = {"{": "}", "<": ">"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_DEEPEST = 64


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def parse(text: str, *, where: str) -> Fields:
    """The fields of a message. Raises `LoadError` with the line; `where` is the file's name."""
    reader = _Reader(list(_tokens(text, where)), where)
    return reader.fields("", depth=0)


def _tokens(text: str, where: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise LoadError(f"{where}:{line}: unexpected {text[at]!r}")
        kind = str(found.lastgroup)
        if kind != "space":
            yield _Token(kind, found.group(), line)
        line += found.group().count("\n")
        at = found.end()
    yield _Token("end", "", line)


class _Reader:
    """Walks over the tokens once."""

    def __init__(self, tokens: list[_Token], where: str) -> None:
        self._tokens = tokens
        self._where = where
        self._at = 0

    def fields(self, end: str, *, depth: int) -> Fields:
        """Fields until the mark `end`, or the end of the text when it is empty."""
        if depth > _DEEPEST:
            raise self._wrong(f"at most {_DEEPEST} levels")
        given: Fields = {}
        while not self._is_end(end):
            name = self._next()
            if name.kind != "name":
                raise self._wrong("a field's name", name)
            given.setdefault(name.text, []).extend(self._values(depth))
            while self._peek().text in (",", ";") and self._peek().kind == "mark":
                self._next()
        return given

    def _is_end(self, end: str) -> bool:
        token = self._peek()
        if token.kind == "end":
            if end:
                raise self._wrong(repr(end), token)
            return True
        if token.kind == "mark" and token.text == end:
            self._next()
            return True
        return False

    def _values(self, depth: int) -> list[Any]:
        """What comes after a name: `: value`, `: [values]`, `{ fields }`."""
        token = self._next()
        has_colon = token.text == ":" and token.kind == "mark"
        if has_colon:
            token = self._next()
        if token.kind == "mark" and token.text == "[":
            return self._list(depth)
        if not has_colon and not (token.kind == "mark" and token.text in _ENDS):
            raise self._wrong("':' or '{'", token)
        return [self._value(token, depth)]

    def _list(self, depth: int) -> list[Any]:
        values: list[Any] = []
        while True:
            token = self._next()
            if token.kind == "mark" and token.text == "]":
                return values
            if token.kind == "mark" and token.text == "," and values:
                continue
            values.append(self._value(token, depth))

    def _value(self, token: _Token, depth: int) -> Any:
        if token.kind == "string":
            text = _unquoted(token.text)
            while self._peek().kind == "string":  # adjacent strings are one
                text += _unquoted(self._next().text)
            return text
        if token.kind == "number":
            return _number(token.text)
        if token.kind == "name":
            return {"true": True, "false": False}.get(token.text, token.text)
        if token.kind == "mark" and token.text in _ENDS:
            return self.fields(_ENDS[token.text], depth=depth + 1)
        raise self._wrong("a value", token)

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def _wrong(self, wanted: str, got: _Token | None = None) -> LoadError:
        token = got or self._peek()
        return LoadError(f"{self._where}:{token.line}: expected {wanted}, got {token.text or 'the end of the file'!r}")


def _number(text: str) -> int | float:
    if re.fullmatch(r"[-+]?0[xX].*", text):
        return int(text, 16)
    try:
        return int(text)
    except ValueError:
        return float(text.rstrip("fF"))


def _unquoted(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        octal, hexadecimal, other = found.groups()
        if octal is not None:
            return chr(int(octal, 8))
        return chr(int(hexadecimal, 16)) if hexadecimal is not None else _ESCAPES.get(other, other)

    return _ESCAPE.sub(character, text[1:-1])
