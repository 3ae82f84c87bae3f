"""`python -m bench.fuzz`: attack a gateway and workers for some seconds, and say what must not be.

Exit status 1 when something was found. What brought it about is written below `--out`, one file each.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.fuzz.attacking import Finding, Report, attack, behave
from bench.fuzz.judging import tracebacks
from bench.fuzz.targets import Server, servers

_ATTACKERS = 6
_WARM_SHARE = 0.2
_GROWTH_BYTES = 96 * 1024 * 1024
"""What a process may hold more after the attack than after its first part: a few bodies of the largest size, whose
memory the allocator keeps."""


def main() -> int:
    """Run it; gives the exit status."""
    asked = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name, servers(Path(name)) as running:
        report = asyncio.run(_run(running, seconds=asked.seconds, seed=asked.seed))
        report.findings += _from_logs(running)
    statuses = dict(sorted(report.statuses.items()))
    print(
        f"fuzz: seed {asked.seed}: {report.connections} connections, {report.asked} right requests beside them, "
        f"the slowest {report.slowest_s * 1000:.0f} ms ({report.slowest}), answers {statuses}, "
        f"{len(report.findings)} findings"
    )
    _write(report.findings, asked.out)
    return 1 if report.findings else 0


async def _run(running: dict[str, Server], *, seconds: float, seed: int) -> Report:
    report = Report()
    now = asyncio.get_running_loop().time
    until = now() + seconds
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(behave(running, report, until))
        for number in range(_ATTACKERS):
            tasks.create_task(attack(running, report, random.Random(f"{seed}/{number}"), until))
        tasks.create_task(_watch(running, report, seconds))
    return report


async def _watch(running: dict[str, Server], report: Report, seconds: float) -> None:
    """Memory, and whether everybody lives."""
    await asyncio.sleep(seconds * _WARM_SHARE)
    before = {name: server.rss_bytes for name, server in running.items()}
    await asyncio.sleep(seconds * (1 - _WARM_SHARE))
    for name, server in running.items():
        if server.process.poll() is not None:
            report.findings.append(Finding(name, f"ended with {server.process.returncode}"))
            continue
        grown = server.rss_bytes - before[name]
        print(f"fuzz: {name}: {server.rss_bytes >> 20} MiB, {grown >> 20:+} MiB")
        if grown > _GROWTH_BYTES:
            report.findings.append(Finding(name, f"grew by {grown >> 20} MiB"))


def _from_logs(running: dict[str, Server]) -> Iterator[Finding]:
    for name, server in running.items():
        seen: set[str] = set()
        for found in tracebacks(server.log.read_text(errors="replace")):
            last = "\n".join(found.splitlines()[-3:])
            if last not in seen:
                seen.add(last)
                yield Finding(name, found)


def _write(findings: list[Finding], out: Path | None) -> None:
    for number, finding in enumerate(findings):
        print(f"\n{number}: {finding.server}: {finding.what}\nsent: {finding.sent[:400]!r}")
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{number}.bin").write_bytes(finding.sent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same attacks")
    parser.add_argument("--out", type=Path, help="folder for the bytes of each finding")
    return parser


if __name__ == "__main__":
    sys.exit(main())
