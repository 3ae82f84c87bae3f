"""What an init container's variables say of the pace of a transfer, and which files of a model are wanted at all."""

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairlead.errors import StorageError
from fairlead.storage.clouds.layer import Timeouts, first

if TYPE_CHECKING:
    from fairlead.storage.transfer import Patience

_MOST_FILES_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """`None` leaves ours as it is."""

    files_at_once: int | None = None
    connect_s: float | None = None
    read_s: float | None = None
    attempts: int | None = None

    @classmethod
    def read(cls, env: Mapping[str, str]) -> "Tuning":
        """From `S3_MAX_FILE_CONCURRENCY` and its like. Raises StorageError naming the variable that is no number."""
        at_once = _number(env, "S3_MAX_FILE_CONCURRENCY")
        attempts = _number(env, "S3_MAX_ATTEMPTS")
        return cls(
            files_at_once=min(int(at_once), _MOST_FILES_AT_ONCE) if at_once else None,
            connect_s=_number(env, "S3_CONNECT_TIMEOUT"),
            read_s=_number(env, "S3_READ_TIMEOUT"),
            attempts=int(attempts) if attempts else None,
        )

    def timeouts(self, ours: Timeouts) -> Timeouts:
        """Ours, but for what the variables say."""
        return Timeouts(connect_s=self.connect_s or ours.connect_s, read_s=self.read_s or ours.read_s)

    def patience(self, ours: "Patience") -> "Patience":
        """Ours, but for what the variables say."""
        return replace(ours, attempts=self.attempts or ours.attempts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which files of a source are wanted, by patterns on their paths: with `allow` only those that match one of them,
    and never those that match one of `ignore`."""

    allow: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def read(cls, env: Mapping[str, str]) -> "Wanted":
        """From `STORAGE_ALLOW_PATTERNS` and `STORAGE_IGNORE_PATTERNS`: a JSON list, or parts divided by commas."""
        return cls(
            allow=_patterns(env, "STORAGE_ALLOW_PATTERNS"),
            ignore=_patterns(env, "STORAGE_IGNORE_PATTERNS"),
        )

    @property
    def seed(self) -> str:
        """Tells one choice from another; empty for everything."""
        return json.dumps([self.allow, self.ignore]) if self.allow or self.ignore else ""

    def has(self, path: str) -> bool:
        """Whether a file is wanted."""
        if self.allow and not _matches(path, self.allow):
            return False
        return not _matches(path, self.ignore)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _patterns(env: Mapping[str, str], variable: str) -> tuple[str, ...]:
    text = first(env, variable)
    if not text.startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, list) or not all(isinstance(part, str) for part in read):
        raise StorageError(f'{variable} must be a JSON list of patterns, or patterns divided by commas: ["*.json"]')
    return tuple(part.strip() for part in read if part.strip())


def _number(env: Mapping[str, str], variable: str) -> float | None:
    text = first(env, variable)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e6:
        raise StorageError(f"{variable} must be a positive number")
    return number
