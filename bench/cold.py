"""`python -m bench.cold`: from zero replicas to the first answer, scikit-learn.

Sets the scale to one and sends requests until one is answered with 200. Two times: from the moment the PATCH is sent
(the whole, which an autoscaler would see), and from the moment the supervisor starts the replica until it is ready
(fork, load, first check). `--beside N` keeps that many other deployments at zero on the same machine.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

from bench.installation import DEPLOYMENTS, Client, Installation, installation, sklearn_deployment
from bench.model import train
from fairlead.backends.local.client import SupervisorClient
from fairlead.backends.local.home import Home
from fairlead.backends.local.rpc import Changed
from fairlead.plan.status import ReplicaState

_NAME = "cold"
_PREDICT = f"/seldon/default/{_NAME}/api/v1.0/predictions"
_ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}
_PAUSE_S = 0.001


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how many cold starts")
    parser.add_argument("--beside", type=int, default=0, help="other deployments, all at zero replicas")
    parser.add_argument("--out", type=Path, default=Path("build/bench-cold.json"), help="where to write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        model = train(Path(folder))
        with installation(Path(home)) as running, _starts_of(Home(Path(home))) as starts:
            whole = measure(running, model, times=arguments.times, beside=arguments.beside)
    figures = {
        "beside": arguments.beside,
        "patch_to_answer_ms": _percentiles(whole),
        # The first start of a machine also imports the runtime's libraries, once for all its models.
        "start_to_ready_ms": _percentiles(starts[-arguments.times :]),
    }
    for name in ("patch_to_answer_ms", "start_to_ready_ms"):
        print(f"  {name:<24}" + "".join(f"  {part} {value:>7}" for part, value in figures[name].items()))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


def measure(running: Installation, model: Path, *, times: int, beside: int) -> list[float]:
    """Milliseconds of each cold start after one that is not counted."""
    with Client(running.control_url) as control, Client(running.url) as data:
        for index in range(beside):
            control.must("POST", DEPLOYMENTS, sklearn_deployment(f"other{index}", model, replicas=0))
        control.must("POST", DEPLOYMENTS, sklearn_deployment(_NAME, model, replicas=0))
        _until(data, 503)
        taken = [_once(control, data) for _ in range(times + 1)]
    return taken[1:]


def _once(control: Client, data: Client) -> float:
    started = time.perf_counter()
    _scale(control, 1)
    _until(data, 200)
    taken_ms = (time.perf_counter() - started) * 1000
    _scale(control, 0)
    _until(data, 503)
    while control.read("/api/v1/namespaces/default/pods")["items"]:
        time.sleep(0.01)
    return taken_ms


def _scale(control: Client, replicas: int) -> None:
    patch = {"spec": {"replicas": replicas}}
    control.must("PATCH", f"{DEPLOYMENTS}/{_NAME}/scale", patch, content_type="application/merge-patch+json")


def _until(data: Client, wanted: int) -> None:
    while data.call("POST", _PREDICT, _ROW) != wanted:
        time.sleep(_PAUSE_S)


@contextmanager
def _starts_of(home: Home) -> Iterator[list[float]]:
    """Milliseconds from start to ready of each replica, as the supervisor tells its watchers."""
    found: list[float] = []
    watching, over = threading.Event(), threading.Event()

    async def watch() -> None:
        async with SupervisorClient(home.supervisor_socket) as supervisor, anyio.create_task_group() as tasks:
            await supervisor.connected()
            tasks.start_soon(note, supervisor)
            watching.set()
            await anyio.to_thread.run_sync(over.wait)
            tasks.cancel_scope.cancel()

    async def note(supervisor: SupervisorClient) -> None:
        async for change in supervisor.changes():
            if isinstance(change, Changed) and change.replica.state is ReplicaState.READY:
                found.append((change.replica.ready_at - change.replica.started_at) * 1000)

    thread = threading.Thread(target=anyio.run, args=(watch,))
    thread.start()
    watching.wait()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def _percentiles(values: list[float]) -> dict[str, Any]:
    parts = statistics.quantiles(values, n=10, method="inclusive")
    return {"p50": round(statistics.median(values), 1), "p90": round(parts[8], 1), "max": round(max(values), 1)}


if __name__ == "__main__":
    main()
