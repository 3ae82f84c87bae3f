"""What the gateway itself answers when a request cannot be served, in the words of the service's protocol."""

import math

import orjson

from fairlead.errors import FairleadError, Retryable
from fairlead.protocols.exchange import Response
from fairlead.protocols.http1_response import JSON


def refusal(protocol: str, status: int, message: str, *, after_s: float | None = None) -> Response:
    """An error answer. `after_s` becomes a Retry-After header."""
    headers = JSON
    if after_s is not None:
        headers += b"Retry-After: %d\r\n" % max(1, math.ceil(after_s))
    return Response(status, headers, _body(protocol, status, message))


def refusal_of(protocol: str, error: FairleadError) -> Response:
    """The answer for one of our errors."""
    after_s = error.after_s if isinstance(error, Retryable) else None
    return refusal(protocol, error.http, str(error), after_s=after_s)


def _body(protocol: str, status: int, message: str) -> bytes:
    if protocol == "seldon":
        return orjson.dumps({"status": {"code": status, "info": message, "status": "FAILURE"}})
    return orjson.dumps({"error": message})
