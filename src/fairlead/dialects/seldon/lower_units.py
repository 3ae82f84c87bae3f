"""From a node and its container to a unit: what code runs, with which arguments, environment and files.

A unit whose image the catalog knows runs in our own process; any other image is a container. Pod settings that mean
nothing without a pod become warnings, never failures.
"""

from collections.abc import Sequence
from dataclasses import replace

from fairlead.dialects.catalog import Entry
from fairlead.dialects.seldon import servers
from fairlead.dialects.seldon.context import NodeContext, PredictorContext
from fairlead.dialects.seldon.findings import Findings
from fairlead.dialects.seldon.graph import BUILTINS, is_builtin, is_prepackaged
from fairlead.dialects.seldon.lower_artifacts import (
    MODEL_URI,
    find_artifact,
    find_volume,
    shared_volumes,
    unknown_inits,
)
from fairlead.dialects.seldon.lower_env import MODELS, expand, lower_env, lower_env_from, lower_variables
from fairlead.dialects.seldon.parameters import lower_parameters
from fairlead.dialects.seldon.podspec import Container as Written
from fairlead.dialects.seldon.podspec import VolumeMount
from fairlead.plan import quantity
from fairlead.plan.model import (
    Artifact,
    Container,
    EnvVar,
    InitContainer,
    Mount,
    Parameter,
    Resources,
    Unit,
    UnitName,
    UserCode,
)

_FORMATS = frozenset({"sklearn", "xgboost", "mlflow"})
"""Runtimes that load a model from a folder and take no `model_uri`."""
_CONTAINER = Entry(runtime="container")
_POD_INFO = "/etc/podinfo"


def lower_units(outer: PredictorContext) -> tuple[Unit, ...]:
    """The units of a predictor, parents first."""
    _warn_of_sidecars(outer)
    _warn_of_security(outer)
    return tuple(_unit(context) for context in outer.nodes())


def _unit(context: NodeContext) -> Unit:
    parameters = lower_parameters(context.node.parameters, context.path, context.findings)
    if is_builtin(context.node):
        return _builtin(context, parameters)
    entry = _entry(context)
    artifact = find_artifact(context)
    if entry.runtime in _FORMATS:
        parameters = tuple(item for item in parameters if item.name != MODEL_URI)
        if artifact is None:
            context.findings.refuse(context.path, f"nothing says where the model is that belongs into {MODELS}")
    elif is_prepackaged(context.node):
        parameters = (*parameters, Parameter(name=MODEL_URI, value=MODELS))
    container = context.container
    unit = Unit(
        name=UnitName(context.node.name),
        runtime=entry.runtime,
        variant=entry.variant,
        image=container.image,
        parameters=parameters,
        artifact=artifact,
        env=lower_env(context, entry.env),
        env_from=lower_env_from(container.env_from, context.container_path, context.findings),
        code=UserCode(target=entry.target, path=entry.path) if entry.target else None,
        command=entry.command,
        http_port=context.ports.http,
        grpc_port=context.ports.grpc,
        metrics_port=context.ports.metrics,
        resources=lower_resources(container, context.container_path, context.findings),
        where=context.path,
    )
    if entry.runtime == "container":
        return replace(unit, container=_container(context, unit))
    _warn_of_ignored(context)
    return unit


def _builtin(context: NodeContext, parameters: tuple[Parameter, ...]) -> Unit:
    node = context.node
    if node.implementation == "RANDOM_ABTEST" and len(node.children) != 2:
        message = f"RANDOM_ABTEST chooses between exactly 2 children, this node has {len(node.children)}"
        context.findings.refuse(f"{context.path}.children", message)
    return Unit(
        name=UnitName(node.name),
        runtime="builtin",
        variant=BUILTINS[node.implementation],
        parameters=parameters,
        where=context.path,
    )


def _entry(context: NodeContext) -> Entry:
    """What runs for the node. A user's image on a prepackaged node wins over the server's."""
    node, container, catalog = context.node, context.container, context.outer.catalog
    inits = unknown_inits(context)
    if inits:
        names = ", ".join(init.name or init.image for _, init in inits)
        sentence = f"node {node.name} runs as a container, because its init container {names} is not a known image"
        context.findings.warn(f"{sentence}, and has to run first")
        return _CONTAINER
    if is_prepackaged(node):
        default = servers.default_image(node.implementation, context.outer.sdep.spec.protocol, catalog)
        if container.image in ("", default):
            return servers.entry(node.implementation, catalog) or _no_server(context)
    elif not container.image:
        context.findings.refuse(f"{context.container_path}.image", f"container {node.name} has no image")
    return catalog.find(container.image) or _CONTAINER


def _no_server(context: NodeContext) -> Entry:
    known = ", ".join(servers.available(context.outer.catalog))
    message = f"no runtime serves {context.node.implementation} yet; available: {known}"
    context.findings.lack(f"{context.path}.implementation", message)
    return _CONTAINER


def _container(context: NodeContext, unit: Unit) -> Container:
    written = context.container
    literals = _literals(unit.env)
    return Container(
        image=written.image,
        command=tuple(expand(word, literals) for word in written.command),
        args=tuple(expand(word, literals) for word in written.args),
        mounts=_mounts(context, written, unit.artifact),
        working_dir=written.working_dir,
        init=tuple(_init(context, index, init, unit.artifact) for index, init in unknown_inits(context)),
    )


