"""One soak from its start to its verdict."""

import asyncio
import contextlib
import http.client
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.installation import DEPLOYMENTS, Client, Installation, installation
from bench.soak.driving import Clients
from bench.soak.killing import Killer
from bench.soak.scene import Scene, apply, config, prepare
from bench.soak.tally import CALM, STORM, WARM_UP, Tally
from bench.soak.watching import Trend, Watch

HOME = "home"
"""Where in a soak's folder the installation lives."""
_STORMS = ((0.08, 0.16), (0.5, 0.6))
_AFTERMATH_S = 4.0
_WHOLE_S = 90.0
_LATE_FACTOR = 5.0
_LATE_MS = 1500.0
_REFUSED_SHARE = 0.05
_JUDGED_KINDS = ("REST seldon", "REST v2", "gRPC predict", "gRPC infer")
"""Kinds that must not notice a storm."""
_MARKERS = ("/nowhere/", "x-request-id", "nobody.")
_METRIC_LINES = 5000
_MOST_FILES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a soak does."""

    seconds: float
    kill_every_s: float
    sample_every_s: float = 2.0
    idle: int = 2000
    gateway_kills: int = 3
    with_tensorflow: bool = True
    with_trends: bool = True
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What came of it. `complaints` is empty when all is well."""

    options: Options
    tally: Tally
    killed: Counter[str]
    trends: list[Trend] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    whole_after_s: float = 0.0
    gateway_excused: int = 0
    files: tuple[int, int] = (0, 0)
    payload_lines: int = 0
    requests_per_s: float = 0.0
    refused_share: float = 0.0
    seconds: float = 0.0


Say = Callable[[str], None]


def soak(options: Options, folder: Path, *, say: Say) -> Outcome:
    """Serve, ask, kill, watch; then judge. `folder` holds the installation and the models."""
    scene = prepare(folder / "models", with_tensorflow=options.with_tensorflow)
    with installation(folder / HOME, config=config()) as running:
        apply(running, scene)
        return asyncio.run(Soak(options, scene, running, folder / HOME, say).run())


