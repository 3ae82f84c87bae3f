"""How refusals look to BentoML's clients.

They read a status and print the body. "Not found" is the one refusal that they act upon, and which status says it has
changed: up to 1.0.22 it is a 400 whose body holds `record not found`, since then a 404 as well. The key of the body is
`error` when an operation refuses, `message` when something before it does.
"""

import logging

import msgspec
from starlette.responses import JSONResponse, Response

from fairlead.errors import BadRequest, FairleadError, NotFound, Retryable

_log = logging.getLogger("fairlead.registry")
NOT_FOUND_WORDS = "record not found"
_NOT_FOUND_IS_404 = (1, 0, 23)
REFUSALS = (400, 401, 403, 404, 409, 413, 500, 503)
"""Every status that an operation may refuse with."""


class Refusal(msgspec.Struct):
    """Why something was not done: `error` from an operation, `message` from what stands before one."""

    error: str = ""
    message: str = ""


def refusal(error: Exception, *, client: tuple[int, int, int] | None = None, key: str = "error") -> Response:
    """The answer to what an operation raised. `client` is BentoML's version, when it said one."""
    if not isinstance(error, FairleadError):
        _log.error("an operation of the registry failed", exc_info=error)
        return JSONResponse({key: "internal error"}, status_code=500)
    status, text = error.http, str(error)
    if isinstance(error, NotFound):
        text = text if NOT_FOUND_WORDS in text else f"{text}: {NOT_FOUND_WORDS}"
        status = 404 if (client or (0, 0, 0)) >= _NOT_FOUND_IS_404 else 400
    answer = JSONResponse({key: text}, status_code=status)
    if isinstance(error, Retryable) and error.after_s is not None:
        answer.headers["retry-after"] = str(max(1, round(error.after_s)))
    return answer


def unknown_path(method: str, *, is_known: bool = False) -> Response:
    """No operation has that path, or none has it with that method."""
    return JSONResponse(
        {"message": f"not found this router with method {method}"}, status_code=405 if is_known else 404
    )


def unreadable(error: msgspec.DecodeError) -> BadRequest:
    """A body that is not what the operation takes. The message has the place, never the text."""
    return BadRequest(f"the body of the request cannot be used: {error}")
