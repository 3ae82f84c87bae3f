"""What the gateway itself answers when a request cannot be served, in the words of the service's protocol."""

import math

import orjson

from fairlead.errors import FairleadError, Overloaded, Retryable
from fairlead.protocols.exchange import Response
from fairlead.protocols.http1_response import JSON

_KNATIVE = frozenset({"v1", "v2", "raw"})
"""Protocols of services whose clients know Knative's words, https://github.com/knative/serving (queue, activator)."""

_UNAUTHORIZED = 401


def refusal(protocol: str, status: int, message: str, *, after_s: float | None = None) -> Response:
    """An error answer. `after_s` becomes a Retry-After header."""
    headers = JSON if status != _UNAUTHORIZED else JSON + b"WWW-Authenticate: Bearer\r\n"
    if after_s is not None:
        headers += b"Retry-After: %d\r\n" % max(1, math.ceil(after_s))
    return Response(status, headers, _body(protocol, status, message))


def refusal_of(protocol: str, error: FairleadError) -> Response:
    """The answer for one of our errors."""
    after_s = error.after_s if isinstance(error, Retryable) else None
    return refusal(protocol, error.http, str(error), after_s=after_s)


def overflow(protocol: str, words: str) -> Overloaded:
    """The error for one too many in a queue."""
    return Overloaded("pending request queue full" if protocol in _KNATIVE else words, after_s=1.0)


def lateness(protocol: str, *, has_replica: bool) -> str:
    """What clients of a service behind Knative are told, with a 504, when their time is up: whether it was spent at a
    replica or waiting for the first. Empty for others."""
    if protocol not in _KNATIVE:
        return ""
    return "request timeout" if has_replica else "activator request timeout"


def _body(protocol: str, status: int, message: str) -> bytes:
    if protocol == "seldon":
        return orjson.dumps({"status": {"code": status, "info": message, "status": "FAILURE"}})
    return orjson.dumps({"error": message})
