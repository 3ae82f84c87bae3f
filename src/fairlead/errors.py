"""Every error Fairlead raises on purpose, with its HTTP, gRPC and Kubernetes faces.

A class knows its status for each audience, so nobody invents a status code elsewhere. Two families matter to
callers: `Retryable` (the same call may work later) and `Permanent` (it will not until somebody changes something).
Messages say where, what, and what would be accepted; they never hold a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self


class GrpcCode(IntEnum):
    """gRPC status codes by their wire numbers (grpc/grpc doc/statuscodes.md)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A place in something the user wrote: file, line and the path inside the document."""

    file: str = ""
    line: int = 0
    path: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place = f"{place}:{self.line}" if place else f"line {self.line}"
        return ": ".join(part for part in (place, self.path) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The API object an error is about, for clients that read more than the message. `kind` is what the API's
    own errors put there: the plural, or the kind's name when a document is refused."""

    group: str = ""
    kind: str = ""
    name: str = ""


class FairleadError(Exception):
    """The root of the hierarchy. `reason` is a CamelCase word as Kubernetes conditions use them."""

    http = 500
    grpc = GrpcCode.INTERNAL
    reason = "InternalError"
    subject: Subject | None = None

    def about(self, subject: Subject) -> Self:
        """The same error, saying which object it is about."""
        self.subject = subject
        return self

    @property
    def lasting(self) -> str:
        """The message without what changes while the error lasts: Events are counted by their text."""
        return str(self)


class Permanent(FairleadError):
    """Trying again changes nothing until somebody changes something."""


class Retryable(FairleadError):
    """The same call may work later; `after_s` is a hint in seconds when one is known."""

    http = 503
    grpc = GrpcCode.UNAVAILABLE
    reason = "Unavailable"

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class BadRequest(Permanent):
    """A request whose bytes, shape or dtype cannot be used."""

    http, grpc, reason = 400, GrpcCode.INVALID_ARGUMENT, "BadRequest"


class TooLarge(Permanent):
    """A request larger than the limit in force."""

    http, grpc, reason = 413, GrpcCode.RESOURCE_EXHAUSTED, "RequestEntityTooLarge"


class Unauthorized(Permanent):
    """The caller did not say who it is, or not credibly."""

    http, grpc, reason = 401, GrpcCode.UNAUTHENTICATED, "Unauthorized"


class NotAcceptable(Permanent):
    """None of the forms the caller accepts can be written."""

    http, grpc, reason = 406, GrpcCode.INVALID_ARGUMENT, "NotAcceptable"


class UnsupportedMedia(Permanent):
    """A body in a form that this place does not read."""

    http, grpc, reason = 415, GrpcCode.INVALID_ARGUMENT, "UnsupportedMediaType"


class NotFound(Permanent):
    """Nothing by that name here."""

    http, grpc, reason = 404, GrpcCode.NOT_FOUND, "NotFound"


class MethodNotAllowed(Permanent):
    """The place exists and does not take that verb."""

    http, grpc, reason = 405, GrpcCode.UNIMPLEMENTED, "MethodNotAllowed"


class NotOffered(Permanent):
    """A unit was asked for something that it does not do: an explanation of a model without an explainer, say."""

    http, grpc, reason = 501, GrpcCode.UNIMPLEMENTED, "NotImplemented"


class Conflict(Permanent):
    """The object changed since it was read, or a field belongs to another manager (then `problems` names them)."""

    http, grpc, reason = 409, GrpcCode.ABORTED, "Conflict"

    def __init__(self, message: str, problems: Sequence["Problem"] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class AlreadyExists(Permanent):
    """An object of that name exists."""

    http, grpc, reason = 409, GrpcCode.ALREADY_EXISTS, "AlreadyExists"


class Forbidden(Permanent):
    """The caller, or the owner's settings, do not allow it."""

    http, grpc, reason = 403, GrpcCode.PERMISSION_DENIED, "Forbidden"


class Gone(Permanent):
    """A watch from a version that is no longer kept."""

    http, grpc, reason = 410, GrpcCode.OUT_OF_RANGE, "Expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a document. `field` and `value` are what the dialect's own API reports, and `cause` is
    the API's word for the sort of problem."""

    where: Where
    message: str
    field: str = ""
    value: str = ""
    cause: str = "FieldValueInvalid"

    def __str__(self) -> str:
        place = str(self.where)
        return f"{place}: {self.message}" if place else self.message


class InvalidManifest(Permanent):
    """A document that cannot be accepted, with all its problems at once."""

    http, grpc, reason = 422, GrpcCode.INVALID_ARGUMENT, "Invalid"

    def __init__(self, problems: Sequence[Problem], *, message: str = "") -> None:
        super().__init__(message or "\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)

    def located(self, problems: Sequence[Problem]) -> "InvalidManifest":
        """The same refusal with its problems as they are found in a file."""
        return type(self)(problems, message=str(self))


class UnrunnableManifest(InvalidManifest):
    """A document that is right in itself and asks for something that nothing here can run."""

    reason = "UnknownRuntime"


class UnknownRuntime(Permanent):
    """A unit asks for something that nothing here can run."""

    http, grpc, reason = 422, GrpcCode.INVALID_ARGUMENT, "UnknownRuntime"


class MissingExtra(Permanent):
    """A model library that is not installed; the message holds the install command."""

    http, grpc, reason = 500, GrpcCode.FAILED_PRECONDITION, "MissingExtra"

    def __init__(self, *, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed: pip install 'fairlead[{extra}]'")


class StorageError(Permanent):
    """A model that cannot be fetched. The message holds the URI and the store's own words."""

    http, grpc, reason = 500, GrpcCode.FAILED_PRECONDITION, "StorageError"


class StorageUnavailable(Retryable):
    """A store that does not answer now."""

    reason = "StorageUnavailable"


class LoadError(Permanent):
    """A unit that cannot be loaded: corrupt artifact, wrong version, an exception in user code."""

    http, grpc, reason = 500, GrpcCode.FAILED_PRECONDITION, "LoadError"


class UnitFailed(Permanent):
    """A unit's own failure while answering a request."""

    http, grpc, reason = 500, GrpcCode.INTERNAL, "UnitFailed"


class DeadlineExceeded(Retryable):
    """A step took longer than its timeout."""

    http, grpc, reason = 504, GrpcCode.DEADLINE_EXCEEDED, "DeadlineExceeded"


class ClientGone(Permanent):
    """Whoever asked has hung up, or cancelled: what was not begun for it is not begun."""

    # The number is nginx's; no client reads it, but logs and counters do.
    http, grpc, reason = 499, GrpcCode.CANCELLED, "ClientGone"

    def __init__(self) -> None:
        super().__init__("the client is gone")


class Overloaded(Retryable):
    """The queue for a revision is full."""

    http, grpc, reason = 503, GrpcCode.RESOURCE_EXHAUSTED, "Overloaded"


class TooManyRequests(Retryable):
    """Somebody was wrong too often, and has to wait before the next try."""

    http, grpc, reason = 429, GrpcCode.RESOURCE_EXHAUSTED, "TooManyRequests"


class NotReady(Retryable):
    """The thing asked for exists and cannot answer yet."""

    reason = "NotReady"


class ConfigError(Permanent):
    """A setting, flag or configuration file that cannot be used."""

    http, grpc, reason = 500, GrpcCode.FAILED_PRECONDITION, "ConfigError"
