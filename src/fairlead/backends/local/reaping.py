"""Starts child processes and learns of every end, also of processes that were born elsewhere and adopted here.

The supervisor adopts workers that a nursery forked, and orphans of anything it runs, so it waits for *any* child
instead of for the ones it knows. Nothing else in that process may wait for children. One thread, one loop.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fairlead.backends.local import processes


class Reaper:
    """`watch` gives a future with a return code as `subprocess` counts it: negative is the signal."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched: dict[int, asyncio.Future[int]] = {}
        self._spawned: dict[int, subprocess.Popen[bytes]] = {}
        self._early: dict[int, int] = {}
        self._expecting = 0

    def __enter__(self) -> "Reaper":
        self._loop.add_signal_handler(signal.SIGCHLD, self._collect)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_signal_handler(signal.SIGCHLD)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        output: int,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
        dies_with_us: bool = True,
    ) -> int:
        """Start a program in a session of its own and return its pid. `output` gets stdout and stderr. A program
        that cannot be started raises the `OSError` of exec."""
        prepare: Callable[[], None] | None = None
        if dies_with_us and processes.IS_LINUX:
            parent = os.getpid()

            def prepare() -> None:
                processes.die_with_parent(parent)

        process = subprocess.Popen(
            list(argv),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
            preexec_fn=prepare,
        )
        self._spawned[process.pid] = process
        return process.pid

    def watch(self, pid: int) -> asyncio.Future[int]:
        """The end of a child, spawned here or adopted."""
        future = self._watched.get(pid)
        if future is None:
            future = self._watched[pid] = self._loop.create_future()
            if pid in self._early:
                self._settle(pid, self._early.pop(pid))
            else:
                # An adopted child may have ended before its SIGCHLD could mean anything to us.
                self._collect()
        return future

    def expect(self) -> None:
        """An unknown child is about to be adopted: remember ends of strangers until `expected`."""
        self._expecting += 1

    def expected(self) -> None:
        """The adopted child is watched, or will not come."""
        self._expecting -= 1
        if not self._expecting:
            self._early.clear()

    def kill_strangers(self) -> None:
        """Kill children that nobody watches: orphans of something that ran below us and has ended."""
        if self._expecting:
            return
        for pid in processes.own_children():
            if pid not in self._watched:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _collect(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._settle(pid, os.waitstatus_to_exitcode(status))

    def _settle(self, pid: int, code: int) -> None:
        process = self._spawned.pop(pid, None)
        if process is not None:
            process.returncode = code  # so that Popen knows it has been waited for
        future = self._watched.pop(pid, None)
        if future is None:
            if self._expecting or process is not None:
                self._early[pid] = code
        elif not future.done():
            future.set_result(code)
