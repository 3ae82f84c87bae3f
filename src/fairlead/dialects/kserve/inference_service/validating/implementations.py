"""What a component is made of: exactly one model server, or containers."""

from collections.abc import Iterator

from fairlead.dialects.kserve.inference_service.schema import (
    PREDICTOR_CONTAINER,
    TRANSFORMER_CONTAINER,
    Explainer,
    InferenceServiceSpec,
    Predictor,
    Transformer,
)
from fairlead.dialects.kserve.inference_service.validating.walking import envs_of, predictor_container, servers_of
from fairlead.dialects.kserve.problems import go_quoted, problem
from fairlead.errors import Problem

PYTHONPATH = "PYTHONPATH"
PROTOCOLS = ("v1", "v2")
_ONE_OF = "exactly one of [{}] must be specified in {}"
_PREDICTORS = (
    "Name, SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, HuggingFace, PMML, LightGBM, Paddle, Model, "
    "StorageUris, StorageContainerName, WorkerSpec, PodSpec"
)


def implementation_problems(name: str, spec: InferenceServiceSpec) -> Iterator[Problem]:
    """Of all components."""
    yield from predictor_problems(spec.predictor, "spec.predictor")
    if spec.transformer is not None:
        yield from _transformer_problems(spec.transformer)
    if spec.explainer is not None:
        yield from _explainer_problems(spec.explainer)
    for placed in envs_of(spec):
        if any(variable.name == PYTHONPATH for variable in placed.env):
            where = f"in container {go_quoted(placed.container)}"
            text = f"setting PYTHONPATH {where} is not allowed for security reasons"
            yield problem(f"{placed.path}.env", f"the InferenceService {go_quoted(name)} is invalid: {text}")


def predictor_problems(predictor: Predictor, path: str) -> Iterator[Problem]:
    """Of one predictor, stable or canary."""
    servers = list(servers_of(predictor, path))
    is_custom = any(container.name == PREDICTOR_CONTAINER for container in predictor.containers)
    if not servers and predictor.containers:
        is_custom = True
    if len(servers) + is_custom != 1:
        yield problem(path, _ONE_OF.format(_PREDICTORS, "PredictorSpec"))
    for place, server in servers:
        if server.name:
            yield problem(f"{place}.name", "the 'name' field is not allowed in standard predictor")
    if servers:
        yield from _collocated_problems(predictor, path)
    yield from _protocol_problems(predictor, path)


def _collocated_problems(predictor: Predictor, path: str) -> Iterator[Problem]:
    for index, container in enumerate(predictor.containers):
        if container.name == TRANSFORMER_CONTAINER and any(item.name == "STORAGE_URI" for item in container.env):
            text = "storage uri should not be specified in transformer container"
            yield problem(f"{path}.containers[{index}].env", text)


def _protocol_problems(predictor: Predictor, path: str) -> Iterator[Problem]:
    """The text has what was given and what is accepted in each other's place, as upstream has it."""
    container = predictor_container(predictor)
    if container is None:
        return
    for variable in container.env:
        if variable.name == "PROTOCOL" and variable.value not in PROTOCOLS:
            text = f"invalid protocol {', '.join(PROTOCOLS)}. Must be one of [{variable.value}]"
            yield problem(f"{path}.containers", text)


def _transformer_problems(transformer: Transformer) -> Iterator[Problem]:
    if not transformer.containers:
        yield problem("spec.transformer", _ONE_OF.format("PodSpec, ComponentExtensionSpec", "TransformerSpec"))


def _explainer_problems(explainer: Explainer) -> Iterator[Problem]:
    if bool(explainer.containers) == (explainer.art is not None):
        yield problem("spec.explainer", _ONE_OF.format("ART, PodSpec, ComponentExtensionSpec", "ExplainerSpec"))
