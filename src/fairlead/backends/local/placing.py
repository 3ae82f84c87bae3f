"""From a prepared revision to the processes of one replica: which units share the worker, which stand beside it, and
where each finds its files. Pure but for the free ports it is handed.

Paths that a manifest believes in (`/mnt/models`) are turned into the real folders here, in parameters and in
variables; containers get them mounted instead.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from fairlead.backends.local.bentos.programs import bento_program
from fairlead.backends.local.commands import UnitPorts, program_of, take_ports
from fairlead.backends.local.containers import container_program
from fairlead.backends.local.furnishing import processes_of
from fairlead.backends.local.home import Home
from fairlead.backends.local.keeping import kept_of
from fairlead.backends.local.nursing import BASE_RUNTIME, ONE_THREAD
from fairlead.backends.local.ports import LOOPBACK, Ports
from fairlead.backends.local.preparing import Prepared
from fairlead.backends.local.rpc import Forked, Member, Program, ReplicaSpec
from fairlead.dataplane.addresses import SOCKET
from fairlead.dataplane.spec import Placement, TcpSocket, UnixSocket, WorkerSpec
from fairlead.plan.model import Call, Component, Graph, Method, Owner, Parameter, Revision, Unit

_WITHOUT_LIBRARIES = frozenset({"builtin", "sample", BASE_RUNTIME})
_LIGHT = frozenset({"builtin", "remote"})
"""Runtimes that need no memory worth a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What tells this life of a replica from all others. `token` names its socket and is never used twice."""

    name: str
    token: str
    restarts: int = 0
    failures: int = 0
    has_served: bool = False


def service_key(owner: Owner) -> str:
    """The plan's name among all plans."""
    return f"{owner.kind}/{owner.namespace}/{owner.name}"


def runtime_of(units: Iterable[Unit]) -> str:
    """The nursery that has the libraries of these units loaded. When there are several, the first in the graph
    decides; the others load theirs after the fork."""
    special = (unit.runtime for unit in units if not unit.is_external and unit.runtime not in _WITHOUT_LIBRARIES)
    return next(special, BASE_RUNTIME)


def runtimes_of(component: Component) -> set[str]:
    """Every nursery that a replica of the component is forked from."""
    units = component.revision.units
    return {runtime_of(units), *(runtime_of([replace(unit, isolate=False)]) for unit in units if unit.isolate)}


def place(
    owner: Owner,
    component: Component,
    prepared: Prepared,
    identity: Identity,
    *,
    home: Home,
    ports: Ports,
    data_url: str = "",
) -> ReplicaSpec:
    """Everything the supervisor needs for one replica. `data_url` is where the gateway serves."""
    workdir = home.work / identity.name
    frames = home.run / f"{identity.token}.sock"
    kept = kept_of(owner, home) / component.name
    revision = component.revision
    python, apart = processes_of(revision.units, prepared.pythons)
    units = tuple(_at_home(unit, prepared, is_apart=unit.name in apart) for unit in revision.units)
    beside = {unit.name: take_ports(unit, ports) for unit in units if unit.is_external and unit.runtime != "remote"}
    worker = WorkerSpec(
        replica=identity.name,
        namespace=owner.namespace,
        service=owner.name,
        component=component.role or component.name,
        revision=replace(revision, units=units),
        placements=[_placement(unit, prepared, beside.get(unit.name), kept / unit.name, home) for unit in units],
        frames=UnixSocket(path=str(frames)),
        inside=UnixSocket(path=str(home.inside_socket)),
        workdir=str(workdir),
        memory_limit_bytes=memory_limit_bytes(units),
        threads=threads(units),
        log_env=dict(prepared.log_env),
    )
    main = Forked(
        spec=worker,
        runtime=runtime_of(units),
        cwd=_cwd(units, workdir),
        env=_thread_settings(worker.threads),
        python=python,
    )
    others = [
        _beside(
            unit,
            worker,
            prepared,
            beside[unit.name],
            identity=identity,
            owner=owner,
            home=home,
            kept=kept / unit.name,
            data_url=data_url,
        )
        for unit in units
        if unit.name in beside
    ]
    return ReplicaSpec(
        replica=identity.name,
        namespace=owner.namespace,
        service=service_key(owner),
        component=component.name,
        revision=revision.hash,
        members=[main, *others],
        frames=str(frames),
        workdir=str(workdir),
        log=str(home.logs / owner.namespace / f"{identity.name}.log"),
        secrets=sorted(prepared.secrets),
        restarts=identity.restarts,
        failures=identity.failures,
        has_served=identity.has_served,
        start_timeout_s=component.progress_deadline_s,
        drain_s=revision.drain_s,
    )


