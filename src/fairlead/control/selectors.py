"""Label and field selectors: which objects a list, a watch or a deletion of many is about.

Written in Kubernetes' two small languages: `app=x,tier in (a,b),!canary` for labels, `metadata.name=x` for fields.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.errors import BadRequest

_TOKEN = re.compile(r"\s*(?:(?P<op>!=|==|=|!|>|<|,|\(|\))|(?P<word>[^\s=!<>,()]+))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label. `values` is empty for `exists` and `absent`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil it; like Kubernetes, `!=` and `notin` also accept a missing label."""
        return _TESTS[self.operator](labels.get(self.key), self.values)


def _compared(value: str | None, bound: str, *, sign: int) -> bool:
    try:
        return value is not None and sign * (int(value) - int(bound)) > 0
    except ValueError:
        return False


_TESTS: dict[str, Callable[[str | None, tuple[str, ...]], bool]] = {
    "in": lambda value, values: value is not None and value in values,
    "notin": lambda value, values: value is None or value not in values,
    "exists": lambda value, _values: value is not None,
    "absent": lambda value, _values: value is None,
    ">": lambda value, values: _compared(value, values[0], sign=1),
    "<": lambda value, values: _compared(value, values[0], sign=-1),
}


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition on a field, by its dotted path."""

    path: str
    value: str
    is_negated: bool = False

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Whether the field's text is (or is not) the value; a missing field reads as empty."""
        return (field_text(document, self.path) == self.value) is not self.is_negated


@dataclass(frozen=True, slots=True)
class Selector:
    """Both kinds of conditions; all must hold."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    @property
    def name(self) -> str | None:
        """The one name an object must have, when the selector says so."""
        return self._exact("metadata.name")

    @property
    def namespace(self) -> str | None:
        """The one namespace an object must be in, when the selector says so."""
        return self._exact("metadata.namespace")

    def _exact(self, path: str) -> str | None:
        return next((term.value for term in self.fields if term.path == path and not term.is_negated), None)

    def matches_labels(self, labels: Mapping[str, str]) -> bool:
        """Whether the label half holds."""
        return all(requirement.matches(labels) for requirement in self.labels)

    def matches_fields(self, document: Mapping[str, Any]) -> bool:
        """Whether the field half holds."""
        return all(term.matches(document) for term in self.fields)


EVERYTHING = Selector()


def field_text(document: Mapping[str, Any], path: str) -> str:
    """A field as a selector sees it."""
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def parse_fields(text: str, supported: Sequence[str]) -> tuple[FieldTerm, ...]:
    """Read a field selector; a path that the kind does not index is refused as Kubernetes does."""
    terms = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        path, operator, value = _split_field(part)
        if path not in supported:
            raise BadRequest(f"field label not supported: {path} (supported: {', '.join(supported)})")
        terms.append(FieldTerm(path, value, is_negated=operator == "!="))
    return tuple(terms)


def _split_field(part: str) -> tuple[str, str, str]:
    for operator in ("!=", "==", "="):
        path, found, value = part.partition(operator)
        if found:
            return path.strip(), operator, value.strip()
    raise BadRequest(f"invalid field selector: {part!r}; expected path=value or path!=value")


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Read a label selector."""
    if not text.strip():
        return ()
    parser = _LabelParser(text)
    requirements = [parser.requirement()]
    while parser.peek() == ",":
        parser.take()
        requirements.append(parser.requirement())
    if parser.peek():
        raise parser.error()
    return tuple(requirements)


class _LabelParser:
    """Recursive descent over the tokens of a label selector."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.error()
            self._tokens.append(match.group().strip())
            position = match.end()

    def peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def take(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def error(self) -> BadRequest:
        return BadRequest(
            f"unable to parse requirement: {self._text!r} is not a label selector; "
            "expected terms like a=b, a!=b, a in (b,c), a notin (b,c), a, !a separated by commas"
        )

    def requirement(self) -> Requirement:
        if self.peek() == "!":
            self.take()
            return Requirement(self._word(), "absent")
        key = self._word()
        operator = self.peek()
        if operator in ("", ","):
            return Requirement(key, "exists")
        self.take()
        if operator in ("in", "notin"):
            return Requirement(key, operator, self._values())
        if operator in ("=", "==", "!=", ">", "<"):
            value = "" if self.peek() in ("", ",") else self._word()
            return Requirement(key, {"=": "in", "==": "in", "!=": "notin"}.get(operator, operator), (value,))
        raise self.error()

    def _word(self) -> str:
        word = self.take()
        if not word or word in "=!<>,()" or word in ("==", "!="):
            raise self.error()
        return word

    def _values(self) -> tuple[str, ...]:
        if self.take() != "(":
            raise self.error()
        values = []
        while True:
            values.append("" if self.peek() in (",", ")") else self._word())
            closing = self.take()
            if closing == ")":
                return tuple(values)
            if closing != ",":
                raise self.error()
