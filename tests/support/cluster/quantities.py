"""Quantities (`500m`, `1Gi`): their values, and how an API server writes them."""

import re
from decimal import Decimal

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def quantity_value(text: str) -> Decimal | None:
    """The number a quantity stands for."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * Decimal(2 ** _BINARY[suffix])
    if suffix in _DECIMAL:
        return Decimal(number.scaleb(_DECIMAL[suffix]))
    return Decimal(number.scaleb(int(suffix[1:])))


def canonical_quantity(text: str) -> str | None:
    """As the API server writes it: `1000m` is `1`, `1024Mi` is `1Gi`; nothing for what is no quantity."""
    value = quantity_value(text)
    if value is None:
        return None
    suffix = text[-2:] if text.endswith("i") else ""
    if suffix:
        for name, power in reversed(_BINARY.items()):
            if value and value % (2**power) == 0:
                return f"{int(value / 2**power)}{name}"
        return str(int(value.to_integral_value()))
    for name, exponent in reversed(_DECIMAL.items()):
        scaled = value.scaleb(-exponent)
        if value and scaled == scaled.to_integral_value():
            return f"{int(scaled)}{name}"
    return "0"