def once_more(spec: ReplicaSpec, identity: Identity, *, home: Home) -> ReplicaSpec:
    """The same replica again, for a revision that is no longer wanted and therefore not prepared anew."""
    frames = str(home.run / f"{identity.token}.sock")
    return msgspec.structs.replace(
        spec,
        members=[_listening(member, frames) for member in spec.members],
        frames=frames,
        restarts=identity.restarts,
        failures=identity.failures,
        has_served=identity.has_served,
    )


def _listening(member: Member, frames: str) -> Member:
    if isinstance(member, Program) or member.unit:
        return member
    return msgspec.structs.replace(member, spec=msgspec.structs.replace(member.spec, frames=UnixSocket(path=frames)))


def memory_limit_bytes(units: Iterable[Unit]) -> int | None:
    """What the worker may use: the sum of its units' limits, unless one of them has none."""
    limits = [
        unit.resources.memory_limit_bytes for unit in units if not unit.is_external and unit.runtime not in _LIGHT
    ]
    known = [limit for limit in limits if limit is not None]
    return sum(known) if known and len(known) == len(limits) else None


def threads(units: Iterable[Unit]) -> int:
    """Threads of numeric libraries: as many as the units may use cores, and one when nothing is said."""
    limits = [unit.resources.cpu_limit for unit in units if not unit.is_external and unit.resources.cpu_limit]
    return max(1, math.ceil(sum(limits)))


def rewritten(text: str, mount: str, folder: str) -> str:
    """A value that names the place where a manifest expects the model, naming the real one. JSON is looked into, as
    parameters travel in a variable."""
    if text == mount or text.startswith(f"{mount}/"):
        return folder + text[len(mount) :]
    quoted = json.dumps(folder)[1:-1]
    return text.replace(f'"{mount}"', f'"{quoted}"').replace(f'"{mount}/', f'"{quoted}/')


def _at_home(unit: Unit, prepared: Prepared, *, is_apart: bool) -> Unit:
    """The unit with real paths in its parameters, in a process of its own if it needs one. Its variables come with its
    placement, resolved."""
    if is_apart:
        unit = replace(unit, isolate=True)
    folder = prepared.folders.get(unit.name)
    if folder is None or unit.artifact is None or unit.runtime == "container":
        return unit
    mount = unit.artifact.mount
    return replace(
        unit,
        parameters=tuple(_moved(parameter, mount, str(folder)) for parameter in unit.parameters),
        command=tuple(_moved_word(word, mount, str(folder)) for word in unit.command),
    )


def _moved_word(word: str, mount: str, folder: str) -> str:
    """A word of a command line, alone or as the value of a flag."""
    flag, equals, value = word.partition("=")
    is_flag = bool(equals) and flag.startswith("-")
    return f"{flag}={rewritten(value, mount, folder)}" if is_flag else rewritten(word, mount, folder)


def _moved(parameter: Parameter, mount: str, folder: str) -> Parameter:
    if not isinstance(parameter.value, str):
        return parameter
    return replace(parameter, value=rewritten(parameter.value, mount, folder))


def _environment(unit: Unit, prepared: Prepared) -> dict[str, str]:
    env = dict(prepared.env.get(unit.name, {}))
    folder = prepared.folders.get(unit.name)
    if folder is None or unit.artifact is None or unit.runtime == "container":
        return env
    return {name: rewritten(value, unit.artifact.mount, str(folder)) for name, value in env.items()}


