"""Memory, file descriptors, sockets and threads of the processes that live long, and whether they grow.

A process is judged on the samples after its warm-up and outside the storms. Growth of memory is what a straight line
through them (the median of all slopes, which a few odd samples do not move) says for their whole time.
"""

import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.servers import descendants

MOST_GROWTH_MIB = 4.0
MOST_GROWTH_SHARE = 0.05
FILLING_MIB = {"control": 8.0}
"""Control keeps the last changes of all objects for those who watch, up to 16 MiB. A kill is about ten changes of
5 KiB, so that window fills all the time of a soak."""
MOST_FDS = 10
MOST_THREADS = 4
_WARM_UP = 0.2
_LEAST_SAMPLES = 8
_FITTED = 150
_STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one process."""

    at: float
    is_calm: bool
    rss_mib: float
    pss_mib: float
    fds: int
    sockets: int
    threads: int


@dataclass(slots=True)
class Watched:
    """One process."""

    pid: int
    role: str
    is_spared: bool
    service: str = ""
    samples: list[Sample] = field(default_factory=list)

    def settled(self) -> list[Sample]:
        """The samples that count: after its warm-up, outside storms."""
        if not self.samples:
            return []
        first, last = self.samples[0].at, self.samples[-1].at
        begin = first + (last - first) * _WARM_UP
        return [sample for sample in self.samples if sample.at >= begin and sample.is_calm]


@dataclass(slots=True)
class Trend:
    """What became of one process's figures."""

    role: str
    pid: int
    samples: int
    span_s: float
    rss_mib: float
    pss_mib: float
    growth_mib: float
    fds: tuple[int, int]
    sockets: tuple[int, int]
    threads: tuple[int, int]
    complaints: list[str]


class Watch:
    """Looks at every process of an installation. Workers that are not spared live too short to be judged."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.processes: dict[int, Watched] = {}
        self.spared: dict[int, str] = {}

    def look(self, *, is_calm: bool) -> None:
        """Take a sample of every process that is there."""
        now = time.monotonic()
        for pid in descendants(self._pid):
            watched = self.processes.get(pid)
            if watched is None:
                watched = self.processes[pid] = Watched(pid, self._role(pid), pid in self.spared)
            if watched.role == _STANDBY:
                self._promote(_parent(pid))
            watched.is_spared, watched.service = pid in self.spared, self.spared.get(pid, "")
            if watched.role not in (_STANDBY, "worker") or watched.is_spared:
                with suppress(OSError, StopIteration):
                    watched.samples.append(_sample(pid, now, is_calm))

    def nurseries(self) -> list[int]:
        """Those that live."""
        return [pid for pid in self._living() if self.processes[pid].role.startswith("nursery")]

    def of_role(self, role: str) -> int | None:
        """The process of that role, if it lives."""
        return next((pid for pid in self._living() if self.processes[pid].role == role), None)

    def trends(self) -> list[Trend]:
        """The latest process of each role, and every worker that was spared, with what is wrong with them."""
        latest: dict[str, Watched] = {}
        for watched in self.processes.values():
            if watched.samples and (watched.role != "worker" or watched.is_spared):
                key = watched.role if watched.role != "worker" else f"worker {watched.pid}"
                known = latest.get(key)
                if known is None or known.samples[-1].at <= watched.samples[-1].at:
                    latest[key] = watched
        return [trend(watched) for watched in latest.values() if len(watched.settled()) >= _LEAST_SAMPLES]

    def _living(self) -> list[int]:
        return [pid for pid in descendants(self._pid) if pid in self.processes]

    def _promote(self, pid: int) -> None:
        """A nursery and its workers look the same, but only a nursery has a standby."""
        watched = self.processes.get(pid)
        if watched is not None and watched.role == "worker":
            words = _words(pid)
            watched.role = f"nursery {words[words.index('--runtime') + 1]}" if "--runtime" in words else watched.role

    def _role(self, pid: int) -> str:
        """What a process is when it is first seen."""
        words = _words(pid)
        if pid == self._pid:
            return "supervisor"
        if "--runtime" in words:
            return "worker" if _parent(pid) == self._pid else _STANDBY
        module = words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name
        return module.removesuffix(".__main__").rpartition(".")[2]


def trend(watched: Watched) -> Trend:
    """Judge one process."""
    samples = watched.settled()
    span_s = samples[-1].at - samples[0].at
    slope = slope_of([(sample.at, sample.rss_mib) for sample in samples])
    rss = statistics.median(sample.rss_mib for sample in samples)
    growth = slope * span_s
    allowed = max(FILLING_MIB.get(watched.role, MOST_GROWTH_MIB), MOST_GROWTH_SHARE * rss)
    complaints = []
    if growth > allowed:
        complaints.append(f"memory grew by {growth:.1f} MiB, {allowed:.1f} allowed")
    third = max(1, len(samples) // 3)
    steps = {}
    for name, most in (("fds", MOST_FDS), ("sockets", MOST_FDS), ("threads", MOST_THREADS)):
        first, last = (
            round(statistics.median(getattr(sample, name) for sample in part))
            for part in (samples[:third], samples[-third:])
        )
        steps[name] = (first, last)
        if last - first > most:
            complaints.append(f"{name} grew from {first} to {last}, {most} more allowed")
    return Trend(
        role=f"worker of {watched.service}" if watched.is_spared else watched.role,
        pid=watched.pid,
        samples=len(samples),
        span_s=round(span_s),
        rss_mib=round(rss, 1),
        pss_mib=round(statistics.median(sample.pss_mib for sample in samples), 1),
        growth_mib=round(growth, 2),
        complaints=complaints,
        **steps,
    )


def slope_of(points: list[tuple[float, float]]) -> float:
    """The median of the slopes between any two points (Theil and Sen)."""
    step = max(1, len(points) // _FITTED)
    points = points[::step]
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(points)
        for later in points[index + 1 :]
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes) if slopes else 0.0


def as_json(trends: list[Trend]) -> list[dict[str, Any]]:
    """For the report."""
    return [{name: getattr(one, name) for name in Trend.__dataclass_fields__} for one in trends]


def _sample(pid: int, now: float, is_calm: bool) -> Sample:
    process = Path(f"/proc/{pid}")
    sizes = _kib(process / "smaps_rollup")
    status = _kib(process / "status")
    links = []
    for descriptor in (process / "fd").iterdir():
        with suppress(OSError):
            links.append(str(descriptor.readlink()))
    return Sample(
        at=now,
        is_calm=is_calm,
        rss_mib=sizes["Rss"] / 1024,
        pss_mib=sizes["Pss"] / 1024,
        fds=len(links),
        sockets=sum(link.startswith("socket:") for link in links),
        threads=int(status["Threads"]),
    )


def _kib(path: Path) -> dict[str, float]:
    found = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        word = rest.split()[:1]
        if word and word[0].isdigit():
            found[name] = float(word[0])
    return found


def _words(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    return [""]


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
