"""Fairlead under the same load as the floor: a worker by itself, a gateway before it on the same core, and graphs."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.load import IRIS_ROW, Served
from bench.servers import Running, free_port, start
from fairlead.dataplane.spec import Placement, TcpSocket, UnixSocket, WorkerSpec
from fairlead.plan.model import (
    Branch,
    Call,
    Chain,
    ComponentName,
    Graph,
    Method,
    Parameter,
    Revision,
    Route,
    Step,
    Target,
    Unit,
    UnitName,
    UserCode,
)
from fairlead.plan.routing import Endpoint, Pool, RouteTable, Service

PREDICT = "/api/v1.0/predictions"
UNITS = Path(__file__).parent / "units"


@contextmanager
def servers(model: Path, folder: Path, *, core: int) -> Iterator[list[Served]]:
    """A worker by itself, graphs of units that do nothing, and a gateway with a worker behind it; all on one core."""
    with ExitStack() as running:
        served = [
            running.enter_context(_worker(name, revision, model, folder / revision.hash, core=core))
            for name, revision in (("worker", iris()), ("no-op unit", noop(1)), ("five no-op units", noop(5)))
        ]
        yield [*served, running.enter_context(_gateway(model, folder / "gateway", core=core))]


def iris() -> Revision:
    """One scikit-learn model."""
    unit = Unit(
        name=UnitName("classifier"),
        runtime="sklearn",
        image="seldonio/sklearnserver:1.18.2",
        parameters=(Parameter(name="method", value="predict_proba"),),
    )
    return Revision(hash="bench", units=(unit,), graph=Graph(root=Call(unit=unit.name, method=Method.PREDICT)))


def noop(count: int) -> Revision:
    """One unit that answers what it is asked, or the five of the budget: transformer, router, two models, combiner
    and output transformer."""
    names = ("model",) if count == 1 else ("input", "router", "first", "second", "combiner", "output")
    units = tuple(
        Unit(
            name=UnitName(name),
            runtime="python",
            image=f"bench/{name}:1",
            code=UserCode(target="noop.Noop", path=str(UNITS)),
        )
        for name in names
    )
    return Revision(hash=f"noop{count}", units=units, graph=Graph(root=_noop_steps(count)))


def _noop_steps(count: int) -> Step:
    if count == 1:
        return Call(unit=UnitName("model"), method=Method.PREDICT)
    models = tuple(Call(unit=UnitName(name), method=Method.PREDICT) for name in ("first", "second"))
    return Chain(
        steps=(
            Call(unit=UnitName("input"), method=Method.TRANSFORM_INPUT),
            Branch(name=UnitName("router"), route=UnitName("router"), combine=UnitName("combiner"), choices=models),
            Call(unit=UnitName("output"), method=Method.TRANSFORM_OUTPUT),
        )
    )


def spec(revision: Revision, model: Path, folder: Path, *, port: int | None) -> WorkerSpec:
    """A worker on a TCP port, or on frames for a gateway."""
    return WorkerSpec(
        replica="bench",
        namespace="bench",
        service="iris",
        component="default",
        revision=revision,
        placements=[
            Placement(unit=unit.name, folder=str(model) if unit.runtime == "sklearn" else None)
            for unit in revision.units
        ],
        http=TcpSocket("127.0.0.1", port) if port else None,
        frames=UnixSocket(str(folder / "worker.sock")) if not port else None,
        workdir=str(folder),
    )


def _start_worker(worker: WorkerSpec, folder: Path, *, core: int) -> Running:
    path = folder / "spec.json"
    path.write_bytes(msgspec.json.encode(worker))
    return start([sys.executable, "-m", "fairlead.dataplane", "--spec", str(path)], env={}, core=core)


@contextmanager
def _worker(name: str, revision: Revision, model: Path, folder: Path, *, core: int) -> Iterator[Served]:
    folder.mkdir()
    port = free_port()
    server = _start_worker(spec(revision, model, folder, port=port), folder, core=core)
    try:
        url = f"http://127.0.0.1:{port}{PREDICT}"
        server.wait_for(url, body=IRIS_ROW, timeout_s=30)
        yield Served(name=name, url=url, pids=server.pids())
    finally:
        server.stop()


@contextmanager
def _gateway(model: Path, folder: Path, *, core: int) -> Iterator[Served]:
    folder.mkdir()
    worker = _start_worker(spec(iris(), model, folder, port=None), folder, core=core)
    table = folder / "routes.json"
    table.write_bytes(msgspec.json.encode(_table(folder)))
    port = free_port()
    argv = [sys.executable, "-m", "fairlead.backends.local.gateway", "--host", "127.0.0.1", "--port", str(port)]
    gateway = start([*argv, "--admin", str(folder / "admin.sock"), "--table", str(table)], env={}, core=core)
    try:
        url = f"http://127.0.0.1:{port}/seldon/bench/iris{PREDICT}"
        gateway.wait_for(url, body=IRIS_ROW, timeout_s=30)
        yield Served(name="gateway and worker", url=url, pids=worker.pids() + gateway.pids())
    finally:
        gateway.stop()
        worker.stop()


def _table(folder: Path) -> RouteTable:
    route = Route(path_prefix="/seldon/bench/iris/", targets=(Target(component=ComponentName("default"), weight=100),))
    pool = Pool(endpoints=(Endpoint(replica="bench", frames=str(folder / "worker.sock")),))
    service = Service(
        kind="SeldonDeployment", namespace="bench", name="iris", routes=(route,), pools=(("default", pool),)
    )
    return RouteTable(services=(service,))
