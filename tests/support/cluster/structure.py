"""One walk over a document with its schema: what is wrong, what is unknown, and the document as it would be stored
(unknown members pruned, defaults filled in, nulls and empty members gone as Go drops them).
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from support.cluster.quantities import canonical_quantity
from support.cluster.refusals import Cause
from support.cluster.schemas import Schema, is_open

_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_INT32 = 2**31
_DROP = object()
_Json = TypeVar("_Json")


@dataclass
class Shape:
    """What the walk found. `mismatches` are values of a wrong type in a built-in kind: those are no valid request at
    all, while in custom resources they are problems like any other."""

    is_custom: bool
    problems: list[Cause] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)

    def walk(self, value: Any, schema: Schema, path: str = "") -> Any:
        """The value as it would be stored. Where nothing is declared everything is kept."""
        if not schema:
            return value
        if schema.get("x-kubernetes-int-or-string"):
            return self._int_or_string(value, schema, path)
        expected = schema.get("type")
        if expected and not _is_a(value, expected):
            if expected == "integer" and isinstance(value, float) and value.is_integer():
                return int(value)
            self._mismatch(value, expected, path)
            return value
        if isinstance(value, dict):
            value = self._object(value, schema, path)
        elif isinstance(value, list):
            value = self._list(value, schema, path)
        if len(schema) > 1:
            self._constraints(value, schema, path)
        return value

    def _mismatch(self, value: Any, expected: str, path: str) -> None:
        found = _NAMES.get(type(value), "null")
        if self.is_custom:
            shown = f'"{found}"' if isinstance(value, dict | list) else _quoted(value)
            text = f'Invalid value: {shown}: {path.lstrip(".")} in body must be of type {expected}: "{found}"'
            self.problems.append(Cause(path.lstrip("."), text, "FieldValueTypeInvalid"))
        else:
            text = f"json: cannot unmarshal {found} into Go struct field {path.lstrip('.')} of type {expected}"
            self.mismatches.append(text)

    def _int_or_string(self, value: Any, schema: Schema, path: str) -> Any:
        if schema.get("x-quantity") and isinstance(value, int | float | str) and not isinstance(value, bool):
            return self._quantity(value, path)
        if not isinstance(value, int | str) or isinstance(value, bool):
            self._mismatch(value, "integer or string", path)
        return value

    def _quantity(self, value: Any, path: str) -> Any:
        text = canonical_quantity(str(value))
        if text is None:
            self.mismatches.append(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
        return value if text is None else text

    def _object(self, value: dict[str, Any], schema: Schema, path: str) -> dict[str, Any]:
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        keeps = is_open(schema)
        result: dict[str, Any] = {}
        for key, item in value.items():
            inner = properties.get(key)
            if inner is None:
                if not keeps:
                    self.unknown.append(f"{path}.{key}".lstrip("."))
                    continue
                inner = others if isinstance(others, dict) else {}
            if item is None:
                item = self._null(inner, f"{path}.{key}")
            if item is not _DROP and item is not None:
                item = self.walk(item, inner, f"{path}.{key}")
                if not self.is_custom and _is_omitted(key, item, inner, path):
                    continue
            if item is not _DROP:
                result[key] = item
        self._fill(result, schema, path)
        for name in schema.get("required", ()):
            if name not in result:
                self._required(f"{path}.{name}".lstrip("."))
        return result

    def _required(self, path: str) -> None:
        self.problems.append(Cause(path, "Required value", "FieldValueRequired"))

    def _fill(self, result: dict[str, Any], schema: Schema, path: str) -> None:
        """Defaults, of CRDs by their schema and of built-in kinds by our table."""
        if "x-defaults" in schema:
            schema["x-defaults"](result)
        if self.is_custom:
            for name, inner in schema.get("properties", {}).items():
                if name not in result and "default" in inner:
                    result[name] = self.walk(copied(inner["default"]), inner, f"{path}.{name}")

    def _null(self, schema: Schema, path: str) -> Any:
        if not self.is_custom or path.startswith(".metadata"):
            return _DROP
        if schema.get("nullable") or is_open(schema) or not schema:
            return None
        if "default" not in schema:
            self._mismatch(None, str(schema.get("type", "object")), path)
        return _DROP

    def _list(self, value: list[Any], schema: Schema, path: str) -> list[Any]:
        items = schema.get("items")
        if not isinstance(items, dict):
            return value
        result = [
            item if item is None else self.walk(item, items, f"{path}[{place}]") for place, item in enumerate(value)
        ]
        if self.is_custom and schema.get("x-kubernetes-list-type") in ("map", "set"):
            self._no_duplicates(result, schema, path)
        return result

    def _no_duplicates(self, items: list[Any], schema: Schema, path: str) -> None:
        names = schema.get("x-kubernetes-list-map-keys", ())
        seen: list[Any] = []
        for place, item in enumerate(items):
            key = {name: item.get(name) for name in names} if names and isinstance(item, dict) else item
            if key in seen:
                at = f"{path}[{place}]".lstrip(".")
                self.problems.append(Cause(at, f"Duplicate value: {_quoted(key)}", "FieldValueDuplicate"))
            seen.append(key)

    def _constraints(self, value: Any, schema: Schema, path: str) -> None:
        at = path.lstrip(".")
        for name, check in _CHECKS.items():
            if name in schema and not check(value, schema[name]):
                self._constrained(name, value, schema[name], at)
        for name in ("allOf", "anyOf", "oneOf"):
            if schema.get(name):
                self._combined(name, value, schema[name], at)
        if isinstance(schema.get("not"), dict) and self._fits(value, schema["not"]):
            self.problems.append(
                Cause(at, f'Invalid value: {_shown(value)}: "{at}" must not validate the schema (not)')
            )

    def _constrained(self, name: str, value: Any, limit: Any, at: str) -> None:
        if name == "enum":
            known = ", ".join(f'"{item}"' for item in limit)
            text = f"Unsupported value: {_quoted(value)}: supported values: {known}"
            self.problems.append(Cause(at, text, "FieldValueNotSupported"))
            return
        text = _TEXTS[name].format(limit=limit)
        self.problems.append(Cause(at, f"Invalid value: {_shown(value)}: {at} in body {text}"))

    def _combined(self, name: str, value: Any, choices: Any, at: str) -> None:
        fitting = sum(self._fits(value, choice) for choice in choices)
        fine = {"allOf": fitting == len(choices), "anyOf": fitting > 0, "oneOf": fitting == 1}[name]
        if not fine:
            word = {"allOf": "all of", "anyOf": "at least one of", "oneOf": "one and only one of"}[name]
            text = f'Invalid value: {_shown(value)}: "{at}" must validate {word} the schemas ({name})'
            self.problems.append(Cause(at, text))

    def _fits(self, value: Any, schema: Schema) -> bool:
        """For value validations, which name a part of a document only."""
        trial = Shape(is_custom=True)
        trial._loosely(value, schema, "")
        return not trial.problems

    def _loosely(self, value: Any, schema: Schema, path: str) -> None:
        expected = schema.get("type")
        if expected and not _is_a(value, expected):
            self._mismatch(value, expected, path)
            return
        if isinstance(value, dict):
            for name in schema.get("required", ()):
                if name not in value:
                    self._required(f"{path}.{name}")
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    self._loosely(value[name], inner, f"{path}.{name}")
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            for item in value:
                self._loosely(item, schema["items"], path)
        self._constraints(value, schema, path)


def _is_a(value: Any, expected: str) -> bool:
    if isinstance(value, bool):
        return expected == "boolean"
    return isinstance(value, _ACCEPTED.get(expected, (object,)))


def _is_omitted(key: str, value: Any, schema: Schema, path: str) -> bool:
    """Lists, maps and the value of an environment variable are `omitempty`: written empty they are not stored.
    Structs are pointers and stay (`emptyDir: {}`)."""
    if value == [] or (value == {} and "additionalProperties" in schema):
        return True
    return value == "" and key == "value" and ".env[" in path


def copied(value: _Json) -> _Json:
    """A document of one's own; `copy.deepcopy`, which knows more than JSON, takes three times as long."""
    mine: Any = value
    if isinstance(value, dict):
        mine = {key: copied(item) for key, item in value.items()}
    elif isinstance(value, list):
        mine = [copied(item) for item in value]
    return cast("_Json", mine)


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return (
        {True: "true", False: "false", None: "null"}.get(value, str(value))
        if not isinstance(value, dict | list)
        else str(value)
    )


