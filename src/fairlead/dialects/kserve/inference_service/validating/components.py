"""What holds for a predictor, a transformer and an explainer alike: replicas and payload logs."""

from collections.abc import Iterator

from fairlead.dialects.kserve.inference_service.schema import ComponentExtension, Logger
from fairlead.dialects.kserve.problems import problem
from fairlead.errors import Problem

MODES = ("all", "request", "response")


def component_problems(component: ComponentExtension, path: str) -> Iterator[Problem]:
    """Of one component."""
    yield from _replica_problems(component, path)
    if component.logger is not None:
        yield from _logger_problems(component.logger, f"{path}.logger")


def _replica_problems(component: ComponentExtension, path: str) -> Iterator[Problem]:
    least, most = component.min_replicas or 0, component.max_replicas
    if least < 0:
        yield problem(f"{path}.minReplicas", "'MinReplicas' cannot be less than 0")
    if most < 0:
        yield problem(f"{path}.maxReplicas", "'MaxReplicas' cannot be less than 0")
    elif most and least > most:
        yield problem(f"{path}.minReplicas", "'MinReplicas' cannot be greater than MaxReplicas")
    if (component.container_concurrency or 0) < 0:
        yield problem(f"{path}.containerConcurrency", "parallelism cannot be less than 0")


def _logger_problems(logger: Logger, path: str) -> Iterator[Problem]:
    """An absent mode is refused too, whatever the schema calls the default."""
    if logger.mode not in MODES:
        yield problem(f"{path}.mode", "invalid logger type")
    storage = logger.storage
    if storage is not None and not (storage.path and storage.parameters and storage.key):
        yield problem(f"{path}.storage", "invalid logger storage configuration")
