"""A limit on what a worker may allocate, so that a model too large for its manifest fails with a sentence instead of
taking the machine's memory. Linux only; elsewhere there is no such limit and none is pretended."""

import logging
from pathlib import Path

_log = logging.getLogger(__name__)
_STATUS = Path("/proc/self/status")
# Room for the stacks and arenas that libraries reserve and never touch, which the kernel counts as data too.
_ROOM_BYTES = 64 * 1024 * 1024


def limit_memory(limit_bytes: int | None) -> None:
    """Let this process grow to about `limit_bytes` of resident memory; beyond it allocations fail (`MemoryError`)."""
    if limit_bytes is None or not _STATUS.exists():
        return
    import resource

    reserved = _kib("VmData") - _kib("RssAnon")
    wanted = limit_bytes + max(reserved, 0) * 1024 + _ROOM_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    _log.debug("allocations are limited to %d bytes", wanted)


def _kib(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0
