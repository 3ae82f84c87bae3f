"""`python -m bench.rollout`: InferenceServices are changed, and go to zero and come back, while they are asked.

Three parts. Under wrk, two services go through every kind of rollout. Services at zero are asked by crowds that come at
once. A service that does one request at a time grows from one replica to four. Whatever was not answered with a
prediction is printed, and is a failure of the run. Writes `build/bench-rollout.json` and, where uv is there to bring
Matplotlib, the docs' pictures.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.drawing import draw
from bench.installation import Client, Installation, installation
from bench.rollout import waking
from bench.rollout.asking import Crowd, Sample, asking, predict_path
from bench.rollout.changing import KNATIVE, STANDARD, Changes, Step, rest
from bench.rollout.flooding import Flood, flood
from bench.rollout.services import constant

_MODE_OF = {KNATIVE: "Knative", STANDARD: "Standard"}
_SLEEPERS = tuple(f"sleepy-{number}" for number in range(4))


def main() -> int:
    """Measure, print, write, draw."""
    parser = argparse.ArgumentParser(prog="python -m bench.rollout", description=__doc__)
    parser.add_argument("--connections", type=int, default=8, help="of wrk, to each service that is changed")
    parser.add_argument("--cycles", type=int, default=3, help="how often a service goes to zero and is woken")
    parser.add_argument("--out", type=Path, default=Path("build/bench-rollout.json"), help="where to write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        uris = {number: constant(Path(folder, str(number)), number) for number in (1, 2)}
        with installation(Path(home)) as running, Client(running.control_url) as control:
            figures = _measure(running, control, uris, arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures))
    failures = sum(figures["failures"].values())
    print(
        f"  failures: {failures}" + "".join(f"\n    {count} x {words}" for words, count in figures["failures"].items())
    )
    return 1 if failures else draw(Path(__file__).with_name("plots.py"), str(arguments.out))


def _measure(
    running: Installation, control: Client, uris: dict[int, str], arguments: argparse.Namespace
) -> dict[str, Any]:
    changes = Changes(control, uris)
    changes.create()
    figures: dict[str, Any] = {
        "rollouts": [
            _rollouts(running, service, steps, arguments.connections)
            for service, steps in (
                (KNATIVE, changes.of_knative_mode()),
                (STANDARD, changes.of_standard_mode()),
            )
        ]
    }
    waking.create(control, uris[1], _SLEEPERS)
    first, *others = _SLEEPERS
    figures["cycles"] = [
        _woken(waking.wake(control, running.url, [first], connections=32), "32 connections to one service")
        for _ in range(arguments.cycles)
    ]
    figures["together"] = _woken(
        waking.wake(control, running.url, [first, *others], connections=8), "8 connections to each of four services"
    )
    samples, ready = waking.burst(control, running.url, uris[1])
    figures["burst"] = {"samples": samples, "ready": ready}
    _tell("one to four replicas, one request at a time each", samples)
    figures["failures"] = _failures(figures)
    return figures


def _rollouts(running: Installation, service: str, steps: Iterable[Step], connections: int) -> dict[str, Any]:
    """wrk makes the load; clients of ours note the latencies, a little load beside it."""
    path = predict_path(service)
    notes: list[tuple[float, str]] = []
    with (
        flood(running.url + path, connections=connections) as found,
        asking(running.url, Crowd(service=service, path=path, connections=2, pause_s=0.004)) as clients,
    ):
        rest()
        for step in steps:
            notes.append((clients.now_s(), step.name))
            step.do()
            rest()
    counted = found.counted
    print(
        f"  {_MODE_OF[service]} mode, {len(notes)} changes in {clients.now_s():.0f} s, wrk with {connections}: ", end=""
    )
    print(f"{counted['requests']} requests, {counted['bad']} not 2xx, {counted['errors']} socket errors")
    _tell(f"{_MODE_OF[service]} mode, beside wrk", clients.samples)
    return {
        "mode": _MODE_OF[service],
        "steps": notes,
        "wrk": counted,
        "wrk_failures": _words(found),
        "samples": clients.samples,
    }


def _words(found: Flood) -> dict[str, int]:
    if found.is_clean:
        return {}
    words = "; ".join(found.words) or "wrk: socket errors"
    return {words: found.counted["bad"] + found.counted["errors"]}


def _woken(samples: list[Sample], what: str) -> list[Sample]:
    first: dict[str, float] = {}
    for sample in sorted(samples, key=lambda one: one.at_s + one.took_ms / 1000):
        first.setdefault(sample.service, sample.at_s * 1000 + sample.took_ms)
    _tell(f"{what}, at zero; first answers after {', '.join(f'{ms:.0f} ms' for ms in first.values())}", samples)
    return samples


def _tell(what: str, samples: Sequence[Sample]) -> None:
    taken = sorted(sample.took_ms for sample in samples)
    p99 = taken[int(0.99 * (len(taken) - 1))]
    figures = f"p50 {statistics.median(taken):.1f} ms, p99 {p99:.1f} ms, longest {taken[-1]:.1f} ms"
    print(f"  {what}: {len(taken)} requests, {figures}")


def _failures(figures: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for rollouts in figures["rollouts"]:
        found |= rollouts["wrk_failures"]
    for sample in _samples(figures):
        if sample.failure:
            found[sample.failure] = found.get(sample.failure, 0) + 1
    return found


def _samples(figures: dict[str, Any]) -> Iterator[Sample]:
    for rollouts in figures["rollouts"]:
        yield from rollouts["samples"]
    for cycle in figures["cycles"]:
        yield from cycle
    yield from figures["together"]
    yield from figures["burst"]["samples"]


if __name__ == "__main__":
    sys.exit(main())
