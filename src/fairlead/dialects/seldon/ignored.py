"""What a pod would have had and a process has not, said once to whoever wrote it.

Only what its author would miss: a probe or a label that means nothing here passes without a word.
"""

from fairlead.dialects.seldon.context import NodeContext, PredictorContext
from fairlead.dialects.seldon.lower_artifacts import find_volume
from fairlead.dialects.seldon.lower_containers import POD_INFO
from fairlead.dialects.seldon.lower_env import MODELS
from fairlead.dialects.seldon.names import init_container
from fairlead.dialects.seldon.schema import SeldonPodSpec


def warn_of_pods(outer: PredictorContext) -> None:
    """Settings of a predictor's pods."""
    nodes = list(outer.nodes())
    for index, pod in enumerate(outer.predictor.component_specs):
        path = f"{outer.path}.componentSpecs[{index}].spec"
        _warn_of_sidecars(outer, pod, path, {context.node.name for context in nodes})
        _warn_of_inits(outer, pod, path, {context.node.name for context in nodes})
        secured = [pod.spec.security_context, *(item.security_context for item in pod.spec.containers)]
        secured += [item.security_context for item in pod.spec.init_containers]
        if any(secured):
            outer.findings.warn(f"{path}: securityContext is ignored: units run as the user who started Fairlead")


def warn_of_unit(context: NodeContext) -> None:
    """Settings of a container whose unit runs in our own process."""
    container, name = context.container, context.node.name
    if container.command or container.args:
        path = f"{context.container_path}.{'command' if container.command else 'args'}"
        context.findings.warn(f"{path} is ignored: {name} runs in process, in place of its image's own command")
    for index, mount in enumerate(container.volume_mounts):
        volume = find_volume(context, mount.name)
        if volume is None or volume.empty_dir is not None or mount.mount_path in (POD_INFO, MODELS):
            continue
        if volume.secret or volume.config_map or volume.persistent_volume_claim:
            path = f"{context.container_path}.volumeMounts[{index}]"
            context.findings.warn(f"{path}: {name} runs in process and finds nothing at {mount.mount_path}")


def _warn_of_sidecars(outer: PredictorContext, pod: SeldonPodSpec, path: str, nodes: set[str]) -> None:
    for index, container in enumerate(pod.spec.containers):
        if container.name not in nodes:
            where = f"{path}.containers[{index}]"
            outer.findings.warn(f"{where}: {container.name} is not run: no node of the graph has its name")


def _warn_of_inits(outer: PredictorContext, pod: SeldonPodSpec, path: str, nodes: set[str]) -> None:
    """An init container that prepares no graph container's volume has nothing to work on."""
    reserved = {init_container(name) for name in nodes}
    mounted = {mount.name for item in pod.spec.containers if item.name in nodes for mount in item.volume_mounts}
    for index, init in enumerate(pod.spec.init_containers):
        if init.name not in reserved and not mounted & {mount.name for mount in init.volume_mounts}:
            where = f"{path}.initContainers[{index}]"
            outer.findings.warn(f"{where}: {init.name} is not run: it shares no volume with a container of the graph")
