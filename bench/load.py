"""Load from wrk on a core of its own, and what a server's processes spent meanwhile."""

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

IRIS_ROW = b'{"data":{"ndarray":[[5.1,3.5,1.4,0.2]]}}'
_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "%s"
%s
local file = io.open("%s", "rb")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, requests)
  io.write(string.format('\\n@{"requests":%%d,"us":%%d,"p50_us":%%d,"p99_us":%%d,"bad":%%d,"errors":%%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement. CPU is that of the server's processes, user and system, in microseconds a request."""

    name: str
    connections: int
    rps: float
    p50_us: float
    p99_us: float
    cpu_us_per_request: float
    ratio_to_floor: float = 0.0


def wrk() -> str:
    """The path of wrk, or a clear end."""
    path = shutil.which("wrk")
    if path is None:
        raise SystemExit("bench: wrk is not installed: apt-get install wrk")
    return path


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running server: where, with which processes, and what it is asked."""

    name: str
    url: str
    pids: list[int]
    body: bytes = IRIS_ROW
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def measure(served: Served, *, connections: int, seconds: int, core: int | None) -> Figure:
    """Run wrk against a server for `seconds` after a short warm-up. An answer other than 2xx or a broken connection
    ends the run: a fast wrong answer is no figure."""
    _load(served, connections=connections, seconds=1, core=core)
    before = cpu_seconds(served.pids)
    result = _load(served, connections=connections, seconds=seconds, core=core)
    if result["bad"] or result["errors"]:
        raise SystemExit(
            f"bench: {served.name}: {result['bad']} answers were not 2xx, {result['errors']} socket errors"
        )
    return Figure(
        name=served.name,
        connections=connections,
        rps=result["requests"] / (result["us"] / 1e6),
        p50_us=result["p50_us"],
        p99_us=result["p99_us"],
        cpu_us_per_request=(cpu_seconds(served.pids) - before) / result["requests"] * 1e6,
    )


def measure_in_turns(
    servers: list[Served], *, connections: tuple[int, ...], rounds: int, seconds: int, core: int | None
) -> list[Figure]:
    """The best of several rounds for each server. They take turns, so that a noisy minute of a shared machine falls on
    all of them and the quiet ones are compared with the quiet ones."""
    figures: list[Figure] = []
    for count in connections:
        seen: dict[str, list[Figure]] = {served.name: [] for served in servers}
        for _ in range(rounds):
            for served in servers:
                seen[served.name].append(measure(served, connections=count, seconds=seconds, core=core))
        figures += [max(found, key=lambda figure: figure.rps) for found in seen.values()]
    return figures


def _load(served: Served, *, connections: int, seconds: int, core: int | None) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        body, script = Path(folder, "body"), Path(folder, "load.lua")
        body.write_bytes(served.body)
        lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in served.headers)
        script.write_text(_SCRIPT % (served.content_type, lines, body))
        pin = ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []
        command = [
            *pin,
            wrk(),
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "30s",
            "--latency",
            "-s",
            str(script),
        ]
        output = subprocess.run([*command, served.url], check=True, capture_output=True, text=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("@"))
    parsed: dict[str, int] = json.loads(line[1:])
    return parsed
