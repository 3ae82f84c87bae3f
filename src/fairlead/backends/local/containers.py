"""Units whose image we do not know: what a container engine is told to run for them.

Pure. The engine itself is talked to by `container_runner`, one small process per unit that is a member of the
replica like any other: it ends when the container does, and takes the container with it when it ends.
"""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fairlead.backends.local.commands import UnitPorts
from fairlead.backends.local.home import Home
from fairlead.backends.local.ports import LOOPBACK
from fairlead.backends.local.preparing import Prepared, writes_its_own_model
from fairlead.backends.local.rpc import Program
from fairlead.backends.local.upstreams import FROM_CONTAINERS, with_upstream
from fairlead.plan.model import EnvVar, Mount, Unit

HOME_LABEL = "fairlead.home"
RUNNER_LABEL = "fairlead.runner"
REPLICA_LABEL = "fairlead.replica"
UNIT_LABEL = "fairlead.unit"

# Variables that steer the engine's own command line; a container's of that name go as arguments.
_STEERING = ("PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK")
_STEERING_PREFIXES = ("DOCKER_", "CONTAINERS_", "CONTAINER_", "PODMAN_", "XDG_", "LD_", "HTTP", "http", "NO_PROXY")


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """One mount. `source` is a folder of the host; when it is empty, `files` are written to a new one (none: a
    scratch folder called `scratch`, which containers of one unit share by that name)."""

    target: str
    source: str = ""
    files: dict[str, bytes] = {}
    scratch: str = ""
    sub_path: str = ""
    read_only: bool = False


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One container. `command` replaces the image's entry point, `args` its command, as Kubernetes has them."""

    name: str
    image: str
    command: list[str] = []
    args: list[str] = []
    env: dict[str, str] = {}
    volumes: list[Volume] = []


class ContainerRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a runner does: `inits` one after the other to their ends, then `main`. `ports` pairs the port in the
    container with the one on the loopback."""

    unit: str
    replica: str
    home: str
    workdir: str
    inits: list[Step]
    main: Step
    ports: list[tuple[int, int]]
    working_dir: str = ""
    asks_host: bool = False
    """Whether it asks other services of ours."""
    memory_bytes: int | None = None
    cpus: float | None = None


def home_mark(home: Home) -> str:
    """The label value of this installation's containers."""
    return hashlib.sha256(str(home.root).encode()).hexdigest()[:16]


def container_program(
    unit: Unit, prepared: Prepared, *, real: UnitPorts, workdir: Path, home: Home, replica: str, data_url: str = ""
) -> Program:
    """The process that runs a unit's containers. `data_url` is where they find other services of ours."""
    container = unit.container
    if container is None:
        raise ValueError(f"unit {unit.name} has the runtime container and no container")
    main = Step(
        name=unit.name,
        image=container.image,
        command=list(container.command),
        args=list(with_upstream(container.args, unit, data_url, host=FROM_CONTAINERS)),
        env=dict(prepared.env.get(unit.name, {})),
        volumes=_volumes(unit, container.mounts, prepared),
    )
    inits = [
        Step(
            name=init.name,
            image=init.image,
            command=list(init.command),
            args=list(init.args),
            env=dict(prepared.env.get(f"{unit.name}/{init.name}", _literals(init.env))),
            volumes=_volumes(unit, init.mounts, prepared),
        )
        for init in container.init
    ]
    pairs = ((unit.http_port or 9000 if real.http else 0, real.http), (unit.grpc_port, real.grpc))
    run = ContainerRun(
        unit=unit.name,
        replica=replica,
        home=home_mark(home),
        workdir=str(workdir / unit.name),
        inits=inits,
        main=main,
        ports=[(inside, outside) for inside, outside in pairs if inside and outside],
        working_dir=container.working_dir,
        asks_host=unit.upstream is not None,
        memory_bytes=unit.resources.memory_limit_bytes,
        cpus=unit.resources.cpu_limit,
    )
    return Program(
        unit=unit.name,
        what=f"container {container.image}",
        argv=[sys.executable, "-m", "fairlead.backends.local.container_runner"],
        address=real.address,
        answers_http=bool(real.http),
        speaks_frames=True,
        told=msgspec.json.encode(run),
    )


