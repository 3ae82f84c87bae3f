"""`python -m bench.scaling.cold [--services N] [--beside M]`: the first request to InferenceServices at zero.

Applies N services with a scikit-learn model that may go to zero, waits until the autoscaler has taken their last
replicas, then asks each one once: milliseconds from the request to its answer, through the gateway, the autoscaler and
the start of a replica. `--beside` keeps other services at zero on the same machine, which never had a replica; seconds
until all of those are applied and until all are ready are written too.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.installation import Client, installation
from bench.model import train

_SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
_SETTINGS = "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler"
_PODS = "/api/v1/namespaces/default/pods"
_INITIAL_SCALE = "autoscaling.knative.dev/initial-scale"
_ROW = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
_PATIENCE_S = 300.0
_PAUSE_S = 0.1


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling.cold", description=__doc__)
    parser.add_argument("--services", type=int, default=30, help="how many services, each asked once")
    parser.add_argument("--beside", type=int, default=0, help="other services, all at zero replicas")
    parser.add_argument("--out", type=Path, default=Path("build/bench-scaling-cold.json"), help="where to write it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        model = train(Path(folder))
        with installation(Path(home)) as running, Client(running.control_url) as control, Client(running.url) as data:
            applied = apply_beside(control, model, arguments.beside)
            taken = measure(control, data, model, services=arguments.services)
    parts = statistics.quantiles(taken, n=10, method="inclusive")
    figures = {"p50": round(statistics.median(taken), 1), "p90": round(parts[8], 1), "max": round(max(taken), 1)}
    for name, value in applied.items():
        print(f"  {name:<24}  {value:>7}")
    print("  request_to_answer_ms    " + "".join(f"  {part} {value:>7}" for part, value in figures.items()))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    written = {"services": arguments.services, "beside": arguments.beside, **applied, "request_to_answer_ms": figures}
    arguments.out.write_text(json.dumps(written) + "\n")


def apply_beside(control: Client, model: Path, count: int) -> dict[str, float]:
    """Services that begin at zero, one after the other on one connection."""
    if not count:
        return {}
    data = {"data": {"allow-zero-initial-scale": "true"}}
    control.must("PATCH", _SETTINGS, data, content_type="application/merge-patch+json")
    began = time.monotonic()
    for number in range(count):
        control.must("POST", _SERVICES, _service(f"other-{number}", model, {_INITIAL_SCALE: "0"}))
    applied_s = time.monotonic() - began
    _wait(lambda: all(_is_ready(item) for item in control.read(_SERVICES)["items"]))
    return {"apply_beside_s": round(applied_s, 2), "beside_ready_s": round(time.monotonic() - began, 2)}


def measure(control: Client, data: Client, model: Path, *, services: int) -> list[float]:
    """Milliseconds of each service's first request after it was at zero; the first service is not counted."""
    grace = {"data": {"scale-to-zero-grace-period": "6s"}}
    control.must("PATCH", _SETTINGS, grace, content_type="application/merge-patch+json")
    names = [f"iris-{number}" for number in range(services + 1)]
    for name in names:
        control.must("POST", _SERVICES, _service(name, model))
    _wait(lambda: all(_is_ready(item) for item in control.read(_SERVICES)["items"]))
    _wait(lambda: not control.read(_PODS)["items"])
    return [_ask(data, name) for name in names][1:]


def _ask(data: Client, name: str) -> float:
    began = time.perf_counter()
    data.must("POST", f"/serving/default/{name}/v1/models/{name}:predict", _ROW)
    taken_ms = (time.perf_counter() - began) * 1000
    time.sleep(_PAUSE_S)  # what follows an answer, such as the pod's record, is no part of the next one's time
    return taken_ms


def _service(name: str, model: Path, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    predictor = {"minReplicas": 0, "model": {"modelFormat": {"name": "sklearn"}, "storageUri": model.as_uri()}}
    window = {"autoscaling.knative.dev/window": "6s"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default", "annotations": {**window, **(annotations or {})}},
        "spec": {"predictor": predictor},
    }


def _is_ready(item: dict[str, Any]) -> bool:
    conditions = (item.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: not within {_PATIENCE_S:.0f} s")
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