def _placement(unit: Unit, prepared: Prepared, real: UnitPorts | None, kept: Path, home: Home) -> Placement:
    """What the worker needs to know of a unit. Of one that runs beside it, only the address."""
    if real is not None:
        # A worker of ours speaks gRPC on its HTTP port, which is the only one it is given.
        is_ours = unit.runtime not in ("command", "container", "bento")
        grpc_address = real.address if is_ours else real.grpc_address
        return Placement(unit=unit.name, address=real.address, grpc_address=grpc_address)
    if unit.runtime == "remote" and unit.is_inside:
        return Placement(unit=unit.name, address=f"{SOCKET}{home.inside_socket}")
    if unit.runtime == "remote":
        return Placement(unit=unit.name, address=unit.url, grpc_address=_grpc_address(unit))
    folder = prepared.folders.get(unit.name)
    return Placement(
        unit=unit.name, folder=str(folder) if folder else None, env=_environment(unit, prepared), kept=str(kept)
    )


def _grpc_address(unit: Unit) -> str:
    """Where another service speaks gRPC: at the port that the manifest names for it, empty for none."""
    host = urlsplit(unit.url if "://" in unit.url else f"http://{unit.url}").hostname
    named = f"[{host}]" if host and ":" in host else host
    return f"{named}:{unit.grpc_port}" if named and unit.grpc_port else ""


def _beside(
    unit: Unit,
    worker: WorkerSpec,
    prepared: Prepared,
    real: UnitPorts,
    *,
    identity: Identity,
    owner: Owner,
    home: Home,
    kept: Path,
    data_url: str,
) -> Member:
    workdir = Path(worker.workdir)
    match unit.runtime:
        case "command":
            env = _environment(unit, prepared)
            return program_of(unit, env=env, real=real, workdir=workdir, data_url=data_url)
        case "container":
            replica = identity.name
            return container_program(
                unit, prepared, real=real, workdir=workdir, home=home, replica=replica, data_url=data_url
            )
        case "bento":
            return bento_program(
                unit,
                prepared.bentos[unit.name],
                owner=owner,
                folder=prepared.folders[unit.name],
                python=prepared.pythons[unit.name],
                env=_environment(unit, prepared),
                real=real,
                workdir=workdir,
                inside=home.inside_socket,
            )
        case _:
            return _isolated(unit, worker, prepared, real, kept, home)


def _isolated(unit: Unit, worker: WorkerSpec, prepared: Prepared, real: UnitPorts, kept: Path, home: Home) -> Forked:
    """A worker for one unit, which answers as that bare unit."""
    alone = replace(unit, isolate=False)
    graph = Graph(root=Call(unit=unit.name, method=Method.PREDICT))
    revision: Revision = replace(worker.revision, units=(alone,), graph=graph, loggers=())
    spec = msgspec.structs.replace(
        worker,
        revision=revision,
        placements=[_placement(alone, prepared, None, kept, home)],
        http=TcpSocket(host=LOOPBACK, port=real.http),
        frames=None,
        workdir=f"{worker.workdir}/{unit.name}",
        memory_limit_bytes=memory_limit_bytes([alone]),
        threads=threads([alone]),
        single_unit=True,
    )
    cwd = _cwd([alone], Path(worker.workdir))
    return Forked(
        unit=unit.name,
        spec=spec,
        runtime=runtime_of([alone]),
        cwd=cwd,
        env=_thread_settings(spec.threads),
        python=str(prepared.pythons.get(unit.name, "")),
    )


def _cwd(units: Iterable[Unit], workdir: Path) -> str:
    """User code finds files relative to itself, as in its image; when there are several codes, none of them can."""
    paths = {unit.code.path for unit in units if unit.code is not None and unit.code.path and not unit.is_external}
    return paths.pop() if len(paths) == 1 else str(workdir)


def _thread_settings(count: int) -> dict[str, str]:
    """For libraries that a worker loads after it was forked."""
    return dict.fromkeys(ONE_THREAD, str(count)) if count > 1 else {}