class Soak:
    """A run under way."""

    def __init__(self, options: Options, scene: Scene, running: Installation, home: Path, say: Say) -> None:
        self._options = options
        self._scene = scene
        self._running = running
        self._home = home
        self._say = say
        self._tally = Tally()
        self._watch = Watch(running.pid)
        self._killer = Killer(running.control_url, self._watch, random.Random(options.seed))
        self._port = urlsplit(running.url).port or 0
        self._clients = Clients(self._port, scene, self._tally, options.seed * 1000)
        self._outcome = Outcome(options, self._tally, self._killer.killed)
        self._storm_ended = -1e9
        self._told = 0
        self._began = time.monotonic()

    async def run(self) -> Outcome:
        """Everything after the deployments are there."""
        self._watch.look(is_calm=True)
        self._killer.spare()
        self._clients.start(with_attacks=self._options.idle > 0)
        self._began = self._tally.started = time.monotonic()
        async with _every(self._options.sample_every_s, self._look), _every(1.0, self._report):
            async with _every(self._options.kill_every_s, self._strike):
                await self._pass_time()
            self._count()
            await self._become_whole()
            if self._options.gateway_kills:
                await self._kill_gateways()
        await self._clients.stop()
        await self._find_leftovers()
        self._read_sink()
        self._judge()
        return self._outcome

    # What happens meanwhile.

    async def _pass_time(self) -> None:
        """The run itself, with its storms."""
        seconds = self._options.seconds
        for begin, end in _STORMS if self._options.idle else ():
            await self._until(begin * seconds)
            calm = self._tally.phase
            self._tally.phase = STORM if calm == CALM else WARM_UP
            self._clients.begin_storm(self._options.idle, (end - begin) * seconds)
            await self._until(end * seconds)
            await self._clients.end_storm()
            self._storm_ended = time.monotonic()
            self._tally.phase = calm
            await asyncio.sleep(min(_AFTERMATH_S, seconds * 0.04))
            if begin < 0.2:
                await self._until(0.2 * seconds)
                self._tally.phase = CALM
        await self._until(0.2 * seconds)
        self._tally.phase = CALM
        files = _files(self._home)
        await self._until(seconds)
        self._outcome.files = (files, _files(self._home))

    async def _until(self, second: float) -> None:
        await asyncio.sleep(max(0.0, self._began + second - time.monotonic()))

    async def _look(self) -> None:
        is_calm = self._tally.phase != STORM and time.monotonic() > self._storm_ended + _AFTERMATH_S
        await asyncio.to_thread(self._watch.look, is_calm=is_calm)

    async def _strike(self) -> None:
        share = (time.monotonic() - self._began) / self._options.seconds
        await asyncio.to_thread(self._killer.strike, share)

    async def _report(self) -> None:
        tally = self._tally
        gateway = self._watch.processes.get(self._watch.of_role("gateway") or 0)
        size = f"{gateway.samples[-1].rss_mib:.0f} MiB, {gateway.samples[-1].fds} fds" if gateway else "away"
        while self._told < len(tally.violations):
            self._say(f"violation: {tally.violations[self._told]}\n")
            self._told += 1
        self._say(
            f"{time.monotonic() - self._began:4.0f} s  {tally.phase:7}  {tally.requests} requests, "
            f"{tally.refused} refused, {self._killer.killed.total()} killed, "
            f"{tally.violation_count} violations; gateway {size}"
        )

    # After it.

    def _count(self) -> None:
        outcome, tally = self._outcome, self._tally
        outcome.trends = self._watch.trends()
        outcome.seconds = round(time.monotonic() - self._began, 1)
        outcome.requests_per_s = round(tally.requests / outcome.seconds, 1)
        kept = {kind: counts for kind, counts in tally.counts.items() if kind != "REST limited"}
        refused = sum(n for counts in kept.values() for word, n in counts.items() if word.startswith("refused"))
        outcome.refused_share = round(refused / max(1, sum(counts.total() for counts in kept.values())), 5)

    async def _become_whole(self) -> None:
        """With no more kills, every deployment has all its replicas again."""
        began = time.monotonic()
        while time.monotonic() < began + _WHOLE_S:
            if await asyncio.to_thread(self._is_whole):
                self._outcome.whole_after_s = round(time.monotonic() - began, 1)
                return
            await asyncio.sleep(0.2)
        self._outcome.complaints.append(f"not every replica was back {_WHOLE_S:g} s after the last kill")

    def _is_whole(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException), Client(self._running.control_url) as control:
            items = control.read(DEPLOYMENTS)["items"]
            return all(item.get("status", {}).get("state") == "Available" and _has_all(item) for item in items)
        return False

    async def _kill_gateways(self) -> None:
        """Killed gateways break connections, and nothing else."""
        self._tally.is_gateway_killed = True
        for _ in range(self._options.gateway_kills):
            self._killer.strike_gateway()
            await asyncio.sleep(self._options.kill_every_s)
            self._watch.look(is_calm=False)
        self._outcome.gateway_excused = self._tally.excused.total()
        self._tally.is_gateway_killed = False
        await asyncio.sleep(self._options.kill_every_s)

    async def _find_leftovers(self) -> None:
        """With no client left the gateway holds no request, and its metrics tell of no client's inventions."""
        text = ""
        for _ in range(50):
            text = await asyncio.to_thread(_read, self._port, "/-/metrics")
            held = [line for line in text.splitlines() if _is_held(line)]
            if not held:
                break
            await asyncio.sleep(0.1)
        else:
            self._outcome.complaints.append(f"the gateway still holds requests that nobody waits for: {held[:5]}")
        lines = text.count("\n")
        if lines > _METRIC_LINES:
            self._outcome.complaints.append(f"the gateway's metrics have {lines} lines")
        found = [marker for marker in _MARKERS if marker in text]
        if found:
            self._outcome.complaints.append(f"the gateway's metrics repeat what clients made up: {found}")

    def _read_sink(self) -> None:
        """Every line of the payload log is an event: its worker was spared, so that none is torn."""
        for path in self._scene.sink.iterdir():
            for line in path.read_bytes().splitlines():
                json.loads(line)
                self._outcome.payload_lines += 1
        if not self._outcome.payload_lines:
            self._outcome.complaints.append("the payload log is empty")

    def _judge(self) -> None:
        outcome, tally = self._outcome, self._tally
        if outcome.files[1] - outcome.files[0] > _MOST_FILES:
            outcome.complaints.append("files of the installation grew from {} to {}".format(*outcome.files))
        if tally.violation_count:
            outcome.complaints.append(f"{tally.violation_count} violations")
        if outcome.refused_share > _REFUSED_SHARE:
            outcome.complaints.append(
                f"{outcome.refused_share:.1%} of requests were refused, {_REFUSED_SHARE:.0%} allowed"
            )
        for kind in _JUDGED_KINDS:
            calm, storm = (tally.percentile_ms(kind, phase, 0.99) for phase in (CALM, STORM))
            if calm is not None and storm is not None and storm > max(_LATE_MS, _LATE_FACTOR * calm):
                outcome.complaints.append(f"{kind}: p99 {storm:g} ms in storms, {calm:g} ms without")
        if self._options.with_trends:
            outcome.complaints += [
                f"{one.role} ({one.pid}): {words}" for one in outcome.trends for words in one.complaints
            ]


def _has_all(item: dict[str, dict[str, int]]) -> bool:
    return item["status"].get("replicas", 0) >= item["spec"].get("replicas", 1)


def _files(home: Path) -> int:
    return sum(path.is_file() or path.is_socket() for path in home.rglob("*"))


def _is_held(line: str) -> bool:
    if not line.startswith(("fairlead_gateway_in_flight", "fairlead_gateway_waiting")):
        return False
    return float(line.rsplit(" ", 1)[1]) > 0


def _read(port: int, path: str) -> str:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read().decode()


@contextlib.asynccontextmanager
async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Do something at a steady pace for as long as the block lasts."""

    async def repeat() -> None:
        while True:
            began = time.monotonic()
            await work()
            await asyncio.sleep(max(0.05, seconds - (time.monotonic() - began)))

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(repeat())
        try:
            yield
        finally:
            task.cancel()
