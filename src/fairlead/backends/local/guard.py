"""Stands between the supervisor and a program of somebody else, so that nothing of it outlives the replica.

Such a program may fork children of its own that no signal to its parent reaches. The guard adopts them, ends with
the program's own exit status, and when its channel ends (the supervisor is gone, or wants a quick end) it kills all
that is left. SIGTERM is passed on and nothing is forced until the channel ends.

    python -I -m fairlead.backends.local.guard --channel-fd 5 -- program argument…
"""

import argparse
import contextlib
import os
import select
import signal
import subprocess
import sys

from fairlead.backends.local import processes


def main() -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="fairlead.backends.local.guard")
    parser.add_argument("--channel-fd", type=int, required=True)
    parser.add_argument("argv", nargs="+")
    options = parser.parse_args()
    processes.adopt_orphans()
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = _start(options.argv)
    except OSError as error:
        print(f"cannot run {options.argv[0]}: {error.strerror}", file=sys.stderr)
        return 127
    code = _watch(child, channel=options.channel_fd, woken=woken)
    _kill_the_rest()
    return _end_like(code)


def _start(argv: list[str]) -> int:
    guard = os.getpid()

    def prepare() -> None:
        processes.die_with_parent(guard)
        processes.no_core_dumps()

    child = subprocess.Popen(argv, start_new_session=True, preexec_fn=prepare)
    child.returncode = 0  # waited for below, by pid and with everything else
    return child.pid


def _watch(child: int, *, channel: int, woken: int) -> int:
    """The return code of the program, which is killed when the channel ends."""
    while True:
        ready, _, _ = select.select([channel, woken], [], [])
        if channel in ready and not os.read(channel, 4096):
            processes.kill_group(child)
            _, status = os.waitpid(child, 0)
            return os.waitstatus_to_exitcode(status)
        if woken in ready:
            signals = os.read(woken, 64)
            if signal.SIGTERM in signals:
                processes.kill_group(child, signal.SIGTERM)
            code = _collect(child)
            if code is not None:
                return code


def _collect(child: int) -> int | None:
    """Reap whatever has ended; the program's return code when it is among them."""
    found: int | None = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                found = os.waitstatus_to_exitcode(status)
    return found


def _kill_the_rest() -> None:
    """Until nothing is below us: a process may fork while it is being looked for."""
    while below := processes.descendants(os.getpid()):
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _end_like(code: int) -> int:
    """Let the supervisor see the signal that ended the program, where that can be shown."""
    if code >= 0:
        return code
    processes.no_core_dumps()
    with contextlib.suppress(OSError, ValueError):  # SIGKILL's handling cannot be set
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code


if __name__ == "__main__":
    raise SystemExit(main())
