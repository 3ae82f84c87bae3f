"""One replica from its start to its end, as the supervisor lives through it with it."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fairlead.backends.local.forking import ForkFailed, Nurseries
from fairlead.backends.local.logs import LogFile
from fairlead.backends.local.members import RunningMember, start_member
from fairlead.backends.local.reaping import Reaper
from fairlead.backends.local.replicas import Happening, next_state
from fairlead.backends.local.rpc import Forked, ReplicaInfo, ReplicaSpec
from fairlead.plan.status import Cause, ReplicaState

_log = logging.getLogger("fairlead.supervisor")
_AFTER_GRACE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every replica of one supervisor shares."""

    nurseries: Nurseries
    reaper: Reaper
    base_env: Mapping[str, str]
    clock: Callable[[], float]
    """Seconds since the epoch."""
    log_max_bytes: int
    log_keep: int


class Replica:
    """Runs `spec` once. `changed` is called at every move, with the replica."""

    def __init__(self, spec: ReplicaSpec, around: Surroundings, changed: Callable[["Replica"], None]) -> None:
        self.spec = spec
        self.state = ReplicaState.NEW
        self._around, self._changed = around, changed
        self._members: list[RunningMember] = []
        self._stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._grace_s: float | None = None
        self._cause: Cause | None = None
        self._pid = 0
        self._started_at = self._ready_at = self._gone_at = 0.0

    @property
    def info(self) -> ReplicaInfo:
        """What is known of it now."""
        return ReplicaInfo(
            spec=self.spec,
            state=self.state,
            pid=self._pid,
            pids=tuple(member.pid for member in self._members),
            started_at=self._started_at,
            ready_at=self._ready_at,
            gone_at=self._gone_at,
            is_stopping=self._stop.done(),
            cause=self._cause,
            models=next((member.models for member in self._members if not member.unit), ()),
            held=next((member.held for member in self._members if not member.unit), None),
        )

    def stop(self, grace_s: float | None) -> None:
        """Let it end: within `grace_s` seconds, or now when that is `None`. A later call may only hurry it."""
        if self._stop.done():
            if grace_s is None:
                self._kill_members()
            return
        self._grace_s = grace_s
        self._stop.set_result(None)

    def look_again(self) -> None:
        """The list of models that it is to hold has changed."""
        for member in self._members:
            member.look_again()

    async def live(self) -> None:
        """Start, serve, end. What the replica does wrong ends up in its cause."""
        self._started_at = self._around.clock()
        log = LogFile(Path(self.spec.log), max_bytes=self._around.log_max_bytes, keep=self._around.log_keep)
        try:
            if await self._start(log):
                self._happen(Happening.STARTED)
                await self._serve()
        finally:
            await self._end()
            log.close()
            await asyncio.to_thread(_clean_up, self.spec)
            self._gone_at = self._around.clock()
            self._happen(Happening.EMPTY)

    def _told(self) -> None:
        """A process of it said something new of its models."""
        if self.state is ReplicaState.READY:
            self._changed(self)

    def give_up(self) -> None:
        """Count it as gone after a failure of our own (a full disk, say), so that it is tried again."""
        self._cause = self._cause or Cause(
            unit="", reason="StartError", message="the supervisor could not run it; see its log"
        )
        self._gone_at = self._around.clock()
        self._happen(Happening.EMPTY)

    async def _start(self, log: LogFile) -> bool:
        """Whether every process of it could be started."""
        if self.spec.workdir:
            Path(self.spec.workdir).mkdir(mode=0o700, parents=True, exist_ok=True)
        for member in self.spec.members:
            try:
                running = await start_member(
                    member,
                    nurseries=self._around.nurseries,
                    reaper=self._around.reaper,
                    log=log,
                    clock=self._around.clock,
                    base_env=self._around.base_env,
                    told=self._told,
                )
            except (ForkFailed, OSError) as error:
                if self._stop.done():
                    self._happen(Happening.STOPPED)
                    return False
                self._cause = Cause(unit=member.unit, reason="StartError", message=f"cannot be started: {error}")
                self._happen(Happening.LOST)
                return False
            self._members.append(running)
            if isinstance(member, Forked) and not member.unit:
                self._pid = running.pid
        self._pid = self._pid or (self._members[0].pid if self._members else 0)
        return True

    async def _serve(self) -> None:
        """Until somebody wants its end or one of its processes is lost."""
        ready = asyncio.gather(*(member.ready for member in self._members))
        ready.add_done_callback(_take_note)
        waiting: set[asyncio.Future[object]] = {ready, self._stop, *(member.end for member in self._members)}  # type: ignore[arg-type]  # a set of futures of different results, of which only done() is asked
        timeout_s: float | None = self.spec.start_timeout_s
        try:
            while True:
                done, _ = await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
                lost = next((member for member in self._members if member.end in done), None)
                if self._stop.done():
                    self._happen(Happening.STOPPED)
                    return
                if lost is not None or not done:
                    self._cause = await lost.explain() if lost else self._too_slow()
                    self._happen(Happening.LOST)
                    return
                waiting.discard(ready)
                timeout_s = None
                self._ready_at = self._around.clock()
                self._happen(Happening.ANSWERED)
        finally:
            ready.cancel()

    def _too_slow(self) -> Cause:
        unit = next((member.waits_for for member in self._members if not member.ready.done()), "")
        return Cause(
            unit=unit, reason="StartTimeout", message=f"did not answer within {self.spec.start_timeout_s:g} seconds"
        )

    async def _end(self) -> None:
        """The main worker first: it may need the other processes to finish what it holds."""
        # One that never answered holds no request, and it may be deep in a load that hears nothing.
        grace_s = self._grace_s if self._cause is None and self._ready_at else None
        if grace_s is None:
            self._kill_members()
        main = [member for member in self._members if not member.unit]
        others = [member for member in self._members if member.unit]
        for group in (main, others):
            within_s = 0.0
            if grace_s is not None:
                within_s = grace_s + _AFTER_GRACE_S
                for member in group:
                    if not member.end.done():
                        member.drain(grace_s)
            await asyncio.gather(*(member.ended(within_s=within_s) for member in group))
        for member in self._members:
            await member.close()
        self._around.reaper.kill_strangers()

    def _kill_members(self) -> None:
        for member in self._members:
            if not member.end.done():
                member.kill()

    def _happen(self, happening: Happening) -> None:
        before, self.state = self.state, next_state(self.state, happening)
        if self.state is before:
            return
        if self._cause is not None and self.state is ReplicaState.DRAINING:
            _log.info("replica %s: %s: %s", self.spec.replica, self._cause.reason, self._cause.message)
        self._changed(self)


def _take_note(ready: "asyncio.Future[list[None]]") -> None:
    """A wait that was given up is no error for asyncio to log."""
    if not ready.cancelled():
        ready.exception()


def _clean_up(spec: ReplicaSpec) -> None:
    """Sockets and the scratch folder."""
    if spec.frames:
        Path(spec.frames).unlink(missing_ok=True)
    if spec.workdir:
        shutil.rmtree(spec.workdir, ignore_errors=True)
