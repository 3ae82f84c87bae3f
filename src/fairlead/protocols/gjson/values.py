"""What a path finds: any JSON value as Python holds it, or nothing at all, which is not the same as null."""

from enum import Enum
from typing import Any, Final

Value = Any


class _Nothing(Enum):
    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Nothing.MISSING
"""No value is there."""
