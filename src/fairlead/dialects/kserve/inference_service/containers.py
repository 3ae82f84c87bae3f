"""A container that no runtime stands for, as Docker or Podman will run it: ports, files, and what runs before it."""

from typing import NamedTuple

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.pods import Placed, Pod
from fairlead.dialects.podspec import Container as Written
from fairlead.dialects.podspec import VolumeMount
from fairlead.dialects.variables import PodFacts, expand, literals_of, lower_env_from, lower_variables
from fairlead.dialects.volumes import VOLUME_KINDS, volume_source
from fairlead.plan.model import Container, EnvVar, InitContainer, Mount, Unit

DEFAULT_PORT = 8080
_GRPC_NAMES = ("grpc", "h2c")


class PortPair(NamedTuple):
    """Where a container listens; 0 for what it does not speak."""

    http: int
    grpc: int


def ports_of(container: Written) -> PortPair:
    """The first port is for HTTP unless its name says that it is for gRPC; without ports it is 8080."""
    grpc = [port for port in container.ports if any(word in port.name for word in _GRPC_NAMES)]
    http = [port for port in container.ports if port not in grpc]
    if not container.ports:
        return PortPair(DEFAULT_PORT, 0)
    return PortPair(http[0].container_port if http else 0, grpc[0].container_port if grpc else 0)


def variables_of(pod: Pod, placed: Placed, findings: Findings) -> tuple[EnvVar, ...]:
    """The variables of one of the pod's containers."""
    return tuple(lower_variables(placed.container.env, placed.path, facts_of(pod, placed), findings))


def words_of(placed: Placed, env: tuple[EnvVar, ...]) -> tuple[str, ...]:
    """The command line after the image's own, with the variables that are known."""
    literals = literals_of(env)
    return tuple(expand(word, literals) for word in (*placed.container.command, *placed.container.args))


def container_of(pod: Pod, placed: Placed, unit: Unit, findings: Findings) -> Container:
    """The container of a unit that is otherwise lowered."""
    written, literals = placed.container, literals_of(unit.env)
    mounts = _mounts(pod, placed, unit, findings)
    return Container(
        image=written.image,
        command=tuple(expand(word, literals) for word in written.command),
        args=tuple(expand(word, literals) for word in written.args),
        mounts=mounts,
        working_dir=written.working_dir,
        init=tuple(_init(pod, init, findings) for init in pod.inits),
    )


def _init(pod: Pod, placed: Placed, findings: Findings) -> InitContainer:
    written = placed.container
    env = variables_of(pod, placed, findings)
    literals = literals_of(env)
    mounts = [_mount(pod, mount, placed.path, findings) for mount in written.volume_mounts]
    return InitContainer(
        name=written.name,
        image=written.image,
        command=tuple(expand(word, literals) for word in written.command),
        args=tuple(expand(word, literals) for word in written.args),
        env=env,
        env_from=lower_env_from(written.env_from, placed.path, findings),
        mounts=tuple(mount for mount in mounts if mount is not None),
    )


def _mounts(pod: Pod, placed: Placed, unit: Unit, findings: Findings) -> tuple[Mount, ...]:
    found = [_mount(pod, mount, placed.path, findings) for mount in placed.container.volume_mounts]
    mounts = [mount for mount in found if mount is not None]
    artifact = unit.artifact
    if artifact is None:
        return tuple(mounts)
    is_read_only = pod.annotations.get("storage.kserve.io/readonly", "true").lower() != "false"
    model = Mount(path=artifact.mount, source="artifact", read_only=is_read_only)
    return (*(mount for mount in mounts if mount.path != artifact.mount), model)


def _mount(pod: Pod, written: VolumeMount, path: str, findings: Findings) -> Mount | None:
    volume = pod.volume(written.name)
    if volume is None:
        findings.refuse(f"{path}.volumeMounts", f"there is no volume named {written.name}")
        return None
    source = volume_source(volume)
    if source is None:
        findings.warn(f"{path}.volumeMounts: volume {volume.name} is left out; volumes here are {VOLUME_KINDS}")
        return None
    return Mount(path=written.mount_path, source=source, read_only=written.read_only, sub_path=written.sub_path)


def facts_of(pod: Pod, placed: Placed) -> PodFacts:
    """What a container of the pod knows about itself."""
    template = pod.template
    return PodFacts(
        name=template.configuration,
        namespace=template.namespace,
        service_account=pod.service_account,
        labels=pod.labels,
        annotations=pod.annotations,
        resources=placed.container.resources,
    )
