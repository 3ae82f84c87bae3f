"""The supervisor's side of a nursery: one fork server per runtime, started when first needed, restarted when it dies.
A runtime in an environment of its own (another Python) has one more; of those only the last used are kept.

Requests to one nursery go one at a time; a nursery that is still importing answers when it is done. Where nothing
can be forked (macOS) a worker starts as a fresh interpreter instead, behind the same call.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from fairlead.backends.local import nursing, processes
from fairlead.backends.local.logs import LogPump
from fairlead.backends.local.reaping import Reaper
from fairlead.backends.local.rpc import Forked
from fairlead.backends.local.services import Service
from fairlead.errors import FairleadError

_TRIES = 3
_MOST_ENVIRONMENTS = 8
"""Nurseries of environments that are kept: each holds the memory of its libraries."""
_END_WITHIN_S = 2.0


class ForkFailed(FairleadError):
    """A worker process could not be started."""

    reason = "StartError"


class NurseryLost(ForkFailed):
    """The nursery died; the next one may do better."""


class Born(NamedTuple):
    """A process that was started: its end, and our end of its channel if it has one."""

    pid: int
    end: asyncio.Future[int]
    channel: socket.socket | None


class Nursery:
    """One fork server."""

    def __init__(
        self, runtime: str, *, worker: str, reaper: Reaper, env: Mapping[str, str], log: Path, python: str = ""
    ) -> None:
        self._runtime, self._worker, self._reaper = runtime, worker, reaper
        self._python = python or sys.executable
        self._env = _may_compile(env) if python else env
        self._turn = asyncio.Lock()
        self._up = asyncio.Event()
        self._channel: socket.socket | None = None
        self.service = Service(
            f"nursery of {runtime}", self._launch, reaper=reaper, log=log, clock=asyncio.get_running_loop().time
        )

    async def fork(self, member: Forked, *, channel: int, output: int) -> int:
        """A worker's pid. The descriptors stay the caller's. After `NurseryLost` a worker may exist all the same;
        it goes away when the caller closes the other end of `channel`."""
        request = msgspec.json.encode(nursing.ForkRequest(spec=member.spec, env=member.env, cwd=member.cwd))
        async with self._turn:
            await self._up.wait()
            if self.service.is_stopping:
                raise ForkFailed(f"the nursery of {self._runtime} is stopping")
            answer = await self._ask(request, [channel, output])
        if answer.error:
            raise ForkFailed(f"the nursery of {self._runtime} could not fork: {answer.error}")
        return answer.pid

    def _launch(self, output: int) -> int:
        self._lost()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid = self._reaper.spawn(
                    self._argv(theirs.fileno()), env=self._env, output=output, pass_fds=[theirs.fileno()]
                )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        self._channel = ours
        self._up.set()
        return pid

    def _argv(self, descriptor: int) -> list[str]:
        module = "fairlead.backends.local.nursery"
        options = ["--runtime", self._runtime, "--channel-fd", str(descriptor), "--worker", self._worker]
        return [self._python, "-m", module, *options]

    def _lost(self) -> None:
        if not self.service.is_stopping:  # else nobody should wait for a next one
            self._up.clear()
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def _ask(self, request: bytes, descriptors: list[int]) -> nursing.Forked:
        channel = self._channel
        if channel is None:
            raise NurseryLost(f"the nursery of {self._runtime} is not running")
        loop = asyncio.get_running_loop()
        try:
            socket.send_fds(channel, [nursing.LENGTH.pack(len(request))], descriptors)
            await loop.sock_sendall(channel, request)
            (length,) = nursing.LENGTH.unpack(await _read_exactly(channel, nursing.LENGTH.size))
            return msgspec.json.decode(await _read_exactly(channel, length), type=nursing.Forked)
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            if self._channel is channel:  # else it has been started again meanwhile
                self._lost()
            raise NurseryLost(f"the nursery of {self._runtime} died while it was asked for a worker") from error

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for a worker of it."""
        return self._turn.locked()

    def give_up(self) -> None:
        """Refuse to fork from now on. One that is asked for a worker may be importing for many seconds: it ends."""
        self.service.is_stopping = True
        self._up.set()
        if self._turn.locked() and self.service.pid:
            processes.kill_group(self.service.pid)

    def close(self) -> None:
        """Let it end by the end of its channel."""
        self.service.is_stopping = True
        self._lost()


