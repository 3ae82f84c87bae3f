"""Which of four conventions a class of a user follows, seen from the class itself.

A base class decides when there is one: `SeldonComponent`, KServe's `Model`, MLServer's `MLModel`. Without one, a class
that has anything of Seldon's is Seldon's, and what is left is plain.
"""

from enum import Enum

from fairlead.runtimes import kserve_model, mlserver_model, plain
from fairlead.runtimes.operations import is_component_base

_SELDONS = tuple(
    f"{operation}{suffix}"
    for operation in ("predict", "transform_input", "transform_output", "route", "aggregate", "send_feedback")
    for suffix in ("", "_raw", "_rest", "_grpc")
    if f"{operation}{suffix}" != "predict"
)


class Convention(Enum):
    """Who asks a class, and how."""

    SELDON = "seldon"
    KSERVE = "kserve"
    MLSERVER = "mlserver"
    PLAIN = "plain"


def convention_of(kind: type) -> Convention:
    """The convention of a class."""
    if kserve_model.is_model(kind):
        return Convention.KSERVE
    if mlserver_model.is_model(kind):
        return Convention.MLSERVER
    if any(is_component_base(base) for base in kind.__mro__) or any(hasattr(kind, name) for name in _SELDONS):
        return Convention.SELDON
    return Convention.PLAIN if plain.is_plain(kind) else Convention.SELDON
