"""What is attacked: workers of every protocol and a gateway in front of them, each a process with a log."""

import contextlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.fairlead_runs import UNITS
from bench.model import train
from bench.ports import free_port
from fairlead.dataplane.spec import Placement, TcpSocket, UnixSocket, WorkerSpec
from fairlead.plan.model import (
    Call,
    ComponentName,
    Graph,
    Method,
    Node,
    Protocol,
    Revision,
    Route,
    Target,
    Unit,
    UnitName,
    UserCode,
)
from fairlead.plan.routing import Endpoint, Pool, RouteTable, Service

_PATIENCE_S = 60.0
_BODY_BYTES = 8 * 1024 * 1024
"""The limit of every server here: small, so that what is over it is sent often."""


@dataclass(frozen=True, slots=True)
class Server:
    """One process. `prefix` stands before its paths, `service` finds it by gRPC metadata at a gateway."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def rss_bytes(self) -> int:
        """The memory it holds."""
        text = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(text.split()[1]) * 4096


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, Server]]:
    """Workers called iris (Seldon, V1 and V2), flow (TensorFlow) and echo (a user's class, V2), and a gateway."""
    (folder / "model").mkdir(parents=True)
    model = train(folder / "model")
    with ExitStack() as running:
        specs = [
            _spec("iris", _iris(Protocol.SELDON, Protocol.V1, Protocol.V2), folder, model),
            _spec("flow", _iris(Protocol.TENSORFLOW), folder, model),
            _spec("echo", _echo(), folder, model),
        ]
        found = {spec.service: running.enter_context(_worker(spec, folder)) for spec in specs}
        found["gateway"] = running.enter_context(_gateway(folder, list(found)))
        for server in found.values():
            _wait_for(server)
        yield found


def _iris(*protocols: Protocol) -> Revision:
    unit = Unit(name=UnitName("classifier"), runtime="sklearn", image="seldonio/sklearnserver:1.18.2")
    drawing = Node(unit=unit.name, kind="model") if Protocol.SELDON in protocols else None
    graph = Graph(root=Call(unit=unit.name, method=Method.PREDICT), drawing=drawing)
    return Revision(hash="iris", units=(unit,), graph=graph, protocol=protocols[0], also=protocols[1:])


def _echo() -> Revision:
    code = UserCode(target="noop.Noop", path=str(UNITS))
    unit = Unit(name=UnitName("model"), runtime="python", image="bench/model:1", code=code)
    graph = Graph(root=Call(unit=unit.name, method=Method.PREDICT))
    return Revision(hash="echo", units=(unit,), graph=graph, protocol=Protocol.V2, also=(Protocol.V1,))


def _spec(name: str, revision: Revision, folder: Path, model: Path) -> WorkerSpec:
    return WorkerSpec(
        replica=name,
        namespace="fuzz",
        service=name,
        component="default",
        revision=revision,
        placements=[
            Placement(unit=unit.name, folder=str(model) if unit.runtime == "sklearn" else None)
            for unit in revision.units
        ],
        http=TcpSocket("127.0.0.1", free_port()),
        frames=UnixSocket(str(folder / f"{name}.sock")),
        workdir=str(folder),
        max_body_bytes=_BODY_BYTES,
    )


@contextmanager
def _worker(spec: WorkerSpec, folder: Path) -> Iterator[Server]:
    assert isinstance(spec.http, TcpSocket)
    path = folder / f"{spec.service}.json"
    path.write_bytes(msgspec.json.encode(spec))
    argv = ["-m", "fairlead.dataplane", "--spec", str(path)]
    with _running(spec.service, spec.http.port, argv, folder) as server:
        yield server


@contextmanager
def _gateway(folder: Path, names: list[str]) -> Iterator[Server]:
    table = folder / "routes.json"
    table.write_bytes(msgspec.json.encode(RouteTable(services=tuple(_service(name, folder) for name in names))))
    port = free_port()
    argv = ["-m", "fairlead.backends.local.gateway", "--port", str(port), "--max-body-bytes", str(_BODY_BYTES)]
    with _running("gateway", port, [*argv, "--admin", str(folder / "admin"), "--table", str(table)], folder) as server:
        yield server


def _service(name: str, folder: Path) -> Service:
    route = Route(path_prefix=f"/seldon/fuzz/{name}/", targets=(Target(component=ComponentName("default"), weight=1),))
    pool = Pool(endpoints=(Endpoint(replica=name, frames=str(folder / f"{name}.sock")),))
    return Service(kind="SeldonDeployment", namespace="fuzz", name=name, routes=(route,), pools=(("default", pool),))


@contextmanager
def _running(name: str, port: int, argv: list[str], folder: Path) -> Iterator[Server]:
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, *argv], stdout=sink, stderr=sink)
    try:
        yield Server(name, port, process, log)
    finally:
        process.kill()
        process.wait()


def _wait_for(server: Server) -> None:
    path = "/-/healthy" if server.name == "gateway" else "/live"
    deadline = time.monotonic() + _PATIENCE_S
    while server.process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5):
            return
        time.sleep(0.05)
    raise SystemExit(f"fuzz: {server.name} does not answer: {server.log.read_text()}")
