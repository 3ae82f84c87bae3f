"""The environment of a unit: what its manifest gives, then the contract that wrapped models read.

Variables that the platform always sets win over a manifest's, as the last of two equal names wins in a container;
those it only suggests give way. Upstream 1.18.2 loses a container's earlier variables when a suggested name is
already there; here they stay (`test_a_variable_of_the_users_keeps_its_value_and_its_neighbours`).
"""

import json
from collections.abc import Iterable

from fairlead.dialects.podspec import EnvVar as Written
from fairlead.dialects.seldon import servers
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.graph import is_prepackaged
from fairlead.dialects.seldon.names import deployment_name
from fairlead.dialects.seldon.schema import Parameter
from fairlead.dialects.variables import PodFacts
from fairlead.dialects.variables import lower_variables as variables_of
from fairlead.plan.model import EnvVar

MODELS = "/mnt/models"
MODEL_VERSION = "v1"
"""The version that every model of a prepackaged server has under the v2 protocol."""
MLSERVER_CLASSES = {
    "SKLEARN_SERVER": "mlserver_sklearn.SKLearnModel",
    "XGBOOST_SERVER": "mlserver_xgboost.XGBoostModel",
    "MLFLOW_SERVER": "mlserver_mlflow.MLflowRuntime",
    "HUGGINGFACE_SERVER": "mlserver_huggingface.HuggingFaceRuntime",
}
_METRICS_PATH = "/prometheus"


def lower_env(context: NodeContext, extra: Iterable[tuple[str, str]] = ()) -> tuple[EnvVar, ...]:
    """The unit's variables. `extra` are those of the catalog's entry, below the manifest's own."""
    variables = {name: EnvVar(name=name, value=value) for name, value in extra}
    for variable in lower_variables(context, context.container.env, context.container_path):
        variables.pop(variable.name, None)
        variables[variable.name] = variable
    suggested, fixed = _suggested(context), _fixed(context)
    for name, value in suggested.items():
        variables.setdefault(name, EnvVar(name=name, value=value))
    for name, value in fixed.items():
        variables[name] = EnvVar(name=name, value=value)
    return tuple(variables.values())


def lower_variables(context: NodeContext, written: Iterable[Written], path: str) -> list[EnvVar]:
    """The variables of a container of the node's pod."""
    return variables_of(written, path, _pod_facts(context), context.findings)


def parameters_text(parameters: Iterable[Parameter]) -> str:
    """Parameters as the wrapper reads them: compact JSON in this order of keys."""
    listed = [{"name": item.name, "value": item.value, "type": item.type} for item in parameters]
    return json.dumps(listed, separators=(",", ":"), ensure_ascii=False)


def _suggested(context: NodeContext) -> dict[str, str]:
    node, ports = context.node, context.ports
    is_grpc = node.endpoint is not None and node.endpoint.service_port == node.endpoint.grpc_port
    variables = {
        "PREDICTIVE_UNIT_SERVICE_PORT": str(ports.grpc if is_grpc else ports.http),
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(ports.http),
        "MLSERVER_HTTP_PORT": str(ports.http),
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": str(ports.grpc),
        "MLSERVER_GRPC_PORT": str(ports.grpc),
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(ports.metrics),
        "MLSERVER_METRICS_PORT": str(ports.metrics),
        "PREDICTIVE_UNIT_METRICS_ENDPOINT": _METRICS_PATH,
        "MLSERVER_METRICS_ENDPOINT": _METRICS_PATH,
    }
    if node.parameters and not is_prepackaged(node):
        variables["PREDICTIVE_UNIT_PARAMETERS"] = parameters_text(node.parameters)
    if node.model_uri:
        variables["MLSERVER_MODEL_URI"] = MODELS
    return variables


def _fixed(context: NodeContext) -> dict[str, str]:
    node, sdep, predictor = context.node, context.outer.sdep, context.outer.predictor
    variables = {}
    if is_prepackaged(node):
        model = Parameter(name="model_uri", value=MODELS, type="STRING")
        variables["PREDICTIVE_UNIT_PARAMETERS"] = parameters_text([*node.parameters, model])
        if sdep.spec.protocol == servers.V2:
            variables |= {"MLSERVER_MODEL_VERSION": MODEL_VERSION, "MLSERVER_MODEL_URI": MODELS}
            implementation = MLSERVER_CLASSES.get(node.implementation)
            if implementation is not None:
                variables["MLSERVER_MODEL_IMPLEMENTATION"] = implementation
    return variables | {
        "PREDICTIVE_UNIT_ID": node.name,
        "MLSERVER_MODEL_NAME": node.name,
        "PREDICTIVE_UNIT_IMAGE": context.container.image,
        "PREDICTOR_ID": predictor.name,
        "PREDICTOR_LABELS": json.dumps(predictor.labels, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        "SELDON_DEPLOYMENT_ID": sdep.metadata.name,
        "SELDON_EXECUTOR_ENABLED": "true",
    }


def _pod_facts(context: NodeContext) -> PodFacts:
    sdep, predictor, pod = context.outer.sdep, context.outer.predictor, context.pod
    return PodFacts(
        name=_pod_name(context),
        namespace=sdep.metadata.namespace,
        uid=sdep.metadata.uid,
        service_account=pod.spec.service_account_name,
        labels=pod.metadata.labels | predictor.labels,
        annotations=sdep.spec.annotations | predictor.annotations | pod.metadata.annotations,
        resources=context.container.resources,
    )


def _pod_name(context: NodeContext) -> str:
    """The Deployment's, empty for a graph without pods."""
    pods = context.outer.predictor.component_specs
    index = next((index for index, pod in enumerate(pods) if pod is context.pod), None)
    return "" if index is None else deployment_name(context.outer.sdep, context.outer.predictor, index)
