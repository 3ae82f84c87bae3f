"""From a parsed document to typed values, with every mistake of type at once.

Texts follow the API server's for the same mistakes (`Required value`, `Unsupported value`, `Invalid value`), since
this is what a cluster checks before any webhook sees the object.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fairlead.dialects.base import Document
from fairlead.dialects.document import render_path
from fairlead.errors import InvalidManifest, Problem, Where

_TYPE_NAMES = {
    "string_type": "string",
    "int_type": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "bool_type": "boolean",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be greater than or equal to {}"),
    "less_than_equal": ("le", "must be less than or equal to {}"),
    "string_too_short": ("min_length", "must be at least {} characters long"),
    "string_too_long": ("max_length", "must be at most {} characters long"),
    "too_short": ("min_length", "must have at least {} items"),
    "string_pattern_mismatch": ("pattern", "must match {}"),
}
# pydantic names the tried member of a union in an error's place; these are not part of the document's path.
_UNION_MEMBERS = frozenset({"str", "int", "float"})

Typed = TypeVar("Typed", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a document of a kind calls itself."""

    group: str
    versions: tuple[str, ...]
    kind: str

    def problems(self, doc: Document) -> list[Problem]:
        """Why a document is not of this kind."""
        problems = []
        if doc.get("kind") != self.kind:
            problems.append(problem("kind", f"Invalid value: {quoted(doc.get('kind'))}: must be {self.kind}"))
        supported = [f"{self.group}/{version}" for version in self.versions]
        if doc.get("apiVersion") not in supported:
            known = ", ".join(quoted(version) for version in supported)
            got = quoted(doc.get("apiVersion"))
            problems.append(problem("apiVersion", f"Unsupported value: {got}: supported values: {known}"))
        return problems

    def summary(self, doc: Document, problems: Sequence[Problem]) -> str:
        """All problems in a sentence, as the API server has it."""
        metadata = doc.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, Mapping) else ""
        texts = [f"{item.field}: {item.message}" for item in problems]
        listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        return f'{self.kind}.{self.group} "{name}" is invalid: {listed}'


def read_as(model: type[Typed], doc: Document, identity: Identity, others: Sequence[Problem] = ()) -> Typed:
    """The typed document. Raises `InvalidManifest` with every field of the wrong type, or with the `others` that were
    found before and the mistakes of identity."""
    problems = [*identity.problems(doc), *others]
    if not problems:
        try:
            return model.model_validate(dict(doc))
        except ValidationError as error:
            problems = type_problems(error.errors(include_url=False, include_context=True))
    raise InvalidManifest(problems, message=identity.summary(doc, problems))


def problem(path: str, message: str) -> Problem:
    """One mistake, at the path of a field."""
    return Problem(where=Where(path=path), message=message, field=path)


def quoted(value: Any) -> str:
    """A scalar as JSON; of an object or array only its type, since it may be long and hold a secret."""
    if isinstance(value, str | int | float) or value is None:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(_json_type(value))


def type_problems(details: Sequence[ErrorDetails]) -> list[Problem]:
    """The mistakes that a schema found, each at the path of its field."""
    problems: dict[str, Problem] = {}
    for detail in details:
        parts = [part for part in detail["loc"] if part not in _UNION_MEMBERS]
        path = render_path(parts)
        if path not in problems:
            problems[path] = problem(path, _message(detail))
    return list(problems.values())


def _message(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "missing":
        return "Required value"
    got, context = quoted(detail["input"]), detail.get("ctx", {})
    if kind == "literal_error":
        expected = str(context.get("expected", "")).replace("'", '"').replace(' or ""', "")
        return f"Unsupported value: {got}: supported values: {expected.replace(' or ', ', ')}"
    if kind in _BOUNDS:
        bound, text = _BOUNDS[kind]
        return f"Invalid value: {got}: {text.format(context[bound])}"
    if kind in _TYPE_NAMES:
        return f"Invalid value: {got}: must be of type {_TYPE_NAMES[kind]}, not {_json_type(detail['input'])}"
    return f"Invalid value: {got}: {detail['msg']}"


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names: tuple[tuple[type, str], ...] = (
        (str, "string"),
        (int, "integer"),
        (float, "number"),
        (Mapping, "object"),
        (list, "array"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null")
