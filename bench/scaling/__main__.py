"""`python -m bench.scaling`: run the traces, say what came of them, write `build/bench-scaling.json` and, where uv is
there to bring Matplotlib, the docs' pictures."""

import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

from bench.drawing import draw
from bench.scaling.simulating import Outcome, component, simulate
from bench.scaling.traces import Trace, every
from fairlead.plan.scaling import KnativeScaling

OUT = Path("build/bench-scaling.json")
_START_S = 2.0
_MOST = 40


def main() -> int:
    """Everything."""
    found = [
        (trace, simulate(trace, component(KnativeScaling(), trace.limit, most=_MOST), start_s=_START_S))
        for trace in every()
    ]
    for trace, outcome in found:
        print(_line(trace, outcome))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([_record(trace, outcome) for trace, outcome in found]))
    return draw(Path(__file__).with_name("plots.py"))


def _line(trace: Trace, outcome: Outcome) -> str:
    waits = sorted(outcome.waits_s)
    most = max(point.desired for point in outcome.points)
    late = waits[int(0.99 * (len(waits) - 1))]
    return (
        f"{trace.name}: {len(waits)} requests, at most {most} replicas; waited for one: "
        f"p50 {statistics.median(waits):.2f} s, p99 {late:.2f} s, longest {waits[-1]:.2f} s"
    )


def _record(trace: Trace, outcome: Outcome) -> dict[str, object]:
    return {"name": trace.name, "title": trace.title, "points": [asdict(point) for point in outcome.points]}


if __name__ == "__main__":
    sys.exit(main())
