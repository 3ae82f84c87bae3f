"""What a query asks of an element: whether it is there, how it compares, what it is like.

Texts compare by their bytes, numbers as 64-bit floats. A value that is written without quotes is whatever the element
is: `ERROR` is a text beside a text and zero beside a number, as in GJSON.
"""

import math
import re

from fairlead.protocols.gjson.globs import glob_of
from fairlead.protocols.gjson.paths import Query
from fairlead.protocols.gjson.values import MISSING, Value

_TRUE, _FALSE = frozenset(("1", "t", "true")), frozenset(("0", "f", "false"))
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE)


def holds(query: Query, found: Value) -> bool:
    """Whether the query is true of what its path found in an element."""
    wanted = query.value
    if wanted.startswith("~"):
        found, wanted = _as_truth(wanted[1:], found), "true"
    if found is MISSING:
        return False
    if not query.op:
        return True
    if isinstance(found, bool):
        return _compare_truth(query.op, found, wanted)
    if isinstance(found, str):
        if query.op in ("%", "!%"):
            return glob_of(wanted).matches(found) == (query.op == "%")
        return _compare(query.op, found, wanted)
    if isinstance(found, int | float):
        return _compare(query.op, _float(found), _number(wanted))
    return False


def _compare(op: str, left: str | float, right: str | float) -> bool:
    match op:
        case "=":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right  # type: ignore[operator]  # both are texts, or neither is
        case "<=":
            return left <= right  # type: ignore[operator]
        case ">":
            return left > right  # type: ignore[operator]
        case ">=":
            return left >= right  # type: ignore[operator]
    return False


def _compare_truth(op: str, found: bool, wanted: str) -> bool:
    """Truth values know half of the comparisons, and `>=` of true and `<=` of false hold whatever they are beside."""
    word = str(found).lower()
    match op:
        case "=":
            return wanted == word
        case "!=":
            return wanted != word
        case ">":
            return found and wanted == "false"
        case "<":
            return not found and wanted == "true"
        case ">=":
            return found
        case "<=":
            return not found
    return False


def _as_truth(word: str, found: Value) -> Value:
    """`~true` and its like make a truth value of anything before it is compared."""
    match word:
        case "true":
            return _says(found, _TRUE) or (_is_number(found) and found != 0)
        case "false":
            return found is MISSING or found is None or _says(found, _FALSE) or (_is_number(found) and found == 0)
        case "null":
            return found is MISSING or found is None
        case "*":
            return found is not MISSING
    return MISSING


def _says(found: Value, words: frozenset[str]) -> bool:
    if isinstance(found, bool):
        return str(found).lower() in words
    return isinstance(found, str) and found.lower() in words


def _is_number(found: Value) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number)


def _number(text: str) -> float:
    """A text as a number, zero for one that is none."""
    return float(text) if _NUMBER.fullmatch(text) else 0.0
