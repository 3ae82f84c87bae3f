"""`uv run --no-project --with matplotlib python bench/plots.py`: pictures of `build/bench-curves.json` for the docs.

Matplotlib is in no environment of the project: it draws four pictures now and then.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

POINTS = Path("build/bench-curves.json")
PICTURES = Path("docs/pictures")
_COLOURS = {"floor": "#8a8f98", "worker": "#1f6feb", "gateway and worker": "#d9480f"}
_CURVES = {
    "connections": ("connections", "requests per second", "One iris row, scikit-learn", "rps"),
    "bodies": (
        "bytes of the tensor, there and back",
        "MiB per second each way",
        "V2 binary through a user class",
        "mib",
    ),
    "deployments": (
        "deployments in the route table",
        "p50 in µs, 32 connections",
        "One no-op unit among others",
        "p50",
    ),
    "workers": ("replicas", "requests per second", "A unit that waits 5 ms, 64 connections", "rps"),
}


def main() -> None:
    """Draw every curve there are points for."""
    points = json.loads(POINTS.read_text())
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, (x_label, y_label, title, value) in _CURVES.items():
        found = [point for point in points if point["curve"] == name]
        if found:
            _draw(found, PICTURES / f"{name}.svg", x_label, y_label, title, value)


def _draw(points: Sequence[Any], path: Path, x_label: str, y_label: str, title: str, value: str) -> None:
    pyplot.rcParams |= {"svg.hashsalt": "fairlead", "font.family": "sans-serif", "font.size": 10}
    figure, axes = pyplot.subplots(figsize=(6.4, 3.4))
    for server in dict.fromkeys(point["server"] for point in points):
        own = [point for point in points if point["server"] == server]
        axes.plot([point["x"] for point in own], [_value(point, value) for point in own],
                  marker="o", label=server, color=_COLOURS.get(server))  # fmt: skip
    axes.set(xlabel=x_label, ylabel=y_label, title=title, ylim=(0, None))
    axes.set_xscale("log", base=10 if value == "p50" else 2)
    axes.set_xticks(
        sorted({point["x"] for point in points}), labels=[_short(x) for x in sorted({p["x"] for p in points})]
    )
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _value(point: Any, value: str) -> float:
    if value == "mib":
        return float(point["rps"] * point["x"] / 1024**2)
    return float(point["p50_us"] if value == "p50" else point["rps"])


def _short(number: int) -> str:
    for size, letter in ((1024**2, "Mi"), (1024, "Ki")):
        if number >= size and number % size == 0:
            return f"{number // size}{letter}"
    return f"{number:,}".replace(",", " ")


if __name__ == "__main__":
    main()
