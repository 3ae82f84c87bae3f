"""The admission webhook's rules, with its literal texts.

Clients and scripts match on these texts, so its two oddities stay: the group is spelt `machinelearing`, and the name
in the message is `spec.name`, not the object's. Rules look at the object as submitted, before any default.
`tests/dialects/seldon/test_validate.py` has each of the 21.
"""

import json
from collections.abc import Iterator

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon import servers
from fairlead.dialects.seldon.graph import UNKNOWN, Placed, find_container, is_prepackaged, walk
from fairlead.dialects.seldon.names import SERVICE_NAME_ANNOTATION
from fairlead.dialects.seldon.schema import PredictorSpec, SeldonDeployment
from fairlead.errors import InvalidManifest, Problem, Where

PROTOCOLS = ("", "seldon", "tensorflow", "kfserving", "v2")
TRANSPORTS = ("", "rest", "grpc")
SERVER_TYPES = ("", "rpc", "kafka")
NO_ENGINE_ANNOTATION = "seldon.io/no-engine"
KAFKA_ENV = ("KAFKA_BROKER", "KAFKA_INPUT_TOPIC", "KAFKA_OUTPUT_TOPIC")

_NO_CONTAINER = "Can't find container for Predictive Unit"
_NO_METHODS = (
    "Predictive Unit has no implementation methods defined. Change to a known type or add what methods it defines"
)
_NO_KAFKA_ENV = f"For kafka please supply svcOrchSpec envs {', '.join(KAFKA_ENV)}"
_MANY_ENDPOINT_TYPES = "Multiple endpoint.types found - can only have 1 type in graph. Please use spec.transport"
_MIXED_TRANSPORTS = "Mixed transport types found. Remove graph endpoint.types if transport set at deployment level"
_SHADOW_TRAFFIC = "shadow traffic is illegal, the traffic number should be between [0, 100]"


def validate(sdep: SeldonDeployment, *, catalog: Catalog) -> None:
    """Raise `InvalidManifest` with every broken rule."""
    problems = [
        *_spec_problems(sdep),
        *_predictor_problems(sdep),
        *_graph_problems(sdep, catalog),
        *_transport_problems(sdep),
        *_traffic_problems(sdep),
    ]
    if problems:
        raise InvalidManifest(problems, message=_aggregate(sdep.spec.name, problems))


def _spec_problems(sdep: SeldonDeployment) -> Iterator[Problem]:
    spec = sdep.spec
    if spec.protocol not in PROTOCOLS:
        yield _problem("spec", spec.protocol, "Invalid protocol", path="spec.protocol")
    if spec.transport not in TRANSPORTS:
        yield _problem("spec", spec.transport, "Invalid transport", path="spec.transport")
    if spec.server_type not in SERVER_TYPES:
        yield _problem("spec", spec.server_type, "Invalid serverType", path="spec.serverType")


def _predictor_problems(sdep: SeldonDeployment) -> Iterator[Problem]:
    predictors = sdep.spec.predictors
    for index, predictor in enumerate(predictors):
        env = {variable.name for variable in predictor.svc_orch_spec.env}
        if sdep.spec.server_type == "kafka" and not env.issuperset(KAFKA_ENV):
            yield _predictor_problem(index, predictor, _NO_KAFKA_ENV, tail=".svcOrchSpec.env")
    if len(predictors) == 1 and predictors[0].shadow:
        yield _predictor_problem(0, predictors[0], "Shadow can not exist as only predictor", tail=".shadow")
    yield from _service_name_problems(predictors)
    if not predictors:
        yield _problem("spec", sdep.spec.transport, "Graph contains no predictors", path="spec.predictors")
    names: set[str] = set()
    for index, predictor in enumerate(predictors):
        if NO_ENGINE_ANNOTATION in predictor.annotations and sum(1 for _ in walk(predictor, index)) > 1:
            message = "Running without engine only valid for single element graphs"
            yield _predictor_problem(index, predictor, message, tail=f".annotations[{NO_ENGINE_ANNOTATION}]")
        if predictor.name in names:
            yield _predictor_problem(index, predictor, "Duplicate predictor name", tail=".name")
        names.add(predictor.name)


