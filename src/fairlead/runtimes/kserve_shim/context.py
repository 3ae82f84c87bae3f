"""The predictor that models of this program ask when they were not given one of their own."""

from contextvars import ContextVar

from fairlead.runtimes.kserve_shim.predictor_config import PredictorConfig

_config: ContextVar[PredictorConfig | None] = ContextVar("predictor_config", default=None)


def get_predictor_config() -> PredictorConfig | None:
    """The predictor, if there is one."""
    return _config.get()


def set_predictor_config(config: PredictorConfig) -> None:
    """Name the predictor."""
    _config.set(config)
