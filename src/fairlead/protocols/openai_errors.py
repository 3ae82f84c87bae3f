"""Failures in the words of OpenAI's API as KServe's server has them: the code is the HTTP status, as text."""

from fairlead.errors import BadRequest, FairleadError
from fairlead.protocols.jsontext import compact

_TYPES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    405: "MethodNotAllowedError",
    413: "RequestTooLargeError",
    429: "RateLimitError",
    501: "NotImplementedError",
    503: "ServiceUnavailableError",
    504: "GatewayTimeoutError",
}


class Unusable(BadRequest):
    """A request that says something which cannot be done. `param` is the field it is about."""

    def __init__(self, message: str, param: str = "") -> None:
        super().__init__(message)
        self.param = param


class Told(FairleadError):
    """A refusal that a model's own code has worded."""

    reason = "Refused"

    def __init__(self, message: str, *, http: int, kind: str = "", param: str = "") -> None:
        super().__init__(message)
        self.http = http
        self.kind = kind
        self.param = param


def error_object(status: int, message: str, *, kind: str = "", param: str = "") -> bytes:
    """The body of a refusal."""
    if not kind:
        kind = _TYPES.get(status, "BadRequestError" if status < 500 else "InternalServerError")
    return compact({"error": {"message": message, "type": kind, "param": param, "code": str(status)}})


def failure(error: FairleadError) -> bytes:
    """The body for one of our errors."""
    kind, param = (str(getattr(error, name, "")) for name in ("kind", "param"))
    return error_object(error.http, str(error), kind=kind, param=param)
