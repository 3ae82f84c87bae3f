"""The benchmarks that start a whole Fairlead run and write what their readers expect."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_a_few_deployments_at_zero_are_measured(tmp_path: Path) -> None:
    figures = _run("bench.scale", "--count", "5", out=tmp_path / "scale.json")

    assert figures["deployments"] == 5
    assert figures["apply_all_s"] <= figures["all_settled_s"]
    assert {"supervise", "gateway", "control", "nursery"} <= figures["pss_mib_by_process"].keys()
    assert figures["lookup_p50_us_with_all"] > 0


def test_cold_starts_among_others_are_measured(tmp_path: Path) -> None:
    figures = _run("bench.cold", "--times", "2", "--beside", "3", out=tmp_path / "cold.json")

    assert figures["beside"] == 3
    assert 0 < figures["start_to_ready_ms"]["p50"] < figures["patch_to_answer_ms"]["max"]


def _run(module: str, *options: str, out: Path) -> Any:
    command = [sys.executable, "-m", module, *options, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())
