"""What the bytes that come back, and the logs, say about a server: pure functions from bytes to complaints."""

import re

from bench.fuzz.mutating import INJECTED

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\x20-\x7e]*")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t\x20-\x7e\x80-\xff]*)")
_OURS = (b"internal error", b"InternalError", b"Traceback")
_ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:)", re.MULTILINE)
_EXCEPTION = re.compile(r"^(\w+(?:\.\w+)*)(?::|$)", re.MULTILINE)
_USER_CODE = ("/sklearn/", "bench/units/")


def complaints_about(answer: bytes, asked: bytes) -> list[str]:
    """What is wrong with everything that came back on an HTTP/1.1 connection."""
    found: list[str] = []
    rest = answer
    while rest:
        head, end, body = rest.partition(b"\r\n\r\n")
        status, headers = _read(head)
        if not end or not status:
            return [*found, f"not an answer: {rest[:200]!r}"]
        if INJECTED.lower().encode() in headers:
            found.append(f"an answer has a header that a client made: {head!r}")
        if status == 100:
            rest = body
            continue
        if status >= 500 and any(word in body for word in _OURS):
            found.append(f"{status}: {body[:300]!r}")
        size, is_known = _size(asked, headers, body)
        if not is_known:
            return found
        if size > len(body):
            return [*found, f"an answer is cut: {len(body)} of {size} bytes, {head!r}"]
        rest = body[size:]
    return found


def _read(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    headers: dict[bytes, bytes] = {}
    for line in lines:
        pair = _HEADER.fullmatch(line)
        if status is None or pair is None:
            return 0, {}
        headers[pair[1].lower()] = pair[2]
    return (int(status[1]) if status is not None else 0), headers


def _size(asked: bytes, headers: dict[bytes, bytes], body: bytes) -> tuple[int, bool]:
    """How long the body is, and whether that can be told: an answer to HEAD looks like one with a body."""
    if b"HEAD " in asked or b"transfer-encoding" in headers:
        return 0, False
    return int(headers.get(b"content-length", b"0")), True


def tracebacks(log: str) -> list[str]:
    """The entries of a log that hold an exception nobody raised on purpose, and that is no fault of a model's code."""
    entries = [entry for entry in _ENTRY.split(log) if "Traceback (most recent call last)" in entry]
    return [entry for entry in entries if not any(place in entry for place in _USER_CODE) and not _is_ours(entry)]


def _is_ours(entry: str) -> bool:
    """Whether the exception that was logged, the last of a chain, is one of our own classes."""
    names = _EXCEPTION.findall(entry)
    return bool(names) and names[-1].startswith("fairlead.")