class Nurseries:
    """Starts workers, from the nursery of their runtime."""

    def __init__(
        self,
        *,
        reaper: Reaper,
        env: Mapping[str, str],
        logs: Path,
        worker: str,
        keep: Callable[[Service], None],
        can_fork: bool = processes.CAN_FORK_WORKERS,
    ) -> None:
        self._reaper, self._logs, self._worker, self._keep, self._can_fork = reaper, logs, worker, keep, can_fork
        self._env = nursing.ONE_THREAD | dict(env)
        self._nurseries: dict[tuple[str, str], Nursery] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def warm(self, runtime: str) -> None:
        """Have the nursery of a runtime running."""
        if self._can_fork:
            self._nursery(runtime)

    async def start(self, member: Forked, *, output: LogPump) -> Born:
        """Start a worker. `output` is told when started."""
        try:
            for _ in range(_TRIES - 1):
                try:
                    return await self._try(member, output.writing)
                except NurseryLost:
                    continue
            return await self._try(member, output.writing)
        finally:
            output.started()

    async def _try(self, member: Forked, output: int) -> Born:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                pid, end = await self._start(member, theirs.fileno(), output)
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        return Born(pid, end, ours)

    async def _start(self, member: Forked, channel: int, output: int) -> tuple[int, asyncio.Future[int]]:
        if not self._can_fork:
            pid = self._spawn(member, channel, output)
            return pid, self._reaper.watch(pid)
        self._reaper.expect()
        try:
            pid = await self._nursery(member.runtime, member.python).fork(member, channel=channel, output=output)
            return pid, self._reaper.watch(pid)
        finally:
            self._reaper.expected()

    def _nursery(self, runtime: str, python: str = "") -> Nursery:
        found = self._nurseries.pop((runtime, python), None)
        if found is None:
            # An environment's folder is named by a digest, and its Python is <folder>/bin/python.
            mark = f"-{Path(python).parents[1].name[:12]}" if python else ""
            log = self._logs / f"nursery-{runtime}{mark}.log"
            found = Nursery(runtime, worker=self._worker, reaper=self._reaper, env=self._env, log=log, python=python)
            self._keep(found.service)
        self._nurseries[runtime, python] = found  # the last used last
        self._end_oldest()
        return found

    def _end_oldest(self) -> None:
        environments = [key for key in self._nurseries if key[1]]
        for key in environments[:-_MOST_ENVIRONMENTS]:
            if self._nurseries[key].is_busy:
                continue
            nursery = self._nurseries.pop(key)
            nursery.close()
            task = asyncio.create_task(nursery.service.stop(grace_s=_END_WITHIN_S))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _spawn(self, member: Forked, channel: int, output: int) -> int:
        """A fresh interpreter. The spec goes through a file that only the owner reads, and the worker's own
        settings through its environment."""
        path = Path(member.spec.workdir) / f"spec{'-' + member.unit if member.unit else ''}.json"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(member.spec))
        module = "fairlead.dataplane" if self._worker == "fairlead.dataplane.worker" else self._worker
        argv = [member.python or sys.executable, "-m", module, "--spec", str(path), "--channel-fd", str(channel)]
        env = (_may_compile(self._env) if member.python else self._env) | member.env
        return self._reaper.spawn(argv, env=env, output=output, cwd=Path(member.cwd or "."), pass_fds=[channel])

    def give_up(self) -> None:
        """No worker is wanted any more; whoever waits for one is refused."""
        for one in self._nurseries.values():
            one.give_up()

    async def stop(self, *, grace_s: float) -> None:
        """End every nursery."""
        for one in self._nurseries.values():
            one.close()
        await asyncio.gather(*(one.service.stop(grace_s=grace_s) for one in self._nurseries.values()), *self._ending)


def _may_compile(env: Mapping[str, str]) -> dict[str, str]:
    """An environment is installed without bytecode. Whoever told Python to keep folders clean did not mean this one,
    which is ours: without, every replica compiles scikit-learn anew (2 s instead of 0.6)."""
    return {name: value for name, value in env.items() if name != "PYTHONDONTWRITEBYTECODE"}


async def _read_exactly(channel: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = bytearray()
    while len(data) < size:
        part = await loop.sock_recv(channel, size - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)
