"""What clients see of an exception that left a KServe model. By name, because the classes may come from our
stand-in or from an installed `kserve`."""

from fairlead.errors import BadRequest, FairleadError, NotFound, NotOffered, NotReady, UnitFailed
from fairlead.runtimes.failures import Refused

_FACES: dict[str, type[FairleadError]] = {
    "InvalidInput": BadRequest,
    "UnsupportedProtocol": BadRequest,
    "ModelNotFound": NotFound,
    "ModelNotReady": NotReady,
    "NoModelReady": NotReady,
    "ServerNotReady": NotReady,
    "ServerNotLive": NotReady,
    "InferenceError": UnitFailed,
}


def is_kserves(kind: type) -> bool:
    """Whether a class belongs to `kserve`, ours or the real one."""
    return kind.__module__.partition(".")[0] == "kserve" or ".kserve_shim" in kind.__module__


def translated(error: Exception) -> FairleadError:
    """The error with its status. Ours keep what they are; any other is the model's own failure, named by its type."""
    if isinstance(error, FairleadError):
        return error
    for kind in type(error).__mro__:
        face = _FACES.get(kind.__name__)
        if face is not None and is_kserves(kind):
            return face(str(error) or getattr(error, "reason", "") or getattr(error, "error_msg", ""))
    status = getattr(error, "status_code", None)
    if status is None:  # an HTTPStatusError of httpx, with which the SDK asks predictors
        status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int) and 400 <= status <= 599:
        return Refused(str(getattr(error, "detail", error)), http=status, reason=UnitFailed.reason)
    if isinstance(error, NotImplementedError):
        return NotOffered(str(error) or "not implemented")
    return UnitFailed(f"{type(error).__name__} : {error}")
