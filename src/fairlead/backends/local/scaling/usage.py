"""How much processor and memory a replica's processes use, from /proc. Where there is none, nothing is known."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor since the processes began, and the bytes of memory that count as theirs."""

    cpu_s: float
    memory_bytes: int


def usage_of(pids: Iterable[int], *, proc: Path = _PROC) -> Usage | None:
    """These processes and all that they started; `None` when none of them is there."""
    found = [one for pid in pids for each in (pid, *_below(pid, proc)) if (one := _usage(each, proc)) is not None]
    if not found:
        return None
    return Usage(sum(one.cpu_s for one in found), sum(one.memory_bytes for one in found))


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    cpu_s: float


class UsageMeter:
    """Turns processor time into cores by looking twice. Replicas go by name."""

    def __init__(self, *, proc: Path = _PROC) -> None:
        self._proc = proc
        self._seen: dict[str, _Seen] = {}

    def cores_and_bytes(self, replica: str, pids: Sequence[int], *, now: float) -> tuple[float | None, int] | None:
        """Cores used since the last call for this replica (`None` at the first) and bytes held."""
        usage = usage_of(pids, proc=self._proc)
        if usage is None:
            self._seen.pop(replica, None)
            return None
        before = self._seen.get(replica)
        self._seen[replica] = _Seen(now, usage.cpu_s)
        if before is None or now <= before.at or usage.cpu_s < before.cpu_s:
            return None, usage.memory_bytes
        return (usage.cpu_s - before.cpu_s) / (now - before.at), usage.memory_bytes

    def keep(self, replicas: Iterable[str]) -> None:
        """Forget all others."""
        kept = set(replicas)
        self._seen = {name: seen for name, seen in self._seen.items() if name in kept}


def _below(pid: int, proc: Path) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for path in (proc / str(waiting.pop()) / "task").glob("*/children"):
            try:
                below = [int(one) for one in path.read_text().split()]
            except OSError:
                continue
            found += below
            waiting += below
    return found


def _usage(pid: int, proc: Path) -> Usage | None:
    try:
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        ticks = sum(int(field) for field in fields[11:15])  # its own time and that of children it has waited for
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), _memory_bytes(pid, fields, proc))
    except (OSError, ValueError, IndexError):
        return None


def _memory_bytes(pid: int, fields: Sequence[str], proc: Path) -> int:
    """The proportional set size: forked workers share the libraries they began with, and each counts its part."""
    try:
        for line in (proc / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
