"""`python -m bench.scale`: what a thousand deployments at zero replicas cost on one machine.

Applies them one after the other through the API on one connection, as `kubectl apply` does, and asks the gateway for
one of them before and after: its refusal (503, scaled to zero) has passed the whole lookup. Memory is the
proportional set size of every process together.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.installation import DEPLOYMENTS, Client, Installation, installation, sklearn_deployment
from bench.model import train

_APPLY = "application/apply-patch+yaml"
_ASKED = 400
_QUIET_S = 1.0


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many deployments")
    parser.add_argument("--out", type=Path, default=Path("build/bench-scale.json"), help="where to write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        model = train(Path(folder))
        with installation(Path(home)) as running:
            figures = measure(running, model, count=arguments.count)
    show(figures)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


def measure(running: Installation, model: Path, *, count: int) -> dict[str, Any]:
    """The figures, by name."""
    with Client(running.control_url) as control, Client(running.url) as data:
        # A first start brings what is paid once: validators, the model in the cache, the nursery of its runtime.
        _apply(control, model, 0, replicas=1)
        _wait_until_settled(control, count=1)
        _apply(control, model, 0)
        _wait_until_settled(control, count=1)
        time.sleep(_QUIET_S)
        lookup_before, memory_before = _lookup_us(data, "m0"), running.pss_by_process()
        started = time.monotonic()
        for index in range(1, count):
            _apply(control, model, index)
        applied_s = time.monotonic() - started
        _wait_until_settled(control, count=count)
        settled_s = time.monotonic() - started
        time.sleep(_QUIET_S)
        memory = running.pss_by_process()
        names = sorted(memory_before.keys() | memory.keys())
        growth = {name: (memory.get(name, 0.0) - memory_before.get(name, 0.0)) / (count - 1) for name in names}
        return {
            "deployments": count,
            "apply_all_s": round(applied_s, 2),
            "all_settled_s": round(settled_s, 2),
            "kib_per_deployment": round(sum(growth.values()), 1),
            "kib_per_deployment_by_process": {name: round(value, 1) for name, value in growth.items()},
            "pss_mib_by_process": {name: round(value / 1024, 1) for name, value in memory.items()},
            "lookup_p50_us_with_one": lookup_before,
            "lookup_p50_us_with_all": _lookup_us(data, f"m{count // 2}"),
        }


def show(figures: dict[str, Any]) -> None:
    """One line per figure."""
    for name, value in figures.items():
        if isinstance(value, dict):
            for process, part in value.items():
                print(f"  {name + ' ' + process:<48} {part:>10}")
        else:
            print(f"  {name:<48} {value:>10}")


def _apply(control: Client, model: Path, index: int, *, replicas: int = 0) -> None:
    document = sklearn_deployment(f"m{index}", model, replicas=replicas)
    control.must("PATCH", f"{DEPLOYMENTS}/m{index}?fieldManager=bench&force=true", document, content_type=_APPLY)


def _wait_until_settled(control: Client, *, count: int) -> None:
    """Until every deployment is available as it was applied last."""
    while True:
        items = control.read(DEPLOYMENTS)["items"]
        if sum(map(_is_settled, items)) == len(items) == count:
            return
        time.sleep(0.2)


def _is_settled(item: dict[str, Any]) -> bool:
    status = item.get("status", {})
    is_current = status.get("observedGeneration", item["metadata"]["generation"]) == item["metadata"]["generation"]
    return bool(is_current and status.get("state") == "Available")


def _lookup_us(data: Client, name: str) -> float:
    """The time of a request that the gateway answers by itself."""
    path = f"/seldon/default/{name}/api/v1.0/predictions"
    taken = []
    for _ in range(_ASKED):
        started = time.perf_counter()
        status = data.call("POST", path, {"data": {"ndarray": [[1, 2, 3, 4]]}})
        taken.append(time.perf_counter() - started)
        if status != 503:
            raise SystemExit(f"bench: {path} answered {status}, expected 503 from a deployment at zero replicas")
    return round(statistics.median(taken) * 1e6, 1)


if __name__ == "__main__":
    main()
