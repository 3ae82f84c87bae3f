"""How things are printed: plain lines on a pipe, colour for a person, and JSON or YAML that stay the same for both.

What a command was asked for goes to stdout; everything about how it went goes to stderr, so a pipe gets the answer
alone. rich is imported only where something is drawn.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

Format = Literal["table", "wide", "yaml", "json", "name"]

_GAP = 3
_STYLES = {
    "Available": "green", "Ready": "green", "True": "green", "Running": "green", "Active": "green", "Bound": "green",
    "Failed": "red", "CrashLoopBackOff": "red", "Error": "red", "False": "red", "Warning": "red",
    "Creating": "yellow", "Pending": "yellow", "Downloading": "yellow", "Starting": "yellow",
}  # fmt: skip


def is_person() -> bool:
    """Whether stdout is looked at rather than read by a program."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def say(text: str) -> None:
    """A line of the answer."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A line about how it goes."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def document(value: Any, form: Literal["yaml", "json"]) -> str:
    """A value as JSON or YAML, without a newline at its end."""
    if form == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120).rstrip("\n")


class Columns:
    """A table of text in kubectl's look: capital headings, three spaces between columns, no lines.

    Widths are kept between calls, so rows that come later (a watch) stay under their headings as far as they fit.
    """

    def __init__(self, headings: Sequence[str], *, has_headings: bool = True) -> None:
        self._headings = [heading.upper() for heading in headings]
        self._widths = [len(heading) for heading in self._headings]
        self._is_first = has_headings

    def print(self, rows: Iterable[Sequence[str]]) -> None:
        listed = [list(row) for row in rows]
        for row in listed:
            self._widths = [max(pair) for pair in zip(self._widths, map(len, row), strict=True)]
        if self._is_first:
            say(self._line(self._headings))
            self._is_first = False
        is_person_reading = is_person()
        for row in listed:
            say(self._line(row, is_coloured=is_person_reading))

    def _line(self, row: Sequence[str], *, is_coloured: bool = False) -> str:
        cells = [
            _coloured(cell, width) if is_coloured else cell.ljust(width)
            for cell, width in zip(row, self._widths, strict=True)
        ]
        return (" " * _GAP).join(cells).rstrip()


_CODES = {"green": "32", "red": "31", "yellow": "33"}


def _coloured(cell: str, width: int) -> str:
    style = _STYLES.get(cell)
    padded = cell.ljust(width)
    return f"\x1b[{_CODES[style]}m{padded}\x1b[0m" if style and not os.environ.get("NO_COLOR") else padded


def size(count: float) -> str:
    """Bytes for people: `12.3 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def pairs(mapping: Mapping[str, Any], *, separator: str = "=") -> str:
    return ", ".join(f"{key}{separator}{value}" for key, value in sorted(mapping.items())) or "<none>"
