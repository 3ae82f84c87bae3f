"""One process of a replica while it runs: its channel, its output, and whether it answers."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from fairlead.backends.local import processes
from fairlead.backends.local.forking import Born, Nurseries
from fairlead.backends.local.logs import LogFile, LogPump
from fairlead.backends.local.probing import until_answers, until_silent
from fairlead.backends.local.reaping import Reaper
from fairlead.backends.local.rpc import Forked, Member, Program, encode, frame, read_frame
from fairlead.backends.local.services import describe_exit
from fairlead.dataplane.spec import Drain, Failed, FromWorker, Held, HeldModel, Loading, LookAgain, Ready
from fairlead.plan.status import Cause

_LAST_WORDS_S = 1.0
_LONGEST_LAST_LINE = 300


class RunningMember:
    """A process that was started. `end` is its return code, `ready` is done when it serves."""

    def __init__(
        self,
        member: Member,
        born: Born,
        pump: LogPump,
        log: LogFile,
        clock: Callable[[], float],
        told: Callable[[], None],
    ) -> None:
        self.member, self._told = member, told
        self.pid = born.pid
        self.end = born.end
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel, self._pump, self._log, self._clock = born.channel, pump, log, clock
        self.models: tuple[str, ...] = ()
        """What its models are called, once it is ready."""
        self.held: tuple[HeldModel, ...] | None = None
        self._failure: Failed | None = None
        self._loading = ""
        self._writer: asyncio.StreamWriter | None = None
        self._probing: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._attend())

    @property
    def unit(self) -> str:
        """The unit it runs; empty for the worker of the whole graph."""
        return self.member.unit

    @property
    def waits_for(self) -> str:
        """The unit that is not up yet, as far as known."""
        return self._loading or self.unit

    def drain(self, grace_s: float) -> None:
        """Ask it to finish what it holds and end."""
        if isinstance(self.member, Program):
            if self._probing is not None:
                self._probing.cancel()
            self._signal_program()
        elif self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(Drain(grace_s=grace_s)))
        else:
            self.kill()

    def look_again(self) -> None:
        """Tell it that the list of models which it is to hold has changed. One that still starts will look anyway."""
        if isinstance(self.member, Forked) and self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(LookAgain()))

    def kill(self) -> None:
        """End it now. A program's guard ends by the end of its channel, with all it runs."""
        if isinstance(self.member, Program):
            self._close_channel()
        else:
            processes.kill_group(self.pid)

    async def ended(self, *, within_s: float) -> None:
        """Wait for its end; killed when it takes too long."""
        await asyncio.wait([self.end], timeout=within_s)
        if not self.end.done():
            self.kill()
            await asyncio.wait([self.end], timeout=5.0)
        if not self.end.done():
            processes.kill_group(self.pid)
            await asyncio.wait([self.end])

    async def explain(self) -> Cause:
        """Why it ended, once it has. What it said last may still be on the way."""
        await asyncio.wait([self._task, self._pump.finished], timeout=_LAST_WORDS_S)
        if self._failure is not None:
            return Cause(
                unit=self._failure.unit or self.unit, reason=self._failure.reason, message=self._failure.message
            )
        code = self.end.result()
        message = f"{self._what()} {describe_exit(code)}"
        words = self._pump.words.why if self._is_python else self._pump.words.last
        if code > 0 and words:
            message = f"{message}: {words[:_LONGEST_LAST_LINE]}"
        return Cause(unit=self.unit, reason="Killed" if code < 0 else "Exited", message=message)

    async def close(self) -> None:
        """Let go of everything, after its end."""
        processes.kill_group(self.pid)
        for task in (self._task, self._probing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._close_channel()
        self._pump.close()
        if not self.ready.done():
            self.ready.cancel()

    async def _attend(self) -> None:
        """Follow what it says and whether it answers."""
        if isinstance(self.member, Program) and not self.member.speaks_frames:
            await self._probe(self.member)
            return
        if self._channel is None:
            return
        reader, self._writer = await asyncio.open_connection(sock=self._channel)
        if isinstance(self.member, Program):
            self._writer.write(frame(self.member.told))
        while (body := await read_frame(reader)) is not None:
            self._heard(msgspec.msgpack.decode(body, type=FromWorker))

    def _heard(self, message: FromWorker) -> None:
        match message:
            case Loading(unit=unit):
                self._loading = unit
            case Ready(models=models):
                self._loading, self.models = "", models
                if isinstance(self.member, Program):
                    # Beside the reading: what it says next may be why it never answers.
                    self._probing = asyncio.create_task(self._probe(self.member))
                elif not self.ready.done():
                    self.ready.set_result(None)
            case Held(held=held, models=models):
                self.held, self.models = held, models
                self._told()
            case Failed(message=words, detail=detail):
                self._failure = message
                for line in f"{detail}{words}".rstrip().splitlines():
                    self._log.write(line.encode(), now=self._clock(), source=self.unit)
                self._log.flush()

    async def _probe(self, program: Program) -> None:
        if program.address:
            await until_answers(program.address, is_http=program.answers_http, ready_path=program.ready_path)
        if not self.ready.done():
            self.ready.set_result(None)
        if program.live_path:
            self._probing = asyncio.create_task(self._watch_life(program))

    async def _watch_life(self, program: Program) -> None:
        await until_silent(program.address, program.live_path)
        what = f"{program.what} stopped answering at {program.live_path}"
        self._failure = Failed(unit=program.unit, reason="NotAlive", message=what)
        self.kill()

    @property
    def _is_python(self) -> bool:
        return isinstance(self.member, Program) and self.member.is_python

    def _signal_program(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def _close_channel(self) -> None:
        if self._writer is not None:
            self._writer.close()
        elif self._channel is not None:
            self._channel.close()
        self._channel = None

    def _what(self) -> str:
        return self.member.what if isinstance(self.member, Program) else "the worker"


async def start_member(
    member: Member,
    *,
    nurseries: Nurseries,
    reaper: Reaper,
    log: LogFile,
    clock: Callable[[], float],
    base_env: Mapping[str, str],
    told: Callable[[], None] = lambda: None,
) -> RunningMember:
    """Start one process of a replica."""
    pump = LogPump(log, clock=clock, source=member.unit)
    try:
        if isinstance(member, Forked):
            born = await nurseries.start(member, output=pump)
        else:
            born = _start_program(member, reaper=reaper, output=pump, base_env=base_env)
    except BaseException:
        pump.close()
        raise
    return RunningMember(member, born, pump, log, clock, told)


def _start_program(program: Program, *, reaper: Reaper, output: LogPump, base_env: Mapping[str, str]) -> Born:
    ours, theirs = socket.socketpair()
    descriptor = theirs.fileno()
    argv = program.argv
    env = dict(base_env) | program.env
    if program.speaks_frames:
        env["FAIRLEAD_CHANNEL_FD"] = str(descriptor)
    else:
        guard = [sys.executable, "-I", "-m", "fairlead.backends.local.guard", "--channel-fd", str(descriptor), "--"]
        argv = guard + argv
    try:
        with theirs:
            pid = reaper.spawn(
                argv,
                env=env,
                output=output.writing,
                cwd=Path(program.cwd) if program.cwd else None,
                pass_fds=[descriptor],
                # It has to outlive us for the moment it takes to kill what it guards.
                dies_with_us=False,
            )
    except OSError:
        ours.close()
        raise
    finally:
        output.started()
    ours.setblocking(False)
    return Born(pid, reaper.watch(pid), ours)