def _shown(value: Any) -> str:
    return f'"{_NAMES[type(value)]}"' if isinstance(value, dict | list) else _quoted(value)


def _is_formatted(value: Any, name: str) -> bool:
    if name == "int32":
        return not isinstance(value, int) or -_INT32 <= value < _INT32
    if name == "date-time" and isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
    return True


def _unlike(kind: type | tuple[type, ...], check: Any) -> Any:
    return lambda value, limit: not isinstance(value, kind) or isinstance(value, bool) or check(value, limit)


_NUMBER = (int, float)
_CHECKS: dict[str, Any] = {
    "enum": lambda value, limit: value in limit,
    "pattern": _unlike(str, lambda value, limit: re.search(limit, value)),
    "minLength": _unlike(str, lambda value, limit: len(value) >= limit),
    "maxLength": _unlike(str, lambda value, limit: len(value) <= limit),
    "minimum": _unlike(_NUMBER, lambda value, limit: value >= limit),
    "maximum": _unlike(_NUMBER, lambda value, limit: value <= limit),
    "minItems": _unlike(list, lambda value, limit: len(value) >= limit),
    "maxItems": _unlike(list, lambda value, limit: len(value) <= limit),
    "minProperties": _unlike(dict, lambda value, limit: len(value) >= limit),
    "maxProperties": _unlike(dict, lambda value, limit: len(value) <= limit),
    "format": _is_formatted,
}
_TEXTS = {
    "pattern": "should match '{limit}'",
    "minLength": "should be at least {limit} chars long",
    "maxLength": "should be at most {limit} chars long",
    "minimum": "should be greater than or equal to {limit}",
    "maximum": "should be less than or equal to {limit}",
    "minItems": "should have at least {limit} items",
    "maxItems": "should have at most {limit} items",
    "minProperties": "should have at least {limit} properties",
    "maxProperties": "should have at most {limit} properties",
    "format": "must be of type {limit}",
}
