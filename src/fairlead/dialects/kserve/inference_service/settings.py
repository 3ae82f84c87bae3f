"""An installation's settings, as far as lowering reads them."""

from dataclasses import dataclass, field

from fairlead.dialects.base import World
from fairlead.dialects.kserve.autoscaler_config import AutoscalerConfig, read_autoscaler_config
from fairlead.dialects.kserve.config import InferenceServiceConfig, read_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """KServe's and Knative's, with the shipped values where nothing else is said."""

    service: InferenceServiceConfig = field(default_factory=InferenceServiceConfig)
    autoscaler: AutoscalerConfig = field(default_factory=AutoscalerConfig)


def read_settings(world: World) -> Settings:
    """The settings as they are stored now. Raises `ConfigError`."""
    return Settings(service=read_config(world), autoscaler=read_autoscaler_config(world))
