"""Attackers and the client beside them, as tasks of one loop over real sockets."""

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from bench.fuzz import seeds
from bench.fuzz.judging import complaints_about
from bench.fuzz.mutating import Mutator
from bench.fuzz.seeds import Seed
from bench.fuzz.targets import Server

_HANG_S = 25.0
"""Longer than any timeout of a server for a client that has closed its side."""
_LATE_S = 10.0
_PAUSE_S = 0.02
_UNSTABLE = ("puid", "id", "time", "metrics")


@dataclass(slots=True)
class Finding:
    """Something that must not be, and the bytes that brought it about."""

    server: str
    what: str
    sent: bytes = b""


@dataclass(slots=True)
class Report:
    """What a run did and found."""

    connections: int = 0
    asked: int = 0
    slowest_s: float = 0.0
    slowest: str = ""
    statuses: dict[int, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


async def attack(servers: dict[str, Server], report: Report, source: random.Random, until: float) -> None:
    """Send one wrong thing after another until that time of the loop's clock."""
    requests, calls = seeds.requests(), seeds.calls()
    mutator = Mutator(source)
    now = asyncio.get_running_loop().time
    while now() < until:
        is_call = source.random() < 0.3
        target = ""
        if is_call:
            seed = source.choice(calls)
            target, sent = seed.target, mutator.call(seed)
        else:
            one = source.choice(requests)
            target, sent = one.target, mutator.request(one)
        report.connections += 1
        came = await _exchange(servers[target], sent, source, report)
        if came is None or is_call or sent.startswith(b"PRI "):
            continue
        if came[:9] == b"HTTP/1.1 ":
            status = int(came[9:12])
            report.statuses[status] = report.statuses.get(status, 0) + 1
        report.findings += [Finding(target, what, sent) for what in complaints_about(came, sent)]


async def _exchange(server: Server, sent: bytes, source: random.Random, report: Report) -> bytes | None:
    """Everything that comes back until the server closes; `None` when the connection broke."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except OSError as error:
        report.findings.append(Finding(server.name, f"no connection: {error}", sent))
        return None
    try:
        return await asyncio.wait_for(_send_and_read(reader, writer, sent, source), _HANG_S)
    except TimeoutError:
        report.findings.append(Finding(server.name, f"nothing for {_HANG_S:g} s, and no end", sent))
        return None
    except OSError:
        return None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _send_and_read(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes, source: random.Random
) -> bytes:
    if source.random() < 0.3 and len(sent) > 2:
        cut = source.randrange(1, len(sent))
        writer.write(sent[:cut])
        await writer.drain()
        await asyncio.sleep(0)
        sent = sent[cut:]
    writer.write(sent)
    if source.random() < 0.05:
        writer.transport.abort()
        return b""
    # What a server has to say comes at once or never: most of what is sent here is not a whole request.
    read = asyncio.ensure_future(reader.read(1 << 22))
    await asyncio.wait((read,), timeout=source.choice((0.0, 0.05, 0.5)))
    with contextlib.suppress(OSError):
        writer.write_eof()
    came = [await read]
    while came[-1]:
        came.append(await reader.read(1 << 22))
    return b"".join(came)


async def behave(servers: dict[str, Server], report: Report, until: float) -> None:
    """Ask everything that can be asked, again and again; every answer is what it was before the attack."""
    asked = [seed for seed in seeds.requests() if "prometheus" not in seed.path and "/-/" not in seed.path]
    expected = [await _ask(servers[seed.target], seed) for seed in asked]
    now = asyncio.get_running_loop().time
    while now() < until:
        for seed, before in zip(asked, expected, strict=True):
            started = time.perf_counter()
            try:
                answer = await asyncio.wait_for(_ask(servers[seed.target], seed), _HANG_S)
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                report.findings.append(Finding(seed.target, f"a right request failed: {error!r}", _written(seed)))
                continue
            took_s = time.perf_counter() - started
            report.asked += 1
            if took_s > report.slowest_s:
                report.slowest_s, report.slowest = took_s, f"{seed.target} {seed.path}"
            if answer != before:
                report.findings.append(Finding(seed.target, f"{before!r} became {answer!r}", _written(seed)))
            if took_s > _LATE_S:
                report.findings.append(Finding(seed.target, f"a right request took {took_s:.1f} s", _written(seed)))
            await asyncio.sleep(_PAUSE_S)


async def _ask(server: Server, seed: Seed) -> tuple[int, Any]:
    """Status and body, without what differs each time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(_written(seed))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(lines.get("content-length", "0")))
    finally:
        writer.close()
    try:
        value: Any = _stable(json.loads(body))
    except ValueError:
        value = len(body)
    # The listing says how many requests are under way.
    return int(head[9:12]), value if seed.path != "/" else None


def _written(seed: Seed) -> bytes:
    lines = [f"{seed.method} {seed.path} HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in seed.headers)]
    return "\r\n".join([*lines, f"Content-Length: {len(seed.body)}", "", ""]).encode() + seed.body


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stable(item) for key, item in value.items() if key not in _UNSTABLE}
    # Rows that were predicted together may differ in their last digit from one that was alone.
    if isinstance(value, float):
        return round(value, 9)
    return [_stable(item) for item in value] if isinstance(value, list) else value