def run_arguments(
    run: ContainerRun, step: Step, folders: Mapping[str, Path], *, name: str, labels: Mapping[str, str]
) -> list[str]:
    """Arguments after `docker` or `podman`, for one container in the foreground. `folders` are the host's, by the
    target of each volume. Values of variables travel in the command line's own environment, where no other user
    sees them."""
    options = ["run", "--name", name, "--pull", "never"]
    for key, value in labels.items():
        options += ["--label", f"{key}={value}"]
    for variable, value in step.env.items():
        options += ["--env", f"{variable}={value}" if steers_engine(variable) else variable]
    for volume in step.volumes:
        mode = "ro" if volume.read_only else "rw"
        options += ["--volume", f"{folders[volume.target]}:{volume.target}:{mode}"]
    if step is run.main:
        options += _main_options(run)
    if step.command:
        options += ["--entrypoint", step.command[0]]
    return [*options, step.image, *step.command[1:], *step.args]


def steers_engine(variable: str) -> bool:
    """Whether the engine's command line would itself obey the variable."""
    return variable in _STEERING or variable.startswith(_STEERING_PREFIXES)


def no_engine_message(image: str) -> str:
    """What to do about an image nobody can run."""
    return (
        f"image {image} is not a known runtime and no container engine answers (docker and podman were asked); "
        f'start one, or map the image to a Python class in config.toml: [images."{_repository(image)}"] '
        f'class = "Module.Class", path = "folder/", or command = ["program", "argument"]'
    )


def _main_options(run: ContainerRun) -> list[str]:
    options: list[str] = []
    for inside, outside in run.ports:
        options += ["--publish", f"{LOOPBACK}:{outside}:{inside}"]
    if run.asks_host:
        options += ["--add-host", f"{FROM_CONTAINERS}:host-gateway"]
    if run.working_dir:
        options += ["--workdir", run.working_dir]
    if run.memory_bytes:
        options += ["--memory", str(run.memory_bytes), "--memory-swap", str(run.memory_bytes)]
    if run.cpus:
        options += ["--cpus", f"{run.cpus:g}"]
    return options


def _volumes(unit: Unit, mounts: tuple[Mount, ...], prepared: Prepared) -> list[Volume]:
    return [_volume(unit, mount, prepared) for mount in mounts]


def _volume(unit: Unit, mount: Mount, prepared: Prepared) -> Volume:
    kind = mount.source.partition(":")[0]
    folder = prepared.folders.get(unit.name)
    source, scratch, read_only = "", "", mount.read_only
    files: dict[str, bytes] = {}
    if kind == "claim":
        source = str(prepared.claims[mount.source])
    elif kind in ("secret", "config"):
        files, read_only = dict(prepared.contents[mount.source]), True
    elif kind == "artifact" and folder is not None and not writes_its_own_model(unit):
        # The cache is everybody's: nobody writes to it, whatever the manifest allows.
        source, read_only = str(folder), True
    else:
        # An empty volume. The one for the model is shared between the containers of the unit; any other has its own.
        scratch = "artifact" if kind == "artifact" else mount.path.strip("/").replace("/", "_")
    return Volume(
        target=mount.path, source=source, files=files, scratch=scratch, sub_path=mount.sub_path, read_only=read_only
    )


def _literals(env: tuple[EnvVar, ...]) -> dict[str, str]:
    return {variable.name: variable.value for variable in env if variable.source is None}


def _repository(image: str) -> str:
    """The image without registry host and tag, as the catalog names it."""
    host, slash, rest = image.partition("/")
    name = rest if slash and ("." in host or ":" in host or host == "localhost") else image
    last = name.rpartition("/")[2]
    return name[: len(name) - len(last)] + last.partition("@")[0].partition(":")[0]
