"""The same manifest gives the same text in every process: what Git keeps does not change by itself, and an operator
that started again restarts no pod."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import golden

_PROGRAM = """
import sys
from pathlib import Path
from support import golden, golden_objects
for name in sys.argv[1:]:
    sys.stdout.write(golden_objects.outcome(golden.ROOT / name))
"""
_FOLDERS = ("seldon/fused-graph", "seldon/istio", "seldon/network-policy", "kserve/cluster/storage-uris")


def _rendered(seed: str) -> str:
    tests = Path(golden.__file__).parent.parent
    environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tests)}
    command = [sys.executable, "-c", _PROGRAM, *_FOLDERS]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=100).stdout


@pytest.mark.slow
def test_the_order_of_sets_does_not_show() -> None:
    first = _rendered("1")

    assert first.count("kind: Deployment") >= 4
    assert _rendered("2") == first
