"""How much an organization may keep: `quota` in its configuration, `{"bytes": …, "versions": …}`."""

import json
from dataclasses import dataclass
from typing import Self

from fairlead.errors import Forbidden

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Limits; `None` is none."""

    size_bytes: int | None = None
    versions: int | None = None

    @classmethod
    def read(cls, config: str) -> Self:
        """From an organization's configuration. What is not a number limits nothing."""
        given = json.loads(config or "{}")
        quota = given.get("quota") if isinstance(given, dict) else None
        values = quota if isinstance(quota, dict) else {}
        return cls(size_bytes=_number(values.get("bytes")), versions=_number(values.get("versions")))

    def refuse_size(self, total_bytes: int) -> None:
        """Raise Forbidden if the organization would have more bytes than it may."""
        if self.size_bytes is not None and total_bytes > self.size_bytes:
            raise Forbidden(
                f"the organization may keep {_readable(self.size_bytes)} and would have {_readable(total_bytes)}: "
                "delete versions, or ask for a larger quota"
            )

    def refuse_versions(self, total: int) -> None:
        """Raise Forbidden if the organization would have more versions than it may."""
        if self.versions is not None and total > self.versions:
            raise Forbidden(
                f"the organization may keep {self.versions} versions: delete some, or ask for a larger quota"
            )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _readable(size: int) -> str:
    amount = float(size)
    for unit in _UNITS[:-1]:
        if amount < 1024:
            return f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} {_UNITS[-1]}"
