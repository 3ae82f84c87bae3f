"""Fairlead under the same load as the floor: a worker by itself, a gateway before it on the same core, and graphs."""

import json
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from bench.load import IRIS_ROW, Served
from bench.ports import free_port
from bench.servers import Running, start
from fairlead.dataplane.spec import Placement, TcpSocket, UnixSocket, WorkerSpec
from fairlead.plan.model import (
    Branch,
    Call,
    Chain,
    ComponentName,
    Graph,
    Method,
    Parameter,
    Protocol,
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
            running.enter_context(worker(asked, revision, model, folder / revision.hash, core=core))
            for asked, revision in (
                (SELDON, iris()),
                (V1, iris(Protocol.V1)),
                (V2, iris(Protocol.V2)),
                (Asked(name="no-op unit"), noop(1)),
                (Asked(name="five no-op units"), noop(5)),
            )
        ]
        v2 = next(one for one in served if one.name == V2.name)
        served.append(replace(v2, name=V2_BINARY.name, body=V2_BINARY.body, **V2_BINARY.head()))
        yield [*served, running.enter_context(gateway(model, folder / "gateway", core=core))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One way to ask for the same row."""

    name: str
    path: str = PREDICT
    body: bytes = IRIS_ROW
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def head(self) -> dict[str, Any]:
        """What `Served` wants to know of it besides."""
        return {"content_type": self.content_type, "headers": self.headers}


def v2_binary(values: bytes, shape: list[int], datatype: str) -> Asked:
    """A V2 request with one tensor in binary, answered in binary."""
    tensor = {"name": "x", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(values)}}
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return Asked(
        name="worker, V2 binary",
        path="/v2/models/classifier/infer",
        body=text + values,
        content_type="application/octet-stream",
        headers=(("Inference-Header-Content-Length", str(len(text))),),
    )


_ROW = (5.1, 3.5, 1.4, 0.2)
_TENSOR = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": _ROW}
SELDON = Asked(name="worker")
V1 = Asked(name="worker, V1", path="/v1/models/classifier:predict", body=json.dumps({"instances": [_ROW]}).encode())
V2 = Asked(name="worker, V2", path="/v2/models/classifier/infer", body=json.dumps({"inputs": [_TENSOR]}).encode())
V2_BINARY = v2_binary(struct.pack("<4d", *_ROW), [1, 4], "FP64")


def iris(protocol: Protocol = Protocol.SELDON) -> Revision:
    """One scikit-learn model that answers with probabilities."""
    unit = Unit(
        name=UnitName("classifier"),
        runtime="sklearn",
        image="seldonio/sklearnserver:1.18.2",
        parameters=(Parameter(name="method", value="predict_proba"),),
    )
    graph = Graph(root=Call(unit=unit.name, method=Method.PREDICT))
    return Revision(hash=f"iris-{protocol}", units=(unit,), graph=graph, protocol=protocol)


def user_class(target: str, protocol: Protocol = Protocol.SELDON) -> Revision:
    """One unit of `bench/units`."""
    unit = Unit(
        name=UnitName("model"), runtime="python", image="bench/model:1", code=UserCode(target=target, path=str(UNITS))
    )
    graph = Graph(root=Call(unit=unit.name, method=Method.PREDICT))
    return Revision(hash=target, units=(unit,), graph=graph, protocol=protocol)


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


def start_worker(worker: WorkerSpec, folder: Path, *, core: int) -> Running:
    """Start a worker as its specification says."""
    path = folder / "spec.json"
    path.write_bytes(msgspec.json.encode(worker))
    return start([sys.executable, "-m", "fairlead.dataplane", "--spec", str(path)], env={}, core=core)


@contextmanager
def worker(asked: Asked, revision: Revision, model: Path, folder: Path, *, core: int) -> Iterator[Served]:
    """A worker by itself, asked in one way."""
    folder.mkdir()
    port = free_port()
    server = start_worker(spec(revision, model, folder, port=port), folder, core=core)
    try:
        url = f"http://127.0.0.1:{port}{asked.path}"
        server.wait_for(url, body=asked.body, timeout_s=30, headers=asked.headers)
        yield Served(name=asked.name, url=url, pids=server.pids(), body=asked.body, **asked.head())
    finally:
        server.stop()


@contextmanager
def gateway(model: Path, folder: Path, *, core: int) -> Iterator[Served]:
    """A gateway with a worker behind it."""
    folder.mkdir()
    worker = start_worker(spec(iris(), model, folder, port=None), folder, core=core)
    table = folder / "routes.json"
    table.write_bytes(msgspec.json.encode(_table(folder)))
    port = free_port()
    argv = [sys.executable, "-m", "fairlead.backends.local.gateway", "--host", "127.0.0.1", "--port", str(port)]
    server = start([*argv, "--admin", str(folder / "admin.sock"), "--table", str(table)], env={}, core=core)
    try:
        url = f"http://127.0.0.1:{port}/seldon/bench/iris{PREDICT}"
        server.wait_for(url, body=IRIS_ROW, timeout_s=30)
        yield Served(name="gateway and worker", url=url, pids=worker.pids() + server.pids())
    finally:
        server.stop()
        worker.stop()


def _table(folder: Path) -> RouteTable:
    route = Route(path_prefix="/seldon/bench/iris/", targets=(Target(component=ComponentName("default"), weight=100),))
    pool = Pool(endpoints=(Endpoint(replica="bench", frames=str(folder / "worker.sock")),))
    service = Service(
        kind="SeldonDeployment", namespace="bench", name="iris", routes=(route,), pools=(("default", pool),)
    )
    return RouteTable(services=(service,))
