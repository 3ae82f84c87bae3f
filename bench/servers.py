"""Start servers under measurement, pinned to a core, and stop them with everything they started."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """`pid` and every process below it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in task.read_text().split()]
    return found


@dataclass(slots=True)
class Running:
    """A server in a session of its own."""

    process: subprocess.Popen[str]

    def pids(self) -> list[int]:
        """Every process that belongs to it."""
        return descendants(self.process.pid)

    def wait_for(self, url: str, *, body: bytes, timeout_s: float, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
        """The first 200 answer to a POST of `body`, which is JSON unless `headers` say that only its start is."""
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(OSError):
                return _post(url, body, headers)
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: no answer from {url}; started as {self.process.args!r}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it and its children."""
        pids = self.pids()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def start(argv: list[str], *, env: Mapping[str, str], core: int | None, cwd: Path | None = None) -> Running:
    """Start `argv` on one core; its output goes to our standard error when BENCH_VERBOSE is set."""
    pin = ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []
    sink = sys.stderr if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **env}
    process = subprocess.Popen(
        [*pin, *argv], env=environment, cwd=cwd, stdout=sink, stderr=sink, text=True, start_new_session=True
    )
    return Running(process)


def _post(url: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> bytes:
    content_type = "application/octet-stream" if headers else "application/json"
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type, **dict(headers)})
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content
