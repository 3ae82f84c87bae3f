"""`python -m bench.operator_scale`: what the operator costs per resource, and per hour in which nothing happens.

The operator works against the API server double of the tests (`tests` must be on PYTHONPATH), which runs in a thread
of its own: its processor time is told apart from the operator's, and every request is counted by its verb. Deployments
are ready as soon as they are written, so that what is counted is the operator's own work, not its waiting for pods.

An hour is not waited for. What happens in one is measured piece by piece (a list of everything, a renewal of the lease,
watches that end and are taken up) and multiplied by how often each happens with the operator's settings.
"""

import argparse
import asyncio
import json
from pathlib import Path

from bench.operator_scale.manifests import MANIFESTS
from bench.operator_scale.measuring import idle_hour, measure, renewal


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.operator_scale", description=__doc__)
    parser.add_argument("--count", type=int, action="append", help="how many resources; may be given again")
    parser.add_argument("--kind", choices=sorted(MANIFESTS), action="append", help="of which kind; may be given again")
    parser.add_argument("--out", type=Path, default=Path("build/bench-operator-scale.json"))
    arguments = parser.parse_args()
    found, renewed = [], asyncio.run(renewal())
    for count in arguments.count or (10, 1000, 10_000):
        for kind in arguments.kind or MANIFESTS:
            figures = {**asyncio.run(measure(kind, count)), "renewed": renewed}
            found.append({**figures, "idle_hour": idle_hour(figures)})
            print(json.dumps(found[-1], indent=1), flush=True)
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
