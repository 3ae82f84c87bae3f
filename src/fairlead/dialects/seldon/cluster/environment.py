"""The variables of containers: what the platform suggests, what it insists on, and no name twice.

A suggestion gives way to a variable of the user's, which keeps its value and its neighbours. Upstream 1.18.2 loses a
container's earlier variables there
(`test_a_variable_of_the_users_keeps_its_value_and_its_neighbours`). Server-side apply refuses a name that is there
twice, where a kubelet would take the last one, so only the last one is written.
"""

import json
from collections.abc import Mapping
from typing import Any

from fairlead.dialects.seldon.cluster.programs import Program, Style
from fairlead.dialects.seldon.cluster.raw import Json, add_missing, env
from fairlead.dialects.seldon.cluster.site import Site
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.lower_env import MLSERVER_CLASSES, MODEL_VERSION, MODELS, parameters_text
from fairlead.dialects.seldon.schema import Parameter

METRICS_PATH = "/prometheus"
PARAMETERS = "PREDICTIVE_UNIT_PARAMETERS"
REST_ENDPOINT, GRPC_ENDPOINT = "http://0.0.0.0:2001", "0.0.0.0:2000"
_TEMPO_CLASS = "tempo.mlserver.InferenceRuntime"
_GRAPH_PARAMETERS_WIN = (Style.SELDON, Style.TENSORFLOW_PROXY)


def set_variables(container: Json, variables: Mapping[str, str]) -> None:
    """Variables that win over the user's of the same name."""
    kept = [item for item in container.get("env", []) if item.get("name") not in variables]
    container["env"] = [*kept, *env(variables)]


def keep_last_variables(container: Json) -> None:
    """Of variables with one name, the last one, which is what a process would see."""
    by_name = {item["name"]: item for item in container.get("env", [])}
    if by_name and len(by_name) != len(container["env"]):
        last = {id(item) for item in by_name.values()}
        container["env"] = [item for item in container["env"] if id(item) in last]


def add_node_variables(site: Site, context: NodeContext, program: Program, container: Json) -> None:
    """What wrapped models read of their place in the graph."""
    keep_last_variables(container)
    fixed = _fixed(site, context, container)
    if program.style in _GRAPH_PARAMETERS_WIN:
        fixed = {PARAMETERS: _server_parameters(context, program), **fixed}
    if program.style is Style.MLSERVER:
        add_missing(container, "env", env(_mlserver(site, context)))
    add_missing(container, "env", env(_suggested(context)))
    set_variables(container, fixed)


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as a variable holds them."""
    return json.dumps(labels, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _suggested(context: NodeContext) -> dict[str, str]:
    node, ports = context.node, context.ports
    is_grpc = node.endpoint is not None and node.endpoint.service_port == node.endpoint.grpc_port
    variables = {
        "PREDICTIVE_UNIT_SERVICE_PORT": str(ports.grpc if is_grpc else ports.http),
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(ports.http),
        "MLSERVER_HTTP_PORT": str(ports.http),
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": str(ports.grpc),
        "MLSERVER_GRPC_PORT": str(ports.grpc),
    }
    if node.parameters:
        variables[PARAMETERS] = parameters_text(node.parameters)
    if node.model_uri:
        variables["MLSERVER_MODEL_URI"] = MODELS
    return variables | {
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(ports.metrics),
        "MLSERVER_METRICS_PORT": str(ports.metrics),
        "PREDICTIVE_UNIT_METRICS_ENDPOINT": METRICS_PATH,
        "MLSERVER_METRICS_ENDPOINT": METRICS_PATH,
    }


def _fixed(site: Site, context: NodeContext, container: Mapping[str, Any]) -> dict[str, str]:
    name = context.node.name
    return {
        "PREDICTIVE_UNIT_ID": name,
        "MLSERVER_MODEL_NAME": name,
        "PREDICTIVE_UNIT_IMAGE": container["image"],
        "PREDICTOR_ID": site.predictor.name,
        "PREDICTOR_LABELS": labels_text(site.predictor.labels),
        "SELDON_DEPLOYMENT_ID": site.sdep.metadata.name,
        "SELDON_EXECUTOR_ENABLED": "true",
    }


def _server_parameters(context: NodeContext, program: Program) -> str:
    """The graph's parameters and where the model is, or where TensorFlow Serving is that has it."""
    given = list(context.node.parameters)
    if program.style is Style.TENSORFLOW_PROXY:
        names = {item.name for item in given}
        if not names & {"rest_endpoint", "grpc_endpoint"}:
            given.append(Parameter(name="rest_endpoint", value=REST_ENDPOINT))
            given.append(Parameter(name="grpc_endpoint", value=GRPC_ENDPOINT))
        given = [item for item in given if item.name != "model_name"]
        return parameters_text([*given, Parameter(name="model_name", value=context.node.name)])
    given = [item for item in given if item.name != "model_uri"]
    return parameters_text([*given, Parameter(name="model_uri", value=MODELS)])


def _mlserver(site: Site, context: NodeContext) -> dict[str, str]:
    node, ports = context.node, context.ports
    options = {"defaultRuntime": "tempo.seldon.SeldonKubernetesRuntime", "namespace": site.namespace}
    variables = {
        "MLSERVER_HTTP_PORT": str(ports.http),
        "MLSERVER_GRPC_PORT": str(ports.grpc),
        "MLSERVER_MODEL_IMPLEMENTATION": _implementation(node.implementation),
        "MLSERVER_MODEL_VERSION": MODEL_VERSION,
        "MLSERVER_MODEL_URI": MODELS,
        "TEMPO_RUNTIME_OPTIONS": json.dumps({"k8s_options": options}),
    }
    if node.implementation == "HUGGINGFACE_SERVER":
        variables |= {"MLSERVER_PARALLEL_WORKERS": "0", "XDG_CACHE_HOME": "/opt/mlserver"}
    return variables


def _implementation(name: str) -> str:
    return _TEMPO_CLASS if name == "TEMPO_SERVER" else MLSERVER_CLASSES.get(name, "")
