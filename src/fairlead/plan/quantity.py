"""Kubernetes quantities: `500m`, `1Gi`, `1e3` and plain numbers, read exactly and written the short way.

The notation is public API (apimachinery's resource.Quantity): a decimal number and one suffix, binary (`Ki` … `Ei`),
decimal (`n u m k M G T P E`) or an exponent.
"""

import math
import re
from decimal import Decimal

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]{1,3})|([KMGTPE]i|[numkMGTPE]))?")
_BINARY = {suffix: 1024**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_FACTORS: dict[str, Decimal] = {
    **{suffix: Decimal(factor) for suffix, factor in _BINARY.items()},
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal("1e3"),
    "M": Decimal("1e6"),
    "G": Decimal("1e9"),
    "T": Decimal("1e12"),
    "P": Decimal("1e15"),
    "E": Decimal("1e18"),
}


def parse(text: str | int | float) -> Decimal:
    """The exact value of a quantity. Raises `ValueError` saying what would be accepted."""
    match = _QUANTITY.fullmatch(str(text).strip()) if not isinstance(text, bool) else None
    if match is None:
        raise ValueError(f"{text!r} is not a quantity; write a number with an optional suffix, as 500m, 1.5 or 2Gi")
    number, exponent, suffix = match.groups()
    value = Decimal(number + (exponent or ""))
    return value * _FACTORS[suffix] if suffix else value


def cores(text: str | int | float) -> float:
    """A CPU quantity as a number of cores."""
    return float(_positive(text))


def size_bytes(text: str | int | float) -> int:
    """A memory quantity as whole bytes; a fraction of a byte counts as one."""
    return math.ceil(_positive(text))


def format_cores(value: float) -> str:
    """Cores as a manifest would say it: `2`, `500m`."""
    milli = math.ceil(Decimal(str(value)) * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def format_bytes(value: int) -> str:
    """Bytes with the largest binary suffix that keeps them whole: `1Gi`, `1536Mi`, `1000`."""
    for suffix, factor in reversed(_BINARY.items()):
        if value and value % factor == 0:
            return f"{value // factor}{suffix}"
    return str(value)


def _positive(text: str | int | float) -> Decimal:
    value = parse(text)
    if value < 0:
        raise ValueError(f"{text!r} is negative; a resource is zero or more")
    return value
