"""`python -m bench` and `python -m bench --peers`: every figure of one run beside the floor of the same run."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import fairlead_runs, report
from bench.load import IRIS_ROW, Served, measure_in_turns, wrk
from bench.model import train
from bench.peers.run import PEERS, build, requirements, running
from bench.ports import free_port
from bench.servers import start


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="measure the servers people use today instead")
    parser.add_argument("--seconds", type=int, default=2, help="length of each measurement")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32], help="how many at once")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the best counts")
    parser.add_argument("--out", type=Path, default=None, help="where to write the figures as JSON")
    arguments = parser.parse_args()
    wrk()
    core, load_core = cores()
    with tempfile.TemporaryDirectory() as name, ExitStack() as started:
        folder = Path(name)
        model = train(folder)
        servers = [started.enter_context(floor(model, core=core))]
        if arguments.peers:
            servers += _peers(model, folder, started, core=core)
        else:
            servers += started.enter_context(fairlead_runs.servers(model, folder, core=core))
        figures = measure_in_turns(
            servers,
            connections=tuple(arguments.connections),
            rounds=arguments.rounds,
            seconds=arguments.seconds,
            core=load_core,
        )
    figures = report.with_ratios(figures)
    report.show(figures)
    report.write(figures, arguments.out or Path("build/bench-peers.json" if arguments.peers else "build/bench.json"))


def cores() -> tuple[int, int]:
    """The core for servers and the one for load."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


@contextmanager
def floor(model: Path, *, core: int) -> Iterator[Served]:
    """The floor, running."""
    port = free_port()
    server = start([sys.executable, "-m", "bench.floor", str(model), str(port)], env={}, core=core)
    try:
        url = f"http://127.0.0.1:{port}/"
        server.wait_for(url, body=IRIS_ROW, timeout_s=30)
        yield Served(name="floor", url=url, pids=server.pids())
    finally:
        server.stop()


def _peers(model: Path, folder: Path, started: ExitStack, *, core: int) -> list[Served]:
    os.environ["IRIS_MODEL"] = str(model / "model.joblib")
    environments = {name: build(name, packages) for name, packages in requirements().items()}
    return [
        started.enter_context(running(peer, environments[peer.name], folder / peer.name, core=core)) for peer in PEERS
    ]


if __name__ == "__main__":
    main()
