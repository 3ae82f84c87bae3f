"""The predictor that models of this program ask when they were not given one of their own, and the way to it."""

from contextvars import ContextVar
from typing import NamedTuple

from fairlead.runtimes.kserve_shim.predictor_config import PredictorConfig


class Inside(NamedTuple):
    """A host that is one of our own services, the socket that leads there, and which headers travel on."""

    host: str
    socket: str
    headers: tuple[str, ...] = ()


_inside: ContextVar[Inside | None] = ContextVar("inside", default=None)
_config: ContextVar[PredictorConfig | None] = ContextVar("predictor_config", default=None)


def get_predictor_config() -> PredictorConfig | None:
    """The predictor, if there is one."""
    return _config.get()


def set_predictor_config(config: PredictorConfig) -> None:
    """Name the predictor."""
    _config.set(config)


def get_inside() -> Inside | None:
    """The way to the predictor, if it is one of our own services."""
    return _inside.get()


def set_inside(inside: Inside) -> None:
    """Say which host is one of our own services."""
    _inside.set(inside)
