"""The benchmark runs and writes what its readers expect. What it measures is nobody's assertion."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_one_short_round_writes_a_figure_for_every_server(tmp_path: Path) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("not run: no wrk on this machine; `apt-get install wrk` gets it")
    out = tmp_path / "bench.json"

    command = [
        sys.executable,
        "-m",
        "bench",
        "--seconds",
        "1",
        "--rounds",
        "1",
        "--connections",
        "32",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)

    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    names = [figure["name"] for figure in figures]
    assert names == [
        "floor",
        "worker",
        "worker, V1",
        "worker, V2",
        "no-op unit",
        "five no-op units",
        "worker, V2 binary",
        "gateway and worker",
    ]
    keys = {"name", "connections", "rps", "p50_us", "p99_us", "cpu_us_per_request", "ratio_to_floor"}
    assert all(set(figure) == keys for figure in figures)
    assert figures[0]["ratio_to_floor"] == 1.0
    assert "gateway and worker" in done.stdout


def test_the_ends_of_every_curve_are_measured(tmp_path: Path) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("not run: no wrk on this machine; `apt-get install wrk` gets it")
    out = tmp_path / "curves.json"

    command = [sys.executable, "-m", "bench.curves", "deployments", "--short", "--seconds", "1", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)

    assert done.returncode == 0, done.stderr
    assert [(point["curve"], point["x"]) for point in json.loads(out.read_text())] == [
        ("deployments", 1),
        ("deployments", 1000),
    ]
