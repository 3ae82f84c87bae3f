"""A unit whose image we do not know, as Docker or Podman will run it: command, files, and what runs before it."""

from fairlead.dialects.podspec import Container as Written
from fairlead.dialects.podspec import VolumeMount
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.lower_artifacts import find_volume, model_volume, unknown_inits
from fairlead.dialects.seldon.lower_env import MODELS, lower_variables
from fairlead.dialects.variables import expand, literals_of, lower_env_from
from fairlead.dialects.volumes import VOLUME_KINDS, volume_source
from fairlead.plan.model import Artifact, Container, InitContainer, Mount, Unit

POD_INFO = "/etc/podinfo"
"""Where a cluster puts a pod's annotations; nothing reads them here."""


def lower_container(context: NodeContext, unit: Unit) -> Container:
    """The container of a unit that is otherwise lowered."""
    written, inits = context.container, unknown_inits(context)
    literals = literals_of(unit.env)
    mounts = _mounts(context, written, context.container_path, unit.artifact)
    if unit.artifact is not None or inits:
        mounts += _model_mount(mounts, unit.artifact, is_read_only=True)
    return Container(
        image=written.image,
        command=tuple(expand(word, literals) for word in written.command),
        args=tuple(expand(word, literals) for word in written.args),
        mounts=mounts,
        working_dir=written.working_dir,
        init=tuple(_init(context, init, unit.artifact, f"{context.pod_path}.initContainers[{n}]") for n, init in inits),
    )


def _init(context: NodeContext, written: Written, artifact: Artifact | None, path: str) -> InitContainer:
    env = tuple(lower_variables(context, written.env, path))
    literals = literals_of(env)
    args = written.args
    if not args and not written.command and context.node.model_uri:
        # An init container of the reserved name stands for the platform's own, which gets these arguments.
        args = [context.node.model_uri, MODELS]
    mounts = _mounts(context, written, path, None)
    return InitContainer(
        name=written.name,
        image=written.image,
        command=tuple(expand(word, literals) for word in written.command),
        args=tuple(expand(word, literals) for word in args),
        env=env,
        env_from=lower_env_from(written.env_from, path, context.findings),
        mounts=mounts + _model_mount(mounts, artifact, is_read_only=False),
    )


def _mounts(context: NodeContext, written: Written, path: str, artifact: Artifact | None) -> tuple[Mount, ...]:
    found = (
        _mount(context, mount, f"{path}.volumeMounts[{index}]", artifact)
        for index, mount in enumerate(written.volume_mounts)
        if mount.mount_path != POD_INFO
    )
    return tuple(mount for mount in found if mount is not None)


def _model_mount(mounts: tuple[Mount, ...], artifact: Artifact | None, *, is_read_only: bool) -> tuple[Mount, ...]:
    """The folder of the model, unless a volume of the manifest's already is it or takes its place."""
    place = artifact.mount if artifact is not None else MODELS
    if any(mount.source == "artifact" or mount.path == place for mount in mounts):
        return ()
    return (Mount(path=place, source="artifact", read_only=is_read_only),)


def _mount(context: NodeContext, written: VolumeMount, path: str, artifact: Artifact | None) -> Mount | None:
    volume = find_volume(context, written.name)
    if volume is None:
        context.findings.refuse(path, f"there is no volume named {written.name}")
        return None
    if volume.name == model_volume(context):
        # A fetched model lies at its own place in the volume, which may be below where the volume is mounted.
        place = artifact.mount if artifact is not None else written.mount_path
        return Mount(path=place, source="artifact", read_only=written.read_only, sub_path=written.sub_path)
    source = volume_source(volume)
    if source is None:
        context.findings.warn(f"{path}: volume {volume.name} is left out; volumes here are {VOLUME_KINDS}")
        return None
    return Mount(path=written.mount_path, source=source, read_only=written.read_only, sub_path=written.sub_path)
