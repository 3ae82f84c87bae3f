"""What a failure becomes over gRPC: a code, a sentence, and the unit it comes from.

Errors know their code (`fairlead.errors`). What is decided here is what clients of one protocol expect of an exception
in user code, and which code stands for the HTTP status of a unit that was asked over REST.
"""

import logging
from typing import NamedTuple

from fairlead.dataplane.graph.parcel import Refused, Stopped
from fairlead.errors import FairleadError, GrpcCode, UnitFailed
from fairlead.runtimes.failures import CodeFailed

_log = logging.getLogger(__name__)

_OF_HTTP = {
    400: GrpcCode.INVALID_ARGUMENT,
    401: GrpcCode.UNAUTHENTICATED,
    403: GrpcCode.PERMISSION_DENIED,
    404: GrpcCode.NOT_FOUND,
    405: GrpcCode.UNIMPLEMENTED,
    409: GrpcCode.ABORTED,
    413: GrpcCode.RESOURCE_EXHAUSTED,
    415: GrpcCode.INVALID_ARGUMENT,
    422: GrpcCode.INVALID_ARGUMENT,
    429: GrpcCode.RESOURCE_EXHAUSTED,
    499: GrpcCode.CANCELLED,
    501: GrpcCode.UNIMPLEMENTED,
    502: GrpcCode.UNAVAILABLE,
    503: GrpcCode.UNAVAILABLE,
    504: GrpcCode.DEADLINE_EXCEEDED,
}
_OF_CODE = (CodeFailed, UnitFailed)
"""The classes, not their subclasses, that stand for an exception of user code or a model library."""


class Outcome(NamedTuple):
    """How a call ended. `unit` names the unit that failed, empty for none."""

    code: GrpcCode
    words: str
    unit: str = ""


def of_http(status: int) -> GrpcCode:
    """The code for a unit's own refusal over REST."""
    return _OF_HTTP.get(status, GrpcCode.INTERNAL if status >= 500 else GrpcCode.INVALID_ARGUMENT)


def plain(error: Exception) -> Outcome:
    """A failure as the tensor protocols know it."""
    unit = ""
    if isinstance(error, Stopped):
        unit, error = error.unit, error.error
    if isinstance(error, Refused):
        return Outcome(of_http(error.http) if error.grpc is UnitFailed.grpc else error.grpc, str(error), unit)
    if isinstance(error, FairleadError):
        return Outcome(error.grpc, str(error) or type(error).__name__, unit)
    _log.error("a call could not be answered: %s", error, exc_info=error)
    return Outcome(GrpcCode.INTERNAL, f"{type(error).__name__}: {error}", unit)


def of_seldon(error: Exception) -> Outcome:
    """The same as clients of Seldon's wrapper know it: gRPC's own words for an exception."""
    outcome = plain(error)
    cause = error.error if isinstance(error, Stopped) else error
    if type(cause) in _OF_CODE:
        return Outcome(GrpcCode.UNKNOWN, f"Exception calling application: {cause}", outcome.unit)
    return outcome
