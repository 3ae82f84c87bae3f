"""Which bytes of an object a request asks for (RFC 9110, section 14): one range, or all."""

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

_ONE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` and before `end`."""

    start: int
    end: int

    def header(self, size: int) -> str:
        """What `Content-Range` says."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


class Unsatisfiable(Exception):
    """No byte of the object is in the range."""


def asked(headers: Headers, size: int, tag: str) -> Range | None:
    """The part that is asked for; `None` for all: of several ranges, of what is not understood, and of an object that
    is another than the one whose beginning the client has (`If-Range`)."""
    match = _ONE.fullmatch(headers.get("range", "").replace(" ", ""))
    if match is None or (not match[1] and not match[2]):
        return None
    if headers.get("if-range", tag) != tag:
        return None
    if not match[1]:
        found = Range(max(0, size - int(match[2])), size)
    else:
        found = Range(int(match[1]), min(size, int(match[2]) + 1) if match[2] else size)
    if found.start >= found.end:
        # The last before the first is no range at all; beyond the end is one that nothing is in.
        if match[1] and match[2] and int(match[2]) < int(match[1]):
            return None
        raise Unsatisfiable
    return found