def _service_name_problems(predictors: list[PredictorSpec]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, predictor in enumerate(predictors):
        name = predictor.annotations.get(SERVICE_NAME_ANNOTATION, "")
        if name and name in seen:
            message = f"Found duplicate service name in {SERVICE_NAME_ANNOTATION} with value {name}"
            yield _predictor_problem(index, predictor, message, tail=f".annotations[{SERVICE_NAME_ANNOTATION}]")
        seen.add(name)


def _graph_problems(sdep: SeldonDeployment, catalog: Catalog) -> Iterator[Problem]:
    for index, predictor in enumerate(sdep.spec.predictors):
        for placed in walk(predictor, index):
            if placed.node.implementation in ("", UNKNOWN):
                yield from _plain_node_problems(predictor, placed)
            elif is_prepackaged(placed.node):
                yield from _server_problems(sdep, predictor, placed, catalog)
            logger = placed.node.logger
            if logger is not None and not logger.mode:
                path = f"{placed.path}.logger"
                yield _problem(placed.field, "", "No logger mode specified", path=path)


def _plain_node_problems(predictor: PredictorSpec, placed: Placed) -> Iterator[Problem]:
    node = placed.node
    if find_container(predictor, node.name) is None:
        yield _problem(placed.field, node.name, _NO_CONTAINER, path=f"{placed.path}.name")
    if node.type == "UNKNOWN_TYPE" and not node.methods:
        yield _problem(placed.field, node.name, _NO_METHODS, path=f"{placed.path}.type")


def _server_problems(
    sdep: SeldonDeployment, predictor: PredictorSpec, placed: Placed, catalog: Catalog
) -> Iterator[Problem]:
    node = placed.node
    path = f"{placed.path}.implementation"
    if not node.model_uri and node.implementation != "HUGGINGFACE_SERVER":
        message = "Predictive unit modelUri required when using standalone servers"
        yield _problem(placed.field, node.name, message, path=f"{placed.path}.modelUri")
    if sdep.spec.protocol == "tensorflow" and node.implementation in servers.NOT_FOR_TENSORFLOW:
        message = f"Prepackaged server does not handle tensorflow protocol {node.implementation}"
        yield _problem(placed.field, node.name, message, path=path)
    found = find_container(predictor, node.name)
    has_image = found is not None and bool(found.container.image)
    if not has_image and not servers.is_known(node.implementation, catalog):
        message = f"No entry in predictors map for {node.implementation}"
        yield _problem(placed.field, node.name, message, path=path)


def _transport_problems(sdep: SeldonDeployment) -> Iterator[Problem]:
    typed = [
        (placed, placed.node.endpoint.type)
        for index, predictor in enumerate(sdep.spec.predictors)
        for placed in walk(predictor, index)
        if placed.node.endpoint is not None and placed.node.endpoint.type
    ]
    types = {kind for _, kind in typed}
    if len(types) > 1:
        odd = next(placed for placed, kind in typed if kind != typed[0][1])
        yield _problem("spec", "", _MANY_ENDPOINT_TYPES, path=f"{odd.path}.endpoint.type")
    elif types and sdep.spec.transport and types != {sdep.spec.transport.upper()}:
        yield _problem("spec", "", _MIXED_TRANSPORTS, path=f"{typed[0][0].path}.endpoint.type")


def _traffic_problems(sdep: SeldonDeployment) -> Iterator[Problem]:
    predictors = sdep.spec.predictors
    shadows = [(index, predictor) for index, predictor in enumerate(predictors) if predictor.shadow]
    for index, predictor in shadows[1:]:
        path = f"spec.predictors[{index}].shadow"
        yield _problem("spec", predictor.name, "Multiple shadows are not allowed", path=path)
    for index, predictor in shadows:
        if not 0 <= predictor.traffic <= 100:
            path = f"spec.predictors[{index}].traffic"
            yield _problem("spec", predictor.name, _SHADOW_TRAFFIC, path=path)
    traffic = [predictor.traffic for predictor in predictors if not predictor.shadow]
    if len(traffic) > 1 and sum(traffic) != 100:
        message = "Traffic must sum to 100 for multiple predictors"
        yield _problem("spec", predictors[0].name, message, path="spec.predictors")
    if len(traffic) == 1 and 0 < traffic[0] < 100:
        message = "Traffic must sum be 100 for a single predictor when set"
        yield _problem("spec", predictors[0].name, message, path="spec.predictors")


def _predictor_problem(index: int, predictor: PredictorSpec, message: str, *, tail: str) -> Problem:
    field = f"spec.predictors[{index}]"
    return _problem(field, predictor.name, message, path=f"{field}{tail}")


def _problem(field: str, value: str, message: str, *, path: str) -> Problem:
    return Problem(where=Where(path=path), message=message, field=field, value=value)


def _aggregate(name: str, problems: list[Problem]) -> str:
    texts = dict.fromkeys(
        f"{problem.field}: Invalid value: {json.dumps(problem.value, ensure_ascii=False)}: {problem.message}"
        for problem in problems
    )
    listed = next(iter(texts)) if len(texts) == 1 else f"[{', '.join(texts)}]"
    return f'SeldonDeployment.machinelearing.seldon.io "{name}" is invalid: {listed}'
