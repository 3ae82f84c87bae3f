"""Documents against structural OpenAPI schemas, as an API server reads them: what is unknown is found and removed,
what is wrong is reported in Kubernetes' sentences.

The subset is that of structural schemas (no `$ref`, no `oneOf` that changes the shape). A null where a schema does
not allow one is dropped: tools write `creationTimestamp: null` everywhere.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fairlead.control import faults
from fairlead.errors import Problem

Schema = dict[str, Any]

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that the schema does not have, and the name of its schema that was probably meant."""

    path: str
    near: str = ""

    def __str__(self) -> str:
        return f'unknown field "{self.path}"' + (f"; did you mean {self.near}?" if self.near else "")


@dataclass(slots=True)
class Findings:
    """Unknown fields, in document order, and problems."""

    unknown: list[UnknownField] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def examine(schema: Schema, document: Any, path: str = "") -> Findings:
    """Check a document and prune it in place."""
    findings = Findings()
    _walk(schema, document, path, findings)
    return findings


def _walk(schema: Schema, value: Any, path: str, findings: Findings) -> None:
    wanted = schema.get("type", "")
    if schema.get(_INT_OR_STRING):
        if isinstance(value, bool) or not isinstance(value, int | str):
            findings.problems.append(_wrong_type(path, value, "integer,string"))
        return
    if wanted and not _TYPES[wanted](value):
        findings.problems.append(_wrong_type(path, value, wanted))
        return
    if "enum" in schema and value not in schema["enum"]:
        findings.problems.append(_unsupported(path, value, schema["enum"]))
    if isinstance(value, dict):
        _walk_object(schema, value, path, findings)
    elif isinstance(value, list):
        _walk_list(schema, value, path, findings)
    elif isinstance(value, str):
        _check_text(schema, value, path, findings)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(schema, value, path, findings)


def _walk_object(schema: Schema, value: dict[str, Any], path: str, findings: Findings) -> None:
    properties: dict[str, Schema] = schema.get("properties", {})
    extra = schema.get("additionalProperties", None)
    for key in list(value):
        child = properties.get(key)
        inside = f"{path}.{key}" if path else key
        if child is None and isinstance(extra, dict):
            child, inside = extra, f"{path}.{key}"
        if child is None:
            if not (schema.get(_PRESERVE) or extra is True or (not properties and extra is None and not path)):
                findings.unknown.append(UnknownField(inside, _near(key, properties.keys() - value.keys())))
                del value[key]
        elif value[key] is None and not child.get("nullable"):
            if not _is_opaque(child):
                del value[key]
        elif value[key] is not None:
            _walk(child, value[key], inside, findings)
    for key in schema.get("required", ()):
        if key not in value:
            where = f"{path}.{key}" if path else key
            findings.problems.append(faults.problem(where, "Required value", cause="FieldValueRequired"))


def _near(key: str, known: Iterable[str]) -> str:
    """The name that a misspelt one is closest to, of those that the object does not have already."""
    return next(iter(difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.75)), "")


def _is_opaque(schema: Schema) -> bool:
    return bool(schema.get(_PRESERVE)) and "type" not in schema


def _walk_list(schema: Schema, value: list[Any], path: str, findings: Findings) -> None:
    items = schema.get("items")
    if isinstance(items, dict):
        for index, item in enumerate(value):
            _walk(items, item, f"{path}[{index}]", findings)
    for bound, wrong, text in (
        ("maxItems", len(value) > schema.get("maxItems", len(value)), "must have at most {} items"),
        ("minItems", len(value) < schema.get("minItems", 0), "should have at least {} items"),
    ):
        if wrong:
            message = f"Invalid value: {len(value)}: {path} in body {text.format(schema[bound])}"
            findings.problems.append(faults.problem(path, message))


def _check_text(schema: Schema, value: str, path: str, findings: Findings) -> None:
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        message = f"Invalid value: \"{value}\": {path} in body should match '{schema['pattern']}'"
        findings.problems.append(faults.problem(path, message, value=value))
    if len(value) < schema.get("minLength", 0):
        message = f'Invalid value: "{value}": {path} in body should be at least {schema["minLength"]} chars long'
        findings.problems.append(faults.problem(path, message, value=value))
    if len(value) > schema.get("maxLength", len(value)):
        message = f"Too long: may not be more than {schema['maxLength']} bytes"
        findings.problems.append(faults.problem(path, message, cause="FieldValueTooLong"))


def _check_number(schema: Schema, value: float, path: str, findings: Findings) -> None:
    low, high = _RANGES.get(schema.get("format", ""), (value, value))
    low, high = max(low, schema.get("minimum", low)), min(high, schema.get("maximum", high))
    if value < low:
        message = f"Invalid value: {value}: {path} in body should be greater than or equal to {low}"
        findings.problems.append(faults.problem(path, message, value=str(value)))
    elif value > high:
        message = f"Invalid value: {value}: {path} in body should be less than or equal to {high}"
        findings.problems.append(faults.problem(path, message, value=str(value)))


def _is_integer(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _type_name(value: Any) -> str:
    return next((name for name, test in _TYPES.items() if test(value)), "null")


def _wrong_type(path: str, value: Any, wanted: str) -> Problem:
    found = _type_name(value)
    message = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    return faults.problem(path, message, value=found, cause="FieldValueTypeInvalid")


def _unsupported(path: str, value: Any, supported: list[Any]) -> Problem:
    choices = ", ".join(f'"{choice}"' for choice in supported)
    message = f'Unsupported value: "{value}": supported values: {choices}'
    return faults.problem(path, message, value=str(value), cause="FieldValueNotSupported")