def _init(context: NodeContext, index: int, written: Written, artifact: Artifact | None) -> InitContainer:
    path = f"{context.pod_path}.initContainers[{index}]"
    env = tuple(lower_variables(context, written.env, path))
    literals = _literals(env)
    args = written.args
    if not args and not written.command and artifact is not None:
        # An init container of the reserved name stands for ours, and ours gets these arguments.
        args = [artifact.uri, MODELS]
    return InitContainer(
        name=written.name,
        image=written.image,
        command=tuple(expand(word, literals) for word in written.command),
        args=tuple(expand(word, literals) for word in args),
        env=env,
        env_from=lower_env_from(written.env_from, path, context.findings),
        mounts=_mounts(context, written, artifact, is_init=True),
    )


def _literals(env: Sequence[EnvVar]) -> dict[str, str]:
    return {variable.name: variable.value for variable in env if variable.source is None}


def _mounts(
    context: NodeContext, written: Written, artifact: Artifact | None, *, is_init: bool = False
) -> tuple[Mount, ...]:
    mounts = [
        mount
        for index, item in enumerate(written.volume_mounts)
        if (mount := _mount(context, item, f"{context.container_path}.volumeMounts[{index}]")) is not None
    ]
    has_model = artifact is not None or bool(unknown_inits(context))
    place = artifact.mount if artifact is not None else MODELS
    if has_model and not any(mount.source == "artifact" or mount.path == place for mount in mounts):
        mounts.append(Mount(path=place, source="artifact", read_only=not is_init))
    return tuple(mounts)


def _mount(context: NodeContext, written: VolumeMount, path: str) -> Mount | None:
    volume = find_volume(context, written.name)
    if written.mount_path == _POD_INFO:
        return None
    source = ""
    if volume is None:
        context.findings.refuse(path, f"there is no volume named {written.name}")
        return None
    if volume.empty_dir is not None:
        source = "artifact" if volume.name in shared_volumes(context) else "scratch"
    elif volume.secret is not None:
        source = f"secret:{volume.secret.secret_name}"
    elif volume.config_map is not None:
        source = f"config:{volume.config_map.name}"
    elif volume.persistent_volume_claim is not None:
        source = f"claim:{volume.persistent_volume_claim.claim_name}"
    else:
        kinds = "emptyDir, secret, configMap and persistentVolumeClaim"
        context.findings.warn(f"{path}: volume {written.name} is left out; volumes here are {kinds}")
        return None
    return Mount(path=written.mount_path, source=source, read_only=written.read_only, sub_path=written.sub_path)


def lower_resources(container: Written, path: str, findings: Findings) -> Resources:
    """Requests and limits as plain numbers."""
    given = container.resources

    def cpu(values: dict[str, str | int | float], kind: str) -> float | None:
        return quantity.cores(values["cpu"]) if is_good(values, kind, "cpu") else None

    def memory(values: dict[str, str | int | float], kind: str) -> int | None:
        return quantity.size_bytes(values["memory"]) if is_good(values, kind, "memory") else None

    def is_good(values: dict[str, str | int | float], kind: str, name: str) -> bool:
        if name not in values:
            return False
        try:
            quantity.cores(values[name])
        except ValueError as error:
            findings.refuse(f"{path}.resources.{kind}.{name}", str(error))
            return False
        return True

    for name in sorted((given.limits | given.requests).keys() - {"cpu", "memory", "ephemeral-storage"}):
        findings.warn(f"{path}.resources: {name} is ignored; cpu and memory are used")
    return Resources(
        cpu_request=cpu(given.requests, "requests"),
        cpu_limit=cpu(given.limits, "limits"),
        memory_request_bytes=memory(given.requests, "requests"),
        memory_limit_bytes=memory(given.limits, "limits"),
    )


def _warn_of_ignored(context: NodeContext) -> None:
    """What a container would have had and a unit in our process has not."""
    container, name = context.container, context.node.name
    if container.command or container.args:
        path = f"{context.container_path}.{'command' if container.command else 'args'}"
        context.findings.warn(f"{path} is ignored: {name} runs in process, in place of its image's own command")
    shared = shared_volumes(context)
    for index, mount in enumerate(container.volume_mounts):
        volume = find_volume(context, mount.name)
        if volume is None or volume.name in shared or mount.mount_path in (_POD_INFO, MODELS):
            continue
        if volume.secret or volume.config_map or volume.persistent_volume_claim:
            path = f"{context.container_path}.volumeMounts[{index}]"
            context.findings.warn(f"{path}: {name} runs in process and finds nothing at {mount.mount_path}")


def _warn_of_sidecars(outer: PredictorContext) -> None:
    in_graph = {context.node.name for context in outer.nodes()}
    for pod_index, pod in enumerate(outer.predictor.component_specs):
        for index, container in enumerate(pod.spec.containers):
            if container.name not in in_graph:
                path = f"{outer.path}.componentSpecs[{pod_index}].spec.containers[{index}]"
                sentence = f"container {container.name} is not run: no node of the graph has its name"
                outer.findings.warn(f"{path}: {sentence}")


def _warn_of_security(outer: PredictorContext) -> None:
    for pod_index, pod in enumerate(outer.predictor.component_specs):
        contexts = [pod.spec.security_context, *(item.security_context for item in pod.spec.containers)]
        contexts += [item.security_context for item in pod.spec.init_containers]
        if any(contexts):
            path = f"{outer.path}.componentSpecs[{pod_index}].spec"
            outer.findings.warn(f"{path}: securityContext is ignored: units run as the user who started Fairlead")
