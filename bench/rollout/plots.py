"""Pictures of what `python -m bench.rollout` wrote, for the docs. Run by it with that file's path, in an environment of
its own: Matplotlib is in none of the project's."""

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

PICTURES = Path("docs/pictures")
_BIN_S = 0.1
_GREY, _BLUE, _ORANGE = "#8a8f98", "#1f6feb", "#d9480f"
_AT, _TOOK, _SAID = 1, 2, 3
"""Where a sample has what."""


def main() -> None:
    """Everything."""
    figures = json.loads(Path(sys.argv[1]).read_text())
    PICTURES.mkdir(parents=True, exist_ok=True)
    pyplot.rcParams |= {"svg.hashsalt": "fairlead", "font.family": "sans-serif", "font.size": 10}
    for rollouts in figures["rollouts"]:
        _draw_rollouts(rollouts, PICTURES / f"rollout-{rollouts['mode'].lower()}.svg")
    _draw_waking(figures["cycles"], PICTURES / "rollout-from-zero.svg")
    _draw_burst(figures["burst"], PICTURES / "rollout-burst.svg")


def _draw_rollouts(rollouts: Any, path: Path) -> None:
    figure, (above, below) = pyplot.subplots(2, 1, sharex=True, figsize=(8.4, 5.0), height_ratios=(3, 2))
    bins = _bins(rollouts["samples"])
    seconds = [second for second, _ in bins]
    above.plot(seconds, [max(_taken(one)) for _, one in bins], color=_ORANGE, linewidth=0.9, label="longest")
    above.plot(seconds, [statistics.median(_taken(one)) for _, one in bins], color=_BLUE, label="p50")
    above.set(ylabel="ms", yscale="log", title=_title(rollouts))
    above.legend(frameon=False, loc="upper right")
    second_share = [100 * sum(sample[_SAID] == 2 for sample in one) / len(one) for _, one in bins]
    below.fill_between(seconds, second_share, color=_GREY, alpha=0.6, linewidth=0, step="mid")
    below.set(xlabel="seconds", ylabel="% answered by model 2", ylim=(0, 100), xlim=(0, seconds[-1]))
    for second, name in rollouts["steps"]:
        for axes in (above, below):
            axes.axvline(second, color="black", linewidth=0.6, alpha=0.5)
        below.text(second, 97, f" {name}", rotation=90, va="top", ha="left", fontsize=7.5)
    _save(figure, (above, below), path)


def _title(rollouts: Any) -> str:
    counted = rollouts["wrk"]
    failed = counted["bad"] + counted["errors"]
    return f"{rollouts['mode']} mode under wrk: {counted['requests']:,} requests, {failed} failed".replace(",", " ")


def _draw_waking(cycles: Sequence[Any], path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(6.4, 3.4))
    for number, samples in enumerate(cycles):
        axes.plot([sample[_AT] * 1000 for sample in samples], [sample[_TOOK] for sample in samples], linestyle="",
                  marker=".", markersize=3, alpha=0.7, label=f"cycle {number + 1}", rasterized=True)  # fmt: skip
    axes.set(xlabel="ms since 32 connections asked a service at zero", ylabel="ms until the answer", yscale="log",
             xlim=(-20, 1000), title="The first second of a service that was at zero")  # fmt: skip
    axes.legend(frameon=False)
    _save(figure, (axes,), path)


def _draw_burst(burst: Any, path: Path) -> None:
    figure, (above, below) = pyplot.subplots(2, 1, sharex=True, figsize=(6.4, 4.2))
    bins = _bins(burst["samples"])
    seconds = [second for second, _ in bins]
    above.plot(seconds, [statistics.median(_taken(one)) for _, one in bins], color=_BLUE, label="p50")
    above.plot(seconds, [max(_taken(one)) for _, one in bins], color=_ORANGE, linewidth=0.9, label="longest")
    above.set(ylabel="ms", yscale="log", title="containerConcurrency 1, 8 connections")
    above.legend(frameon=False)
    below.step([second for second, _ in burst["ready"]], [count for _, count in burst["ready"]],
               where="post", color=_BLUE)  # fmt: skip
    below.set(xlabel="seconds", ylabel="replicas ready", ylim=(0, None))
    _save(figure, (above, below), path)


def _bins(samples: Sequence[Any]) -> list[tuple[float, list[Any]]]:
    found: dict[int, list[Any]] = {}
    for sample in samples:
        found.setdefault(int(sample[_AT] / _BIN_S), []).append(sample)
    return [(number * _BIN_S, found[number]) for number in sorted(found)]


def _taken(samples: Sequence[Any]) -> list[float]:
    return [sample[_TOOK] for sample in samples]


def _save(figure: Any, every: Sequence[Any], path: Path) -> None:
    for axes in every:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None}, dpi=160)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
