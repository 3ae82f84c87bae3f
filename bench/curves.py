"""`python -m bench.curves`: how figures change with connections, body size, deployments and workers.

Every curve is measured in one run beside its own reference; `build/bench-curves.json` holds the points and
`bench/plots.py` draws them. Bodies are raw tensors (V2 binary) that a unit gives back as they are.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from bench import fairlead_runs
from bench.__main__ import cores, floor
from bench.fairlead_runs import SELDON, Asked, start_worker, user_class, v2_binary
from bench.load import Figure, Served, measure, wrk
from bench.model import train
from bench.ports import free_port
from bench.servers import Running, start
from fairlead.plan.model import ComponentName, Protocol, Revision, Route, Target
from fairlead.plan.routing import Endpoint, Pool, RouteTable, Service

CONNECTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
BODY_BYTES = (1, 1024, 32 * 1024, 1024**2, 8 * 1024**2, 64 * 1024**2)
DEPLOYMENTS = (1, 10, 100, 1_000, 10_000)
WORKERS = (1, 2, 4, 8)
_LARGE = 16 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measurement of a curve: `x` is what the curve is about."""

    curve: str
    server: str
    x: int
    rps: float
    p50_us: float
    p99_us: float
    cpu_us_per_request: float


def main() -> None:
    """Measure every curve, or those that are named."""
    curves = {"connections": connections, "bodies": bodies, "deployments": deployments, "workers": workers}
    parser = argparse.ArgumentParser(prog="python -m bench.curves", description=__doc__)
    parser.add_argument("curves", nargs="*", choices=[*curves, []], help="which; all when none is named")
    parser.add_argument("--seconds", type=int, default=2, help="length of each measurement")
    parser.add_argument("--short", action="store_true", help="only the ends of each curve")
    parser.add_argument("--out", type=Path, default=Path("build/bench-curves.json"))
    arguments = parser.parse_args()
    wrk()
    points: list[Point] = []
    for name in arguments.curves or curves:
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder), *cores(), arguments.seconds, arguments.short)
            for point in curves[name](run):
                print(
                    f"{point.curve:12} {point.server:20} {point.x:>9} {point.rps:>10.1f} req/s, p50 {point.p50_us} µs"
                )
                points.append(point)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps([dataclasses.asdict(point) for point in points], indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class Run:
    """Where servers and load run and for how long."""

    folder: Path
    core: int
    load_core: int
    seconds: int
    is_short: bool

    def along(self, values: tuple[int, ...]) -> tuple[int, ...]:
        """The points of a curve."""
        return (values[0], values[-2]) if self.is_short else values

    def point(self, curve: str, served: Served, x: int, *, count: int) -> Point:
        """One measurement."""
        found: Figure = measure(served, connections=count, seconds=self.seconds, core=self.load_core)
        return Point(
            curve=curve,
            server=served.name,
            x=x,
            rps=round(found.rps, 1),
            p50_us=found.p50_us,
            p99_us=found.p99_us,
            cpu_us_per_request=round(found.cpu_us_per_request, 2),
        )


def connections(run: Run) -> Iterator[Point]:
    """One iris row from more and more clients."""
    model = train(run.folder)
    with ExitStack() as running:
        servers = [running.enter_context(floor(model, core=run.core))]
        iris = fairlead_runs.iris()
        servers.append(
            running.enter_context(fairlead_runs.worker(SELDON, iris, model, run.folder / "worker", core=run.core))
        )
        servers.append(running.enter_context(fairlead_runs.gateway(model, run.folder / "gateway", core=run.core)))
        for count in run.along(CONNECTIONS):
            for served in servers:
                yield run.point("connections", served, count, count=count)


def bodies(run: Run) -> Iterator[Point]:
    """A tensor of bytes there and back, larger and larger."""
    model = train(run.folder)
    echo = user_class("noop.Noop", Protocol.V2)
    with ExitStack() as running:
        asked = _bytes_of(1)
        alone = running.enter_context(fairlead_runs.worker(asked, echo, model, run.folder / "worker", core=run.core))
        behind = running.enter_context(_cluster(echo, run.folder / "gateway", asked, core=run.core))
        for size in run.along(BODY_BYTES):
            asked = _bytes_of(size)
            for served in (replace(alone, name="worker"), behind):
                sized = replace(served, body=asked.body, **asked.head())
                yield run.point("bodies", sized, size, count=4 if size < _LARGE else 1)


def deployments(run: Run) -> Iterator[Point]:
    """One row through a gateway that knows more and more deployments."""
    for count in run.along(DEPLOYMENTS):
        folder = run.folder / str(count)
        with _cluster(user_class("noop.Noop"), folder, Asked(name=""), core=run.core, services=count) as served:
            yield run.point("deployments", served, count, count=32)


def workers(run: Run) -> Iterator[Point]:
    """A unit that waits 5 ms per request, on more and more replicas."""
    for count in run.along(WORKERS):
        folder = run.folder / str(count)
        with _cluster(user_class("pause.Pause"), folder, Asked(name=""), core=run.core, replicas=count) as served:
            yield run.point("workers", served, count, count=64)


def _bytes_of(size: int) -> Asked:
    return replace(v2_binary(bytes(size), [1, size], "UINT8"), path="/v2/models/model/infer")


@contextmanager
def _cluster(
    revision: Revision, folder: Path, asked: Asked, *, core: int, services: int = 1, replicas: int = 1
) -> Iterator[Served]:
    """A gateway, its table with so many services, and so many workers of the one that is asked."""
    folder.mkdir()
    started: list[Running] = []
    try:
        paths = []
        for number in range(replicas):
            home = folder / str(number)
            home.mkdir()
            spec = fairlead_runs.spec(revision, folder, home, port=None)
            started.append(start_worker(spec, home, core=core))
            paths.append(home / "worker.sock")
        table = folder / "routes.json"
        table.write_bytes(msgspec.json.encode(_table(paths, services)))
        port = free_port()
        argv = [sys.executable, "-m", "fairlead.backends.local.gateway", "--host", "127.0.0.1", "--port", str(port)]
        gateway = start([*argv, "--admin", str(folder / "admin.sock"), "--table", str(table)], env={}, core=core)
        started.append(gateway)
        url = f"http://127.0.0.1:{port}/seldon/bench/s0{asked.path}"
        gateway.wait_for(url, body=asked.body, timeout_s=60, headers=asked.headers)
        pids = [pid for one in started for pid in one.pids()]
        yield Served(name="gateway and worker", url=url, pids=pids, body=asked.body, **asked.head())
    finally:
        for one in started:
            one.stop()


def _table(sockets: list[Path], services: int) -> RouteTable:
    pool = Pool(endpoints=tuple(Endpoint(replica=path.parent.name, frames=str(path)) for path in sockets))
    target = Target(component=ComponentName("default"), weight=100)
    return RouteTable(
        services=tuple(
            Service(
                kind="SeldonDeployment",
                namespace="bench",
                name=f"s{number}",
                routes=(Route(path_prefix=f"/seldon/bench/s{number}/", targets=(target,)),),
                pools=(("default", pool if number == 0 else Pool(refusal="scaled to zero")),),
            )
            for number in range(services)
        )
    )


if __name__ == "__main__":
    main()
