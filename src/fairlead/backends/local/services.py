"""Keeps Fairlead's own processes alive: control, gateway and nurseries. Restarts with back-off, never gives up."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from fairlead.backends.local import processes
from fairlead.backends.local.backoff import SERVICES, Backoff
from fairlead.backends.local.logs import LogFile, LogPump
from fairlead.backends.local.reaping import Reaper

_log = logging.getLogger("fairlead.supervisor")


class Service:
    """One process that should always run. `launch` starts it with a descriptor for its output and gives its pid.

    With `hopeless`, a first life that ends with status 78 (EX_CONFIG) is not followed by a second: its settings
    are wrong, and `hopeless` is told with the last line it wrote."""

    def __init__(
        self,
        name: str,
        launch: Callable[[int], int],
        *,
        reaper: Reaper,
        log: Path,
        clock: Callable[[], float],
        backoff: Backoff = SERVICES,
        hopeless: Callable[["Service", str], None] | None = None,
    ) -> None:
        self.name = name
        self.pid = 0
        self.is_stopping = False
        self._launch, self._reaper, self._clock, self._backoff = launch, reaper, clock, backoff
        self._log_path, self._hopeless = log, hopeless
        self._exit: asyncio.Future[int] | None = None

    async def run(self) -> None:
        """Start it, and again whenever it ends, until `stop` or cancelled."""
        log = LogFile(self._log_path)
        failures = lives = 0
        try:
            while not self.is_stopping:
                started = self._clock()
                code, words = await self._once(log)
                lives += 1
                if self.is_stopping:
                    return
                if self._hopeless is not None and lives == 1 and code == os.EX_CONFIG:
                    self._hopeless(self, words)
                    return
                failures = self._backoff.failures(failures, lived_s=self._clock() - started)
                delay_s = self._backoff.delay_s(failures)
                _log.warning("%s %s; starting it again in %.2f s", self.name, words, delay_s)
                await asyncio.sleep(delay_s)
        finally:
            log.close()

    async def stop(self, *, grace_s: float) -> None:
        """Ask it to end, wait, then make it."""
        self.is_stopping = True
        end, pid = self._exit, self.pid
        if end is None or end.done():
            return
        self.signal(signal.SIGTERM)
        await asyncio.wait([end], timeout=grace_s)
        if not end.done():
            _log.warning("%s did not end within %g s and is killed", self.name, grace_s)
            processes.kill_group(pid)
            await asyncio.wait([end])

    def signal(self, number: int) -> None:
        """Send a signal to the process, not to its children."""
        if self.pid:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    async def _once(self, log: LogFile) -> tuple[int | None, str]:
        """One life of it: its return code if it had one, and how it ended in words."""
        pump = LogPump(log, clock=time.time)
        try:
            try:
                self.pid = self._launch(pump.writing)
            except OSError as error:
                return None, f"cannot be started: {error}"
            pump.started()
            self._exit = self._reaper.watch(self.pid)
            code = await self._exit
            processes.kill_group(self.pid)
            await asyncio.wait([pump.finished], timeout=1.0)
            return code, ": ".join(part for part in (describe_exit(code), pump.words.last) if part)
        finally:
            self.pid = 0
            pump.close()


def describe_exit(code: int) -> str:
    """A return code in words: `exited with code 3`, `was killed by SIGKILL`."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
