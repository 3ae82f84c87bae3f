"""Gets a CPU build of PyTorch for the tests that need it, where pip knows of one without an index.

No lock has torch: on Linux PyPI's build brings five gigabytes of CUDA. Where an administrator has put a CPU wheel in
reach (`find-links` in pip's configuration) it is installed into `.venv`; elsewhere those tests report themselves as not
run. Never a reason for the tests not to start.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
SMALL_ONES = ("filelock", "fsspec", "networkx", "sympy", "mpmath", "safetensors")


def main() -> int:
    if _has_torch():
        return 0
    why = _install()
    if why:
        print(f"not run: checks of PyTorch and Hugging Face models: {why}", file=sys.stderr)
    return 0


def _has_torch() -> bool:
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    return subprocess.run([str(PYTHON), "-c", find], check=False).returncode == 0


def _install() -> str:
    """Install torch and what it imports; the returned text is the reason when that cannot be."""
    print("setup: looking for a CPU build of PyTorch", file=sys.stderr, flush=True)
    uv = shutil.which("uv") or str(ROOT / ".bootstrap" / "bin" / "uv")
    # What torch imports comes first, so that there is never a torch that cannot be imported. `--no-config`: the
    # project's own settings keep torch out of every resolution.
    small = [uv, "pip", "install", "-q", "--no-config", "--python", str(PYTHON), *SMALL_ONES]
    if (why := _run(small, {"UV_SYSTEM_CERTS": "true"})) != "":
        return why
    pip = [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "-q", "--no-deps", "--no-index", "torch"]
    if (why := _run(pip, {})) != "":
        return f"no torch at hand ({why}); CONTRIBUTING.md says how to add one"
    return ""


def _run(command: list[str], env: dict[str, str]) -> str:
    try:
        done = subprocess.run(command, env={**env, **os.environ}, capture_output=True, text=True, check=False, cwd="/")
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]


if __name__ == "__main__":
    sys.exit(main())
