"""What goes wrong inside a unit, in the words its clients know.

The component convention names a reason for each failure; clients match on these texts and reasons, so they are
written once, here. An exception of user code is translated on the way out of the unit and nowhere else.
"""

from fairlead.errors import BadRequest, ConfigError, FairleadError, GrpcCode, NotOffered, UnitFailed


class BadData(BadRequest):
    """A payload, return value or missing method that the convention answers with 400."""

    reason = "MICROSERVICE_BAD_DATA"


class BadMetric(UnitFailed):
    """`metrics()` gave something that is no metric."""

    reason = "MICROSERVICE_BAD_METRIC"


class BadMetadata(UnitFailed):
    """The metadata a unit was started with does not follow the schema."""

    reason = "MICROSERVICE_BAD_METADATA"


class BadParameter(ConfigError):
    """A constructor parameter that cannot be read as its type."""

    reason = "MICROSERVICE_BAD_PARAMETER"


class CodeFailed(UnitFailed):
    """An exception of user code or of a model library."""

    reason = "MICROSERVICE_INTERNAL_ERROR"


class Refused(UnitFailed):
    """User code refused a request on purpose, with a status and a reason of its own."""

    grpc = GrpcCode.INVALID_ARGUMENT

    def __init__(self, message: str, *, http: int, reason: str) -> None:
        super().__init__(message)
        self.http = http
        self.reason = reason
        self.after_s: float | None = None
        """When trying again may help, if whoever refused says so."""


def unusable(value: object) -> BadData:
    """The answer to a return value that no payload can hold."""
    return BadData(f"Unknown data type returned as payload (must be list or np array):{value}")


def not_explained() -> NotOffered:
    """The answer to a request for an explanation of a unit that gives none, in KServe's words."""
    return NotOffered("Could not find explainer_host.")


def is_not_implemented(error: BaseException) -> bool:
    """Whether user code says "I do not have this method". By name, because the class may come from our stand-in or
    from an installed `seldon_core`."""
    return any(kind.__name__ == "SeldonNotImplementedError" for kind in type(error).__mro__)


def translated(error: Exception) -> FairleadError:
    """The error a client sees for an exception that left a unit. Ours keep what they are."""
    if isinstance(error, FairleadError):
        return error
    if any(kind.__name__ == "SeldonMicroserviceException" for kind in type(error).__mro__):
        return _refusal(error)
    return CodeFailed(str(error))


def _refusal(error: Exception) -> Refused:
    """A `SeldonMicroserviceException`, ours or the real one, by its public attributes."""
    status = getattr(error, "status_code", None)
    message = getattr(error, "message", None)
    return Refused(
        str(error) if message is None else str(message),
        http=status if isinstance(status, int) and 100 <= status <= 599 else 400,
        reason=str(getattr(error, "reason", BadData.reason)),
    )
