"""Pictures of `build/bench-scaling.json` for the docs. Run by `python -m bench.scaling`, in an environment of its own:
Matplotlib is in none of the project's."""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

POINTS = Path("build/bench-scaling.json")
PICTURES = Path("docs/pictures")


def main() -> None:
    """One picture for each trace."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for trace in json.loads(POINTS.read_text()):
        _draw(trace, PICTURES / f"scaling-{trace['name']}.svg")


def _draw(trace: Any, path: Path) -> None:
    pyplot.rcParams |= {"svg.hashsalt": "fairlead", "font.family": "sans-serif", "font.size": 10}
    figure, (above, below) = pyplot.subplots(2, 1, sharex=True, figsize=(6.4, 4.2))
    points = trace["points"]
    seconds = [point["second"] for point in points]
    above.fill_between(seconds, [point["concurrency"] for point in points], color="#8a8f98", alpha=0.6, linewidth=0)
    above.set(ylabel="requests here", title=trace["title"], ylim=(0, None))
    below.step(seconds, [point["desired"] for point in points], where="post", label="desired", color="#d9480f")
    below.step(seconds, [point["ready"] for point in points], where="post", label="ready", color="#1f6feb")
    below.set(xlabel="seconds", ylabel="replicas", ylim=(0, None))
    below.yaxis.get_major_locator().set_params(integer=True)
    below.legend(frameon=False)
    for axes in (above, below):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main()
