"""From a node and its container to a unit: what code runs, with which arguments, environment and files.

A unit whose image the catalog knows runs in our own process; any other image is a container.
"""

from dataclasses import replace

from fairlead.dialects.catalog import Entry
from fairlead.dialects.resources import lower_resources
from fairlead.dialects.seldon import servers
from fairlead.dialects.seldon.context import NodeContext, PredictorContext
from fairlead.dialects.seldon.graph import BUILTINS, is_builtin, is_prepackaged
from fairlead.dialects.seldon.ignored import warn_of_pods, warn_of_unit
from fairlead.dialects.seldon.lower_artifacts import FORMATS, MODEL_URI, WITHOUT_MODEL, find_artifact, unknown_inits
from fairlead.dialects.seldon.lower_containers import lower_container
from fairlead.dialects.seldon.lower_env import MODELS, lower_env
from fairlead.dialects.seldon.parameters import lower_parameters
from fairlead.dialects.variables import lower_env_from
from fairlead.plan.model import Artifact, Parameter, Unit, UnitName, UserCode

_CONTAINER = Entry(runtime="container")


def lower_units(outer: PredictorContext) -> tuple[Unit, ...]:
    """The units of a predictor, parents first."""
    warn_of_pods(outer)
    return tuple(lower_unit(context) for context in outer.nodes())


def lower_unit(context: NodeContext) -> Unit:
    """The unit of one node."""
    parameters = lower_parameters(context.node.parameters, context.path, context.findings)
    if is_builtin(context.node):
        return _builtin(context, parameters)
    entry = _entry(context)
    artifact = find_artifact(context, entry.runtime)
    container, path = context.container, context.container_path
    unit = Unit(
        name=UnitName(context.node.name),
        runtime=entry.runtime,
        variant=entry.variant,
        image=container.image,
        parameters=_arguments(context, entry, parameters, artifact),
        artifact=artifact,
        env=lower_env(context, entry.env),
        env_from=lower_env_from(container.env_from, path, context.findings),
        code=UserCode(target=entry.target, path=entry.path) if entry.target or entry.path else None,
        command=entry.command,
        http_port=context.ports.http,
        grpc_port=context.ports.grpc,
        metrics_port=context.ports.metrics,
        resources=lower_resources(container.resources, f"{path}.resources", context.findings),
        where=context.path,
    )
    if entry.runtime == "container":
        return replace(unit, container=lower_container(context, unit))
    warn_of_unit(context)
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
        reason = f"init container {names} has to run first and its image is not known"
        context.findings.warn(f"{context.path}: {node.name} runs as a container: {reason}")
        return _CONTAINER
    if is_prepackaged(node):
        default = servers.default_image(node.implementation, context.outer.sdep.spec.protocol, catalog)
        if container.image in ("", default):
            protocol = context.outer.sdep.spec.protocol
            return servers.entry(node.implementation, protocol, catalog) or _no_server(context)
    elif not container.image:
        context.findings.refuse(f"{context.container_path}.image", f"container {node.name} has no image")
    return catalog.find(container.image) or _CONTAINER


def _no_server(context: NodeContext) -> Entry:
    known = ", ".join(servers.available(context.outer.catalog))
    server = servers.SERVERS.get(context.node.implementation)
    because = f" ({server.why})" if server is not None and server.why else ""
    message = f"no runtime serves {context.node.implementation}{because}; available: {known}"
    context.findings.lack(f"{context.path}.implementation", message)
    return _CONTAINER


def _arguments(
    context: NodeContext, entry: Entry, parameters: tuple[Parameter, ...], artifact: Artifact | None
) -> tuple[Parameter, ...]:
    """Model formats get their model as a folder; a class behind a server's name gets `model_uri`, as upstream."""
    if entry.runtime in FORMATS:
        if artifact is None and entry.runtime not in WITHOUT_MODEL:
            message = "the node names no model: set modelUri, or an init container that fetches one"
            context.findings.refuse(context.path, message)
        return tuple(item for item in parameters if item.name not in _unused(context, entry))
    if is_prepackaged(context.node) and entry.runtime == "python":
        own = tuple(item for item in parameters if item.name != MODEL_URI)
        return (*own, Parameter(name=MODEL_URI, value=MODELS))
    return parameters


def _unused(context: NodeContext, entry: Entry) -> set[str]:
    """Parameters that mean nothing to the unit. MLServer knows no `method`: its clients ask for outputs by name."""
    unused = {MODEL_URI}
    if entry.runtime == "sklearn" and entry.variant == servers.MLSERVER:
        unused.add("method")
        if any(item.name == "method" for item in context.node.parameters):
            message = "method is ignored under the v2 protocol; ask for the outputs predict or predict_proba"
            context.findings.warn(f"{context.path}.parameters: {message}")
    return unused
