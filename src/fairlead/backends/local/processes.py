"""What the kernel does for a family of processes: who adopts orphans, who dies with whom, which descriptors stay.

The only module that knows Linux from other systems. macOS has no subreaper and no parent-death signal; there a
process learns of its parent's end by the end of its channel, and workers start by spawn instead of by fork.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

IS_LINUX = sys.platform == "linux"
CAN_FORK_WORKERS = IS_LINUX
"""Whether a nursery may fork: system libraries of macOS do not survive a fork without exec."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Loaded before any fork: dlopen between fork and exec may deadlock on the loader's lock.
_LIBC = ctypes.CDLL(None, use_errno=True) if IS_LINUX else None

# What a child may see of the owner's environment: places, no credentials. The engine's are for container runners.
_PASSED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "VIRTUAL_ENV",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "XDG_CACHE_HOME",
        "XDG_RUNTIME_DIR",
        "FAIRLEAD_HOME",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_CONFIG",
        "DOCKER_CERT_PATH",
        "DOCKER_TLS_VERIFY",
        "CONTAINER_HOST",
        "FAIRLEAD_ACCESS_LOG",
    }
)
# OTEL_: where spans go; a collector's headers may hold a key, which a worker needs to send them.
_PASSED_PREFIXES = ("LC_", "PYTHON", "CUDA_", "NVIDIA_", "OTEL_")


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends. Without effect off Linux."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int, signal_number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends. `parent` is the pid it should have now;
    if that one has ended already, this process ends here."""
    signal_at_parents_end(signal_number)
    if IS_LINUX and os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


def signal_at_parents_end(signal_number: int) -> None:
    """Have the kernel send this process a signal when the parent it has at this moment ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def scrubbed_environment(environ: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The part of an environment that holds no credentials, with `extra` on top."""
    kept = {key: value for key, value in environ.items() if key in _PASSED or key.startswith(_PASSED_PREFIXES)}
    return kept | dict(extra or {})


def is_alive(pid: int) -> bool:
    """Whether a process of that id exists and has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z"


def kill_group(pid: int, signal_number: int = signal.SIGKILL) -> None:
    """Signal the process group that `pid` leads or led; nothing happens when it is empty."""
    if pid <= 1:
        return  # 0 would be our own group
    try:
        os.killpg(pid, signal_number)
    except (ProcessLookupError, PermissionError):
        return


def descendants(pid: int) -> list[int]:
    """Every living process below `pid`, children before their own. Empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*") if IS_LINUX else ():
        parent = _parent(int(entry.name))
        if parent:
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.extend(below)
        waiting.extend(below)
    return found


def own_children() -> list[int]:
    """Direct children of this process, dead ones that were not waited for included."""
    try:
        return [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]
    except OSError:
        return []


def start_mark(pid: int) -> str:
    """A text that tells two processes with the same recycled pid apart; empty when it cannot be known."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def thread_count() -> int:
    """Threads of this process, Python's and those of libraries."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - counting, not walking
    except OSError:
        return 1


def no_core_dumps() -> None:
    """Cores of workers hold payloads and environment; never write them."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def close_descriptors_except(kept: Iterable[int]) -> None:
    """Close every descriptor from 3 up that is not in `kept`."""
    low = 3
    for descriptor in sorted(number for number in kept if number >= 3):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 20))


def _prctl(option: int, value: int) -> None:
    if _LIBC is not None and _LIBC.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the program's name, which may itself hold blanks."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rfind(")") + 2 :].split()


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if len(fields) > 1 else 0
