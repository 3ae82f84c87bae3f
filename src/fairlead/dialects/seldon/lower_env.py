"""The environment of a unit: what its manifest gives, then the contract that wrapped models read.

Variables that the platform always sets win over a manifest's, as the last of two equal names wins in a container;
those it only suggests give way. Upstream 1.18.2 loses a container's earlier variables when a suggested name is
already there; here they stay (`test_a_variable_of_the_users_keeps_its_value_and_its_neighbours`).
"""

import json
import math
import re
from collections.abc import Iterable, Mapping

from fairlead.dialects.podspec import Container, EnvFromSource
from fairlead.dialects.podspec import EnvVar as Written
from fairlead.dialects.seldon import servers
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.findings import Findings
from fairlead.dialects.seldon.graph import is_prepackaged
from fairlead.dialects.seldon.names import deployment_name
from fairlead.dialects.seldon.schema import Parameter
from fairlead.plan import quantity
from fairlead.plan.model import EnvFrom, EnvVar, KeyRef

MODELS = "/mnt/models"
MODEL_VERSION = "v1"
"""The version that every model of a prepackaged server has under the v2 protocol."""
_MLSERVER_CLASSES = {
    "SKLEARN_SERVER": "mlserver_sklearn.SKLearnModel",
    "XGBOOST_SERVER": "mlserver_xgboost.XGBoostModel",
    "MLFLOW_SERVER": "mlserver_mlflow.MLflowRuntime",
    "HUGGINGFACE_SERVER": "mlserver_huggingface.HuggingFaceRuntime",
}
PORT_VARIABLES = frozenset(
    {
        "PREDICTIVE_UNIT_SERVICE_PORT",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT",
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT",
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT",
        "MLSERVER_HTTP_PORT",
        "MLSERVER_GRPC_PORT",
        "MLSERVER_METRICS_PORT",
    }
)
"""Variables that only repeat the numbering of ports."""
_METRICS_PATH = "/prometheus"
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_POD_ADDRESS = "127.0.0.1"
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


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
    """The variables of a container as it gives them, references to earlier ones replaced."""
    lowered: list[EnvVar] = []
    literals: dict[str, str] = {}
    for index, variable in enumerate(written):
        where = f"{path}.env[{index}]"
        source = variable.value_from
        if source is None:
            literals[variable.name] = expand(variable.value, literals)
            lowered.append(EnvVar(name=variable.name, value=literals[variable.name]))
        elif source.secret_key_ref is not None:
            key = source.secret_key_ref
            reference = KeyRef(kind="Secret", name=key.name, key=key.key, optional=key.optional)
            lowered.append(EnvVar(name=variable.name, source=reference))
        elif source.config_map_key_ref is not None:
            key = source.config_map_key_ref
            reference = KeyRef(kind="ConfigMap", name=key.name, key=key.key, optional=key.optional)
            lowered.append(EnvVar(name=variable.name, source=reference))
        elif (value := _downward(context, variable, where)) is not None:
            literals[variable.name] = value
            lowered.append(EnvVar(name=variable.name, value=value))
    return lowered


def lower_env_from(sources: Iterable[EnvFromSource], path: str, findings: Findings) -> tuple[EnvFrom, ...]:
    """Whole Secrets and ConfigMaps as variables."""
    lowered = []
    for index, source in enumerate(sources):
        if source.secret_ref is not None:
            kind, reference = "Secret", source.secret_ref
        elif source.config_map_ref is not None:
            kind, reference = "ConfigMap", source.config_map_ref
        else:
            findings.refuse(f"{path}.envFrom[{index}]", "needs a secretRef or a configMapRef")
            continue
        lowered.append(EnvFrom(kind=kind, name=reference.name, prefix=source.prefix, optional=reference.optional))
    return tuple(lowered)


def expand(text: str, literals: Mapping[str, str]) -> str:
    """`$(NAME)` by the variable's value and `$$` by a dollar; a name that is not known stays as written."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] is None else literals.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


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
            implementation = _MLSERVER_CLASSES.get(node.implementation)
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


def _downward(context: NodeContext, variable: Written, path: str) -> str | None:
    """A field of the pod that has a meaning without one; `None`, with a warning, for the others."""
    source = variable.value_from
    if source is not None and source.field_ref is not None:
        value = _field(context, source.field_ref.field_path)
        asked = f"the field {source.field_ref.field_path}"
    elif source is not None and source.resource_field_ref is not None:
        reference = source.resource_field_ref
        value = _resource(context.container, reference.resource, reference.divisor)
        asked = f"the resource {reference.resource}"
    else:
        context.findings.refuse(path, "valueFrom needs a secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef")
        return None
    if value is None:
        context.findings.warn(f"{path}: {variable.name} is not set: {asked} has no value here")
    return value


def _field(context: NodeContext, path: str) -> str | None:
    sdep, predictor, pod = context.outer.sdep, context.outer.predictor, context.pod
    if match := _KEYED_FIELD.fullmatch(path):
        labels = pod.metadata.labels | predictor.labels
        annotations = sdep.spec.annotations | predictor.annotations | pod.metadata.annotations
        return (labels if match[1] == "labels" else annotations).get(match[2], "")
    known = {
        # A replica's own name is given by whoever starts it; what all of them share is the Deployment's.
        "metadata.name": deployment_name(sdep, predictor, _pod_index(context)),
        "metadata.namespace": sdep.metadata.namespace,
        "metadata.uid": sdep.metadata.uid,
        "spec.serviceAccountName": pod.spec.service_account_name or "default",
        "spec.nodeName": "localhost",
        "status.hostIP": _POD_ADDRESS,
        "status.podIP": _POD_ADDRESS,
        "status.podIPs": _POD_ADDRESS,
    }
    return known.get(path)


def _pod_index(context: NodeContext) -> int:
    return next(index for index, pod in enumerate(context.outer.predictor.component_specs) if pod is context.pod)


def _resource(container: Container, name: str, divisor: str | int | float) -> str | None:
    """A limit or request in units of the divisor, rounded up; 0 counts as 1 in a divisor, as Kubernetes has it."""
    kind, _, resource = name.partition(".")
    given = container.resources.limits if kind == "limits" else container.resources.requests
    if resource not in given:
        return None
    try:
        ratio = quantity.parse(given[resource]) / (quantity.parse(divisor) or 1)
    except ValueError:
        return None
    return str(math.ceil(ratio))
