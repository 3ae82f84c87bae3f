"""`python -m bench` and `python -m bench --peers`: every figure of one run beside the floor of the same run."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from bench import fairlead_runs, report
from bench.load import IRIS_ROW, Figure, measure
from bench.model import train
from bench.peers.run import PEERS, build, requirements, run
from bench.servers import free_port, start

CONNECTIONS = (1, 32)


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="measure the servers people use today instead")
    parser.add_argument("--seconds", type=float, default=4, help="length of each measurement")
    parser.add_argument("--out", type=Path, default=None, help="where to write the figures as JSON")
    arguments = parser.parse_args()
    core, load_core = _cores()
    with tempfile.TemporaryDirectory() as folder:
        model = train(Path(folder))
        os.environ["IRIS_MODEL"] = str(model / "model.joblib")
        figures = _floor(model, core=core, load_core=load_core, seconds=arguments.seconds)
        if arguments.peers:
            environments = {name: build(name, packages) for name, packages in requirements().items()}
            for peer in PEERS:
                figures += run(peer, environments[peer.name], connections=CONNECTIONS, core=core, load_core=load_core)
        else:
            figures += fairlead_runs.all_figures(
                model, connections=CONNECTIONS, core=core, load_core=load_core, seconds=arguments.seconds
            )
    figures = report.with_ratios(figures)
    report.show(figures)
    report.write(figures, arguments.out or Path("build/bench-peers.json" if arguments.peers else "build/bench.json"))


def _cores() -> tuple[int, int]:
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


def _floor(model: Path, *, core: int, load_core: int, seconds: float) -> list[Figure]:
    port = free_port()
    server = start([sys.executable, "-m", "bench.floor", str(model), str(port)], env={}, core=core)
    try:
        url = f"http://127.0.0.1:{port}/"
        server.wait_for(url, body=IRIS_ROW, timeout_s=30)
        return [
            measure("floor", url, connections=count, pids=server.pids(), core=load_core, seconds=seconds)
            for count in CONNECTIONS
        ]
    finally:
        server.stop()


if __name__ == "__main__":
    main()
