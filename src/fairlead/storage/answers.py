"""What a store said when it said no: the status and its own code and message, out of XML, JSON or plain text."""

import re

_LONGEST_PLAIN = 200
_JSON_MESSAGE = re.compile(r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"')
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may work."""


def words(status: int, body: str, *, phrase: str = "") -> str:
    """One line such as `HTTP 404 NoSuchBucket: The specified bucket does not exist`."""
    return " ".join(part for part in (f"HTTP {status}", _inside(body) or phrase) if part)


def _inside(body: str) -> str:
    fields = [found for name in ("Code", "Message") if (found := _element(name, body))]
    if fields:
        return ": ".join(fields)
    if match := _JSON_MESSAGE.search(body):
        return match[1]
    if re.search(r"<(!doctype|html)", body, re.IGNORECASE):
        return ""
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())[:_LONGEST_PLAIN]


def _element(name: str, body: str) -> str:
    match = re.search(rf"<{name}>(.*?)</{name}>", body, re.DOTALL)
    return match[1].strip() if match else ""
