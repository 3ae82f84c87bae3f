"""One line of JSON for each request that is to be logged, in worker and gateway alike.

Nothing of a body, a query or a credential is in it. Off unless asked for: whoever serves ten thousand requests a second
does not want a line for each.
"""

import random
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson

from fairlead.dataplane.access_policy import share_of
from fairlead.protocols.grpc import code_of

_LONGEST = 256
_STATUS = re.compile(rb"^grpc-status:[ \t]*([0-9]+)", re.IGNORECASE | re.MULTILINE)
_PUID = re.compile(rb"^seldon-puid:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_NAMED = re.compile(r"[^\x20-\x7e]")


class AccessLog:
    """Writes lines. Failures are always logged, good answers as often as `share` says."""

    def __init__(self, share: float, *, write: Callable[[bytes], object] | None = None) -> None:
        self._share = share
        self._write = write if write is not None else _to_output

    def wants(self, *, is_failure: bool) -> bool:
        """Whether this one gets a line."""
        return is_failure or self._share >= 1 or (self._share > 0 and random.random() < self._share)  # noqa: S311

    def log(self, status: int | str, **fields: Any) -> None:
        """Write a line for an answer, if it is to have one. `status` is an HTTP status or the name of a gRPC code.
        Fields that are empty are left out."""
        is_grpc = isinstance(status, str)
        if not self.wants(is_failure=status != "OK" if is_grpc else status >= 400):  # type: ignore[operator]  # a number
            return
        line = {"time": _now(), "code" if is_grpc else "status": status}
        line |= {name: _short(value) for name, value in fields.items() if value not in ("", b"", None)}
        self._write(orjson.dumps(line, default=str) + b"\n")


def open_log(policy: str) -> AccessLog | None:
    """The log that a policy asks for."""
    share = share_of(policy)
    return AccessLog(share) if share is not None else None


def status_of(status: int, headers: bytes, *, is_grpc: bool) -> int | str:
    """What an answer counts as: the gRPC code in its headers or trailers, or its HTTP status."""
    found = _STATUS.search(headers) if is_grpc else None
    return code_of(found[1]).name if found is not None else status


def puid_of(headers: bytes) -> bytes:
    """The Seldon-Puid of an answer."""
    found = _PUID.search(headers)
    return found[1] if found is not None else b""


def _now() -> str:
    now = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03}Z"


def _short(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, float):
        return round(value, 6)
    return _NAMED.sub("?", value)[:_LONGEST] if isinstance(value, str) else value


def _to_output(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
