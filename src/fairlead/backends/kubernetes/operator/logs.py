"""The operator's log: a line for what somebody may want to know, as text or as JSON, and none twice in a minute.

A cluster that is away makes every call fail. One line says so as well as a thousand.
"""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

import orjson

_QUIET_S = 60.0
_REMEMBERED = 1000
_NOISY = {"kopf": logging.WARNING, "httpx2": logging.WARNING, "httpcore2": logging.WARNING, "asyncio": logging.WARNING}
_KOPFS_OWN = ("Request attempt", "OS signals are ignored", "Unresolved resources", "Stop-flag")
"""Lines of kopf that say what we say ourselves, or what is meant to be so."""


def configure(level: str, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Set the log up for the whole process."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    handler.addFilter(Calm(time.monotonic))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, floor in _NOISY.items():
        logging.getLogger(name).setLevel(max(floor, logging.getLogger().level))


@dataclass(slots=True)
class Calm(logging.Filter):
    """Lets a line through that was not there for a minute. Tracebacks always are: each may be another."""

    now: Callable[[], float]
    _said: dict[tuple[str, str], float] = field(default_factory=dict)

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.name.startswith("kopf") and message.startswith(_KOPFS_OWN):
            return False
        if record.exc_info is not None:
            return True
        now, key = self.now(), (record.name, message)
        if now - self._said.get(key, -_QUIET_S) < _QUIET_S:
            return False
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[key] = now
        return True


class JsonLines(logging.Formatter):
    """One object a line, with the names that log collectors know."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            line["stacktrace"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()
