"""Run Python with a disk that fills up: a tiny tmpfs in a mount namespace of its own, or a limit on file sizes."""

import resource
import subprocess
import sys
from pathlib import Path

_SIZE_BYTES = 1024 * 1024


def run_on_small_disk(folder: Path, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `script` with about 1 MiB of room in `folder` (created). The mount disappears with the process, so the
    script must look at what is left itself. Where no namespace may be made, one file may have 1 MiB instead."""
    folder.mkdir(parents=True, exist_ok=True)
    python = [sys.executable, "-c", script, *arguments]
    mount = f'mount -t tmpfs -o size={_SIZE_BYTES} none "$0" && exec "$@"'
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(folder), *python]
    if not _namespaces_work(folder):
        words = python
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=_limit if words is python else None,
    )


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SIZE_BYTES, _SIZE_BYTES))


def _namespaces_work(folder: Path) -> bool:
    words = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", str(folder)]
    try:
        return subprocess.run(words, capture_output=True, timeout=20, check=False).returncode == 0
    except FileNotFoundError:
        return False
