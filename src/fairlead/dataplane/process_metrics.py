"""What every program that Prometheus watches says of itself: `process_*` and `python_*`, with the names and meanings
of Prometheus' own Python client. Read from /proc when asked; where there is none (macOS) only what the system's calls
tell.
"""

import gc
import os
import platform
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from fairlead.protocols.exposition import Family, counter, gauge

_PROC = Path("/proc")


def families() -> list[Family]:
    """This process now."""
    return [*_of_process(), *_of_python()]


def _of_process() -> Iterator[Family]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = usage.ru_utime + usage.ru_stime
    yield counter("process_cpu_seconds", "Total user and system CPU time spent in seconds.", ({}, seconds))
    try:
        fields = (_PROC / "self" / "stat").read_text().rpartition(")")[2].split()
        boot_s = _boot_s()
        open_fds = len(os.listdir(_PROC / "self" / "fd")) - 1  # noqa: PTH208 - names are enough; one is the listing's own
    except (OSError, ValueError, IndexError):
        return
    tick = os.sysconf("SC_CLK_TCK")
    resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    yield gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", ({}, int(fields[20])))
    yield gauge("process_resident_memory_bytes", "Resident memory size in bytes.", ({}, resident))
    started = boot_s + int(fields[19]) / tick
    yield gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", ({}, started))
    yield gauge("process_open_fds", "Number of open file descriptors.", ({}, open_fds))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield gauge("process_max_fds", "Maximum number of open file descriptors.", ({}, most))


def _boot_s() -> float:
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return time.time() - time.monotonic()


def _of_python() -> Iterator[Family]:
    lines = list(enumerate(gc.get_stats()))
    for key, name, text in (
        ("collected", "python_gc_objects_collected", "Objects collected during gc"),
        ("uncollectable", "python_gc_objects_uncollectable", "Uncollectable objects found during GC"),
        ("collections", "python_gc_collections", "Number of times this generation was collected"),
    ):
        yield counter(name, text, *(({"generation": str(number)}, stats[key]) for number, stats in lines))
    major, minor, patch = platform.python_version_tuple()
    labels = {
        "implementation": platform.python_implementation(),
        "major": major,
        "minor": minor,
        "patchlevel": patch,
        "version": platform.python_version(),
    }
    yield gauge("python_info", "Python platform information", (labels, 1))
