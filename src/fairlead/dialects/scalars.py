"""What a plain YAML scalar is under the rules of Go's yaml.v2, which kubectl and the API server use.

Public documentation: sigs.k8s.io/yaml (YAML goes through JSON) and gopkg.in/yaml.v2 (YAML 1.1 booleans, Go integer
literals, no sexagesimal numbers; timestamps stay text when nothing asks for a time).
"""

import math
import re

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Raises `ValueError` for what JSON cannot hold."""
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number that JSON can hold")
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    number = _integer(digits)
    return number if number is not None else _float(digits, text)


def _integer(digits: str) -> int | None:
    match = _INTEGER.fullmatch(digits)
    if match is None:
        return None
    sign, hexadecimal, binary, octal, decimal = match.groups()
    bases = ((hexadecimal, 16), (binary, 2), (octal, 8), (decimal, 10))
    value = next(int(part, base) for part, base in bases if part is not None)
    value = -value if sign == "-" else value
    return value if _SMALLEST <= value <= _LARGEST else None


def _float(digits: str, text: str) -> str | int | float:
    """A float whose value is whole becomes an integer: written as JSON it has no fraction."""
    if not _FLOAT.fullmatch(digits):
        return text
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return int(value) if value.is_integer() and abs(value) < 2**63 else value
