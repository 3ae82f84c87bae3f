"""The settings of Knative's autoscaler: ConfigMap `config-autoscaler` in namespace `knative-serving`.

Values are text. A key that is absent means its shipped value, and one that we do not read is left alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

from fairlead.dialects.base import World
from fairlead.dialects.kserve import durations
from fairlead.errors import ConfigError

NAMESPACE, NAME = "knative-serving", "config-autoscaler"
WINDOW_MIN_S, WINDOW_MAX_S = 6.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerConfig:
    """Knative's defaults. Fractions, not percentages, where the name says so."""

    container_concurrency_target_default: float = 100.0
    requests_per_second_target_default: float = 200.0
    target_utilization: float = 0.7
    """A fraction, from `container-concurrency-target-percentage`."""
    target_burst_capacity: float = 211.0
    stable_window_s: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    enable_scale_to_zero: bool = True
    scale_to_zero_grace_period_s: float = 30.0
    scale_to_zero_pod_retention_period_s: float = 0.0
    scale_down_delay_s: float = 0.0
    initial_scale: int = 1
    allow_zero_initial_scale: bool = False
    min_scale: int = 0
    max_scale: int = 0
    max_scale_limit: int = 0


_SHIPPED: Mapping[str, str] = {
    "container-concurrency-target-percentage": "70",
    "container-concurrency-target-default": "100",
    "requests-per-second-target-default": "200",
    "target-burst-capacity": "211",
    "stable-window": "60s",
    "panic-window-percentage": "10.0",
    "panic-threshold-percentage": "200.0",
    "max-scale-up-rate": "1000.0",
    "max-scale-down-rate": "2.0",
    "enable-scale-to-zero": "true",
    "scale-to-zero-grace-period": "30s",
    "scale-to-zero-pod-retention-period": "0s",
    "scale-down-delay": "0s",
    "initial-scale": "1",
    "allow-zero-initial-scale": "false",
    "min-scale": "0",
    "max-scale": "0",
    "max-scale-limit": "0",
}
_FIELDS = {"container-concurrency-target-percentage": "target_utilization"}


def shipped_autoscaler_config() -> dict[str, str]:
    """The data of the ConfigMap as an installation starts with it."""
    return dict(_SHIPPED)


def read_autoscaler_config(world: World) -> AutoscalerConfig:
    """The settings as they are stored now. Raises `ConfigError`."""
    stored = world.get("ConfigMap", NAMESPACE, NAME)
    data = (stored or {}).get("data") or {}
    return _parsed(tuple(sorted((key, text) for key, text in data.items() if key in _SHIPPED)))


@lru_cache(maxsize=16)
def _parsed(data: tuple[tuple[str, str], ...]) -> AutoscalerConfig:
    values = dict(_read(key, text) for key, text in data)
    config = AutoscalerConfig(**values)  # type: ignore[arg-type]  # each value was read by its field's type
    _check(config)
    return config


def _read(key: str, text: str) -> tuple[str, float | int | bool]:
    types = {field.name: field.type for field in fields(AutoscalerConfig)}
    name = _FIELDS.get(key, key.replace("-", "_"))
    try:
        if f"{name}_s" in types:
            return f"{name}_s", durations.seconds(text)
        if types[name] is bool:
            return name, _boolean(text)
        number = int(text) if types[name] is int else _finite(text)
        return name, _fraction(number) if name == "target_utilization" else number
    except ValueError as error:
        raise ConfigError(f'failed to parse "{key}": {error}') from error


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise ValueError(f"{text!r} is neither true nor false")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def _fraction(value: float) -> float:
    """Up to 1 a fraction, above it a percentage."""
    return value if value <= 1.0 else value / 100.0


def _check(config: AutoscalerConfig) -> None:
    for is_right, message in (
        (
            config.scale_to_zero_grace_period_s >= WINDOW_MIN_S,
            f"scale-to-zero-grace-period must be at least 6s, was: {_go(config.scale_to_zero_grace_period_s)}",
        ),
        (
            config.scale_to_zero_pod_retention_period_s >= 0,
            f"scale-to-zero-pod-retention-period cannot be negative, was: "
            f"{_go(config.scale_to_zero_pod_retention_period_s)}",
        ),
        (
            0 <= config.scale_down_delay_s <= WINDOW_MAX_S,
            f"scale-down-delay = {_go(config.scale_down_delay_s)}, must be in [0s; 1h0m0s] range",
        ),
        (
            0 < config.target_utilization <= 1,
            f"container-concurrency-target-percentage = {config.target_utilization:f} is outside of valid range of "
            f"(0, 100]",
        ),
        (
            config.container_concurrency_target_default * config.target_utilization >= 0.01,
            "container-concurrency-target-percentage and container-concurrency-target-default yield target "
            "concurrency of less than 0.01",
        ),
        (
            config.requests_per_second_target_default >= 0.01,
            f"requests-per-second-target-default must be at least 0.01, was: "
            f"{config.requests_per_second_target_default:f}",
        ),
        (
            config.target_burst_capacity >= 0 or config.target_burst_capacity == -1,
            f"target-burst-capacity must be either non-negative or -1 (for unlimited), was: "
            f"{config.target_burst_capacity:f}",
        ),
        (config.max_scale_up_rate > 1, f"max-scale-up-rate = {config.max_scale_up_rate:g}, must be greater than 1.0"),
        (
            config.max_scale_down_rate > 1,
            f"max-scale-down-rate = {config.max_scale_down_rate:g}, must be greater than 1.0",
        ),
        (
            WINDOW_MIN_S <= config.stable_window_s <= WINDOW_MAX_S,
            f"stable-window = {_go(config.stable_window_s)}, must be in [6s; 1h0m0s] range",
        ),
        (
            config.stable_window_s.is_integer(),
            f"stable-window = {config.stable_window_s}s, must be specified with at most second precision",
        ),
        (
            1 <= config.panic_window_percentage <= 100,
            f"panic-window-percentage = {config.panic_window_percentage:g}, must be in [1; 100] interval",
        ),
        (
            110 <= config.panic_threshold_percentage <= 1000,
            f"panic-threshold-percentage = {config.panic_threshold_percentage:g}, must be in [110; 1000] interval",
        ),
        (
            config.initial_scale > 0 or (config.initial_scale == 0 and config.allow_zero_initial_scale),
            f"initial-scale = {config.initial_scale}, must be at least 0 "
            f"(or at least 1 when allow-zero-initial-scale is false)",
        ),
        (
            min(config.min_scale, config.max_scale, config.max_scale_limit) >= 0,
            "min-scale, max-scale and max-scale-limit must be at least 0",
        ),
    ):
        if not is_right:
            raise ConfigError(message)


def _go(duration_s: float) -> str:
    return durations.written(duration_s)
