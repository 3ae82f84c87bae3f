"""Runs a script that draws pictures for the docs, in an environment that uv makes for it: Matplotlib is in none of the
project's, which draw a picture now and then."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def draw(script: Path, *arguments: str) -> int:
    """The script's exit status; without uv there are no pictures, which is said."""
    uv = shutil.which("uv") or ".bootstrap/bin/uv"
    if not shutil.which(uv):
        print("no pictures: uv is not here", file=sys.stderr)
        return 0
    command = [uv, "run", "-q", "--no-project", "--python", sys.executable, "--with", "matplotlib"]
    command += ["python", str(script), *arguments]
    return subprocess.run(command, check=False, env={**os.environ, "UV_SYSTEM_CERTS": "true"}).returncode
