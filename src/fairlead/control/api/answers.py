"""Answers as Kubernetes shapes them: JSON objects, and Status objects for everything that went wrong."""

import logging
from typing import Any

import orjson
from starlette.responses import Response

from fairlead.errors import (
    Conflict,
    FairleadError,
    InvalidManifest,
    Problem,
    Retryable,
)

_log = logging.getLogger(__name__)


def to_json(value: Any, *, pretty: bool = False) -> bytes:
    """Compact, or for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE if pretty else None)


def json_response(
    value: Any, *, status: int = 200, pretty: bool = False, warnings: list[str] | None = None, media_type: str = ""
) -> Response:
    """An answer, with one Warning header for each warning (RFC 7234 section 5.5, as kubectl shows them)."""
    response = Response(to_json(value, pretty=pretty), status, media_type=media_type or "application/json")
    for warning in warnings or ():
        text = warning.replace("\\", "\\\\").replace('"', '\\"').encode("ascii", "replace").decode()
        response.headers.append("warning", f'299 - "{text}"')
    response.headers["cache-control"] = "no-cache, private"
    return response


def failure_response(error: Exception) -> Response:
    """The Status of an error. What is not one of ours is a defect: it goes to the log, not to the client."""
    if not isinstance(error, FairleadError):
        _log.error("a request failed", exc_info=error)
        error = FairleadError("Internal error occurred: see the log of the control process")
    document = failure(error)
    response = json_response(document, status=error.http)
    if isinstance(error, Retryable):
        response.headers["retry-after"] = str(max(1, round(error.after_s or 1)))
    if error.http == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def failure(error: FairleadError) -> dict[str, Any]:
    """An error as a Status object."""
    details = _details(error)
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(error) or type(error).__name__,
        "reason": _REASONS.get(error.reason, error.reason),
        **({"details": details} if details else {}),
        "code": error.http,
    }


# Our words for the few reasons that Kubernetes' clients know under another name.
_REASONS = {"Unavailable": "ServiceUnavailable", "DeadlineExceeded": "Timeout"}


def _details(error: FairleadError) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if error.subject is not None:
        parts = {"name": error.subject.name, "group": error.subject.group, "kind": error.subject.kind}
        details |= {key: value for key, value in parts.items() if value}
    problems: tuple[Problem, ...] = error.problems if isinstance(error, InvalidManifest | Conflict) else ()
    if problems:
        details["causes"] = [_cause(problem) for problem in problems]
    if isinstance(error, Retryable):
        details["retryAfterSeconds"] = max(1, round(error.after_s or 1))
    return details


def _cause(problem: Problem) -> dict[str, str]:
    return {"reason": problem.cause, "message": problem.message, "field": problem.field}


def success(*, name: str, group: str, plural: str, uid: str) -> dict[str, Any]:
    """The Status that answers a deletion."""
    details = {"name": name, "group": group, "kind": plural, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
