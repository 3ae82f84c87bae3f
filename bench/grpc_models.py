"""`python -m bench.grpc_models`: one iris row over gRPC, on our worker and on MLServer's and the KServe SDK's servers.

The servers run on the first core; calls come from the second, 32 at a time on one connection, by our own client,
because grpcio's is slower than our server. Requests carry raw contents. The budget asks for three times the others.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench import fairlead_runs
from bench.__main__ import cores
from bench.grpc_unary import STREAMS
from bench.load import cpu_seconds
from bench.model import train
from bench.peers.run import build, mlserver_argv, requirements
from bench.ports import free_port
from bench.servers import Running, start
from fairlead.dataplane.graph.driving import as_future
from fairlead.dataplane.graph.remote import PeerFailed
from fairlead.dataplane.net.grpc_peer import GrpcAnswer, GrpcPeer, PeerCall
from fairlead.plan.model import Protocol
from fairlead.protocols import protos

INFER, PREDICT = "/inference.GRPCInferenceService/ModelInfer", "/seldon.protos.Seldon/Predict"
ROW = (5.1, 3.5, 1.4, 0.2)
PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What one server is asked."""

    name: str
    path: str
    message: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcFigure:
    """Calls per second, and processor time of the server's processes in microseconds a call."""

    name: str
    rps: float
    cpu_us_per_call: float


def main() -> None:
    """Measure every server and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.grpc_models", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-peers", action="store_true", help="our own servers alone")
    parser.add_argument("--out", type=Path, default=Path("build/bench-grpc.json"))
    arguments = parser.parse_args()
    core, load_core = cores()
    os.sched_setaffinity(0, {load_core})
    best: dict[str, GrpcFigure] = {}
    with tempfile.TemporaryDirectory() as name:
        for served, call in _servers(Path(name), core, with_peers=not arguments.without_peers):
            for _ in range(arguments.rounds):
                figure = uvloop.run(_measure(served, call, arguments.seconds))
                if call.name not in best or figure.rps > best[call.name].rps:
                    best[call.name] = figure
    for figure in best.values():
        print(f"{figure.name:24} {figure.rps:>10.0f} calls/s {figure.cpu_us_per_call:>8.1f} CPU µs/call")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps([dataclasses.asdict(figure) for figure in best.values()], indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class _Server:
    running: Running
    port: int


def _servers(folder: Path, core: int, *, with_peers: bool) -> Iterator[tuple[_Server, Call]]:
    model = train(folder)
    for protocol, call in ((Protocol.V2, _v2("worker, V2", "classifier")), (Protocol.SELDON, _seldon())):
        with _worker(protocol, model, folder / protocol.value, core) as server:
            yield server, call
    if not with_peers:
        return
    os.environ["IRIS_MODEL"] = str(model / "model.joblib")
    packages = requirements()
    with _mlserver(build("mlserver", packages["mlserver"]), folder / "mlserver", core) as server:
        yield server, _v2("MLServer", "iris")
    with _kserve(build("kserve", packages["kserve"]), folder / "kserve", core) as server:
        yield server, _v2("KServe SDK", "iris")


def _v2(name: str, model: str) -> Call:
    request = protos.message("inference.ModelInferRequest")(model_name=model)
    request.inputs.add(name="x", datatype="FP64", shape=[1, 4])
    request.raw_input_contents.append(struct.pack("<4d", *ROW))
    return Call(name=name, path=INFER, message=request.SerializeToString())


def _seldon() -> Call:
    request = protos.message("seldon.protos.SeldonMessage")()
    request.data.tensor.shape.extend([1, 4])
    request.data.tensor.values.extend(ROW)
    return Call(name="worker, Seldon", path=PREDICT, message=request.SerializeToString())


@contextmanager
def _worker(protocol: Protocol, model: Path, folder: Path, core: int) -> Iterator[_Server]:
    folder.mkdir()
    port = free_port()
    spec = fairlead_runs.spec(fairlead_runs.iris(protocol), model, folder, port=port)
    yield from _until_stopped(fairlead_runs.start_worker(spec, folder, core=core), port)


@contextmanager
def _mlserver(environment: Path, folder: Path, core: int) -> Iterator[_Server]:
    folder.mkdir()
    port = free_port()
    argv = mlserver_argv(str(environment), free_port(), folder, grpc_port=port)
    env = {"HOME": str(folder), "PATH": f"{environment}/bin:{os.environ['PATH']}"}
    yield from _until_stopped(start(argv, env=env, core=core, cwd=folder), port)


@contextmanager
def _kserve(environment: Path, folder: Path, core: int) -> Iterator[_Server]:
    folder.mkdir()
    port = free_port()
    env = {"PEER_PORT": str(free_port()), "PEER_GRPC_PORT": str(port), "HOME": str(folder), "PYTHONPATH": str(PEERS)}
    argv = [f"{environment}/bin/python", str(PEERS / "loopback.py"), str(PEERS / "kserve_iris.py")]
    yield from _until_stopped(start(argv, env=env, core=core, cwd=folder), port)


def _until_stopped(running: Running, port: int) -> Iterator[_Server]:
    try:
        yield _Server(running, port)
    finally:
        running.stop()


async def _measure(server: _Server, call: Call, seconds: float) -> GrpcFigure:
    peer = GrpcPeer("127.0.0.1", server.port, limit_bytes=1 << 20)
    await _first_answer(peer, call)
    await _load(peer, call, 1.0)
    pids = server.running.pids()
    before = cpu_seconds(pids)
    count, spent_s = await _load(peer, call, seconds)
    used_s = cpu_seconds(pids) - before
    peer.close()
    return GrpcFigure(name=call.name, rps=round(count / spent_s, 1), cpu_us_per_call=round(used_s / count * 1e6, 1))


async def _first_answer(peer: GrpcPeer, call: Call) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 120
    while True:
        try:
            answer = await as_future(_wait(peer.call(call.path, [], call.message, 10.0)))
        except PeerFailed:
            answer = None
        if answer is not None and not answer.code:
            return
        if loop.time() > deadline:
            raise SystemExit(f"bench: {call.name} gives no answer: {answer}")
        await asyncio.sleep(0.2)


async def _load(peer: GrpcPeer, call: Call, seconds: float) -> tuple[int, float]:
    """Calls answered, and the time they took. Anything but an answer ends the run."""
    loop = asyncio.get_running_loop()
    start_s = loop.time()

    async def stream() -> int:
        count = 0
        while loop.time() < start_s + seconds:
            answer = await as_future(_wait(peer.call(call.path, [], call.message, None)))
            if answer.code:
                raise SystemExit(f"bench: {call.name} answered {answer.code}: {answer.message}")
            count += 1
        return count

    counts = await asyncio.gather(*(stream() for _ in range(STREAMS)))
    return sum(counts), loop.time() - start_s


async def _wait(call: PeerCall) -> GrpcAnswer:
    return await call


if __name__ == "__main__":
    main()
