"""Whether PyPI, or whatever index uv is set up for, can be reached from here."""

import subprocess
from functools import cache

import pytest


@cache
def _is_reachable() -> bool:
    argv = ["uv", "pip", "compile", "-", "--no-progress", "--no-header", "--quiet", "--refresh-package", "cowsay"]
    try:
        done = subprocess.run(argv, input="cowsay==6.1", text=True, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@pytest.fixture
def package_index() -> None:
    """For tests that install something."""
    if not _is_reachable():
        pytest.skip("not run: the package index is not reachable")
