"""A graph node's container, completed: what the operator adds to what a user wrote, and never over it but where
upstream does so too."""

from typing import Any

from fairlead.dialects.seldon.cluster.environment import add_node_variables
from fairlead.dialects.seldon.cluster.programs import TFSERVING, Program, Style, tensorflow_image
from fairlead.dialects.seldon.cluster.raw import Json, add_missing, copied, fill, named
from fairlead.dialects.seldon.cluster.site import Site
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.lower_env import MODELS

POD_INFO, POD_INFO_VOLUME = "/etc/podinfo", "seldon-podinfo"
NO_STORAGE_INITIALIZER = "seldon.io/no-storage-initializer"
PRE_STOP: Json = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 10"]}}}
"""Time for endpoints to forget the pod before its server stops to listen."""
_HANDLERS = frozenset({"exec", "grpc", "httpGet", "tcpSocket"})
_OLD_POD_INFO_VOLUME = "podinfo"
_TRITON = "/opt/tritonserver/bin/tritonserver"
_TRITON_FLAGS = ("model_control_mode", "load_model", "strict_model_config")


def complete(site: Site, context: NodeContext, container: Json) -> Program:
    """Complete a node's container in its own shape, beside or without an orchestrator."""
    program = site.programs[context.node.name]
    complete_basics(site, program, container)
    _add_arguments(site, context, program, container)
    _add_ports(site, context, container)
    add_node_variables(site, context, program, container)
    _add_probes(site, program, container)
    fill(container.setdefault("lifecycle", {}), PRE_STOP)
    return program


def complete_basics(site: Site, program: Program, container: Json) -> None:
    """What every container has: image, how it ends, and the pod's annotations as a file."""
    container.setdefault("image", program.image)
    complete_image(container, site.installation.settings.image_pull_policy if program.is_own else "IfNotPresent")
    mounts = [item for item in container.get("volumeMounts", []) if item.get("name") != _OLD_POD_INFO_VOLUME]
    container["volumeMounts"] = mounts
    add_missing(container, "volumeMounts", [{"name": POD_INFO_VOLUME, "mountPath": POD_INFO}], key="mountPath")


def complete_image(container: Json, policy: str = "IfNotPresent") -> None:
    """When its image is pulled, and where it leaves its last words. Upstream reads them from a file that hardly any
    server writes; what it printed last says why it ended, too."""
    fill(
        container,
        {
            "imagePullPolicy": policy,
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "FallbackToLogsOnError",
        },
    )


def port(name: str, number: int) -> Json:
    """A TCP port of a container."""
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def has_no_storage_initializer(site: Site) -> bool:
    """Whether servers that can are to fetch their models themselves."""
    return site.sdep.spec.annotations.get(NO_STORAGE_INITIALIZER, "").lower() == "true"


def fetches_itself(site: Site, context: NodeContext) -> bool:
    """Whether a node needs no init container: Triton alone reads models where they are."""
    program = site.programs.get(context.node.name)
    return program is not None and program.style is Style.TRITON and has_no_storage_initializer(site)


def add_tensorflow_serving(site: Site, context: NodeContext, spec: Json) -> Json:
    """The container of TensorFlow Serving that a node's proxy asks."""
    container = named(spec["containers"], TFSERVING)
    if not isinstance(container, dict):
        container = {"name": TFSERVING}
        spec["containers"].append(container)
    fill(
        container,
        {
            "image": tensorflow_image(site.installation),
            "imagePullPolicy": "IfNotPresent",
            "args": [
                "--port=2000",
                "--rest_api_port=2001",
                f"--model_name={context.node.name}",
                f"--model_base_path={MODELS}",
            ],
            "ports": [{"containerPort": 2000, "protocol": "TCP"}, {"containerPort": 2001, "protocol": "TCP"}],
        },
    )
    return container


def _add_arguments(site: Site, context: NodeContext, program: Program, container: Json) -> None:
    if program.is_own:
        container["args"] = ["serve", MODELS, f"--format={program.runtime}", "--host=0.0.0.0"]
    elif program.style is Style.TENSORFLOW:
        ports = context.ports
        flags = [f"--port={ports.grpc}", f"--rest_api_port={ports.http}"]
        fill(container, {"args": [*flags, f"--model_name={context.node.name}", f"--model_base_path={MODELS}"]})
    elif program.style is Style.TRITON:
        fill(container, {"args": _triton_arguments(site, context)})


def _triton_arguments(site: Site, context: NodeContext) -> list[str]:
    node, ports = context.node, context.ports
    front = [_TRITON, f"--grpc-port={ports.grpc}", f"--http-port={ports.http}"]
    if not has_no_storage_initializer(site):
        return [*front, f"--model-repository={MODELS}", "--strict-model-config=false"]
    flags = [
        f"--{name.replace('_', '-')}={item.value}"
        for name in _TRITON_FLAGS
        for item in node.parameters
        if item.name == name
    ]
    return [*front, f"--model-repository={node.model_uri}", *flags]


def _add_ports(site: Site, context: NodeContext, container: Json) -> None:
    numbers, metrics = context.ports, site.installation.numbering.metrics_name
    wanted = [port("http", numbers.http), port("grpc", numbers.grpc), port(metrics, numbers.metrics)]
    add_missing(container, "ports", wanted)


def _add_probes(site: Site, program: Program, container: Json) -> None:
    if program.style is Style.MLSERVER:
        _ask_mlserver(container, "readinessProbe", "/v2/health/ready")
        _ask_mlserver(container, "livenessProbe", "/v2/health/live")
    elif program.style is Style.TRITON:
        ready, live = ({"httpGet": {"path": f"/v2/health/{name}", "port": "http"}} for name in ("ready", "live"))
        fill(container, {"readinessProbe": _probe(20, period_s=10) | ready})
        fill(container, {"livenessProbe": _probe(60, period_s=10) | live})
    else:
        listens = {"tcpSocket": {"port": "grpc" if site.is_grpc else "http"}}
        fill(container, {"livenessProbe": _probe(60) | listens, "readinessProbe": _probe(20) | listens})


def _ask_mlserver(container: Json, name: str, path: str) -> None:
    """A user's probe keeps its times; what it asks is the server's own question."""
    times = {key: value for key, value in container.get(name, {}).items() if key not in _HANDLERS}
    container[name] = _probe(20, timeout_s=60) | times | {"httpGet": {"path": path, "port": "http"}}


def _probe(delay_s: int, *, period_s: int = 5, timeout_s: int = 1) -> dict[str, Any]:
    return {
        "initialDelaySeconds": delay_s,
        "periodSeconds": period_s,
        "successThreshold": 1,
        "failureThreshold": 3,
        "timeoutSeconds": timeout_s,
    }


def with_distinct_ports(container: Json) -> None:
    """No port number twice under one protocol, which server-side apply refuses. The second name of a number (upstream's
    orchestrator has `http` and `metrics` on 8000) is kept for those who find ports by name, Prometheus first of all; it
    is declared as UDP, which changes nothing: a container's ports are words."""
    seen: set[tuple[int, str]] = set()
    listed = []
    for item in copied(container.get("ports", [])):
        for protocol in dict.fromkeys((item.get("protocol", "TCP"), "UDP")):
            if (item["containerPort"], protocol) not in seen:
                seen.add((item["containerPort"], protocol))
                listed.append(item | {"protocol": protocol})
                break
    if listed:
        container["ports"] = listed
