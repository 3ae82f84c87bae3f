"""Constructor parameters: from the JSON of the environment or a command line, and out of a unit."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fairlead.plan.model import Parameter, Unit
from fairlead.runtimes.failures import BadParameter

if TYPE_CHECKING:
    from fairlead.runtimes.base import LoadContext

Scalar = str | int | float | bool

_TRUE = frozenset(("y", "yes", "t", "true", "on", "1"))
_FALSE = frozenset(("n", "no", "f", "false", "off", "0"))


def _boolean(text: Any) -> bool:
    word = str(text).lower()
    if word not in _TRUE and word not in _FALSE:
        raise ValueError(word)
    return word in _TRUE


_READERS: dict[str, Callable[[Any], Scalar]] = {
    "INT": int,
    "FLOAT": float,
    "DOUBLE": float,
    "STRING": str,
    "BOOL": _boolean,
}


def parse_parameters(text: str) -> tuple[Parameter, ...]:
    """Read `[{"name": …, "value": …, "type": …}]`, each value as its type says (STRING when it does not say)."""
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise BadParameter(f"parameters: not JSON ({error}); expected {_EXAMPLE}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadParameter(f"parameters: expected a list like {_EXAMPLE}")
    return tuple(_parameter(entry) for entry in entries)


_EXAMPLE = '[{"name":"method","value":"predict","type":"STRING"}]'


def _parameter(entry: dict[str, Any]) -> Parameter:
    name, value, type_ = entry.get("name"), entry.get("value"), entry.get("type", "STRING")
    if not isinstance(name, str) or "value" not in entry:
        raise BadParameter(f"parameters: {json.dumps(entry)} has no name or no value; expected {_EXAMPLE}")
    read = _READERS.get(type_) if isinstance(type_, str) else None
    if read is None:
        raise BadParameter(f"Bad model parameter type: {type_} valid are INT, FLOAT, DOUBLE, STRING, BOOL")
    try:
        return Parameter(name=name, value=read(value), type=type_)
    except (TypeError, ValueError) as error:
        raise BadParameter(f"Bad model parameter: {name} with value {value} can't be parsed as a {type_}") from error


def flag(unit: Unit, name: str, *, default: bool) -> bool:
    """A parameter that is on or off, however its manifest typed it."""
    given = as_arguments(unit).get(name)
    if given is None:
        return default
    try:
        return _boolean(given)
    except ValueError as error:
        raise BadParameter(f"unit {unit.name}: parameter {name} is {given!r}; expected true or false") from error


def threads_of(context: "LoadContext") -> int:
    """How many threads a library may use for one call: the parameter `nthread` or `threads`, else as many as calls may
    run at once, so that replicas share a machine as their manifests say."""
    arguments = as_arguments(context.unit)
    given = arguments.get("nthread", arguments.get("threads", context.threads))
    try:
        threads = int(given)
    except ValueError:
        threads = 0
    if threads < 1:
        raise BadParameter(f"unit {context.unit.name}: parameter nthread is {given!r}; expected a number from 1")
    return threads


def is_true(text: str) -> bool:
    """What a variable of a unit's environment says, read as Seldon's wrapper reads its booleans."""
    return text.strip().lower() in ("1", "true", "t")


def as_arguments(unit: Unit) -> dict[str, Scalar]:
    """A unit's parameters as keyword arguments. The last of several with one name wins."""
    return {parameter.name: parameter.value for parameter in unit.parameters}
