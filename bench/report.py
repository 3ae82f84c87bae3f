"""The table and the file of a run: `build/bench.json` is a list of figures."""

import dataclasses
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import Figure


def with_ratios(figures: list[Figure]) -> list[Figure]:
    """The figures with requests per second as a ratio to the floor's at the same number of connections."""
    floors = {figure.connections: figure.rps for figure in figures if figure.name == "floor"}
    return [
        dataclasses.replace(figure, ratio_to_floor=figure.rps / floors[figure.connections])
        if figure.connections in floors
        else figure
        for figure in figures
    ]


def write(figures: list[Figure], path: Path) -> None:
    """Save the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dataclasses.asdict(figure) for figure in figures], indent=1) + "\n")


def show(figures: list[Figure]) -> None:
    """Print the table."""
    table = Table(title="One iris row; the servers share one core, the load has another")
    table.add_column("server", no_wrap=True)
    for column in ("connections", "req/s", "ratio", "p50 µs", "p99 µs", "CPU µs/req"):
        table.add_column(column, justify="right")
    for figure in figures:
        table.add_row(
            figure.name,
            str(figure.connections),
            f"{figure.rps:,.0f}".replace(",", " "),
            f"{figure.ratio_to_floor:.2f}" if figure.ratio_to_floor else "",
            f"{figure.p50_us:,.0f}".replace(",", " "),
            f"{figure.p99_us:,.0f}".replace(",", " "),
            f"{figure.cpu_us_per_request:.1f}" if figure.cpu_us_per_request else "",
        )
    Console().print(table)
