"""The components of an InferenceService and their containers, each with its path in the document."""

from collections.abc import Iterator
from typing import NamedTuple

from fairlead.dialects.kserve.inference_service.schema import (
    FRAMEWORKS,
    PREDICTOR_CONTAINER,
    ComponentExtension,
    InferenceServiceSpec,
    Predictor,
    PredictorExtension,
)
from fairlead.dialects.podspec import Container, EnvVar


class PlacedComponent(NamedTuple):
    """A predictor, transformer or explainer."""

    path: str
    component: ComponentExtension


class PlacedServer(NamedTuple):
    """A model, new style or legacy."""

    path: str
    server: PredictorExtension


class PlacedEnv(NamedTuple):
    """The environment of one container."""

    path: str
    container: str
    env: list[EnvVar]


def components_of(spec: InferenceServiceSpec) -> Iterator[PlacedComponent]:
    """The components that are there."""
    yield PlacedComponent("spec.predictor", spec.predictor)
    if spec.transformer is not None:
        yield PlacedComponent("spec.transformer", spec.transformer)
    if spec.explainer is not None:
        yield PlacedComponent("spec.explainer", spec.explainer)


def servers_of(predictor: Predictor, path: str) -> Iterator[PlacedServer]:
    """The model of a predictor, in whatever field it is."""
    for name in ("model", *FRAMEWORKS):
        server = getattr(predictor, name)
        if isinstance(server, PredictorExtension):
            yield PlacedServer(f"{path}.{name}", server)


def predictor_envs(predictor: Predictor, path: str) -> Iterator[PlacedEnv]:
    """Every container's environment of a predictor, its workers' included."""
    for place, server in servers_of(predictor, path):
        yield PlacedEnv(place, server.name or PREDICTOR_CONTAINER, server.env)
    yield from _pod_envs(predictor.containers, predictor.init_containers, path)
    worker = predictor.worker_spec
    if worker is not None:
        yield from _pod_envs(worker.containers, worker.init_containers, f"{path}.workerSpec")


def envs_of(spec: InferenceServiceSpec) -> Iterator[PlacedEnv]:
    """Every container's environment."""
    yield from predictor_envs(spec.predictor, "spec.predictor")
    for index, canary in enumerate(spec.canary):
        yield from predictor_envs(canary.predictor, f"spec.canary[{index}].predictor")
    for path, component in components_of(spec):
        if path != "spec.predictor":
            yield from _pod_envs(component.containers, component.init_containers, path)
    art = spec.explainer.art if spec.explainer is not None else None
    if art is not None:
        yield PlacedEnv("spec.explainer.art", art.name or PREDICTOR_CONTAINER, art.env)


def _pod_envs(containers: list[Container], inits: list[Container], path: str) -> Iterator[PlacedEnv]:
    for name, group in (("containers", containers), ("initContainers", inits)):
        for index, container in enumerate(group):
            yield PlacedEnv(f"{path}.{name}[{index}]", container.name, container.env)


def predictor_container(predictor: Predictor) -> Container | None:
    """The container that predicts, where no model does."""
    if any(True for _ in servers_of(predictor, "")):
        return None
    named = next((item for item in predictor.containers if item.name == PREDICTOR_CONTAINER), None)
    return named or (predictor.containers[0] if predictor.containers else None)
