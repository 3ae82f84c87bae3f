"""A fork server: one process that has imported a runtime's libraries, so that a replica starts by `fork`.

A fresh interpreter with scikit-learn takes the better part of a second to answer; a fork of one that is already
loaded takes milliseconds and shares its memory. The nursery stays single-threaded and loads no model. It keeps one
child waiting, the standby, which reads the next request with its two descriptors, forks the worker, says its pid and
ends; the worker's parent is then the supervisor, so a nursery may be killed at any moment without touching a
replica, and a start costs one fork of a large process instead of two (measured with scikit-learn: 5 ms each, and 8
more for the end of the one between). End of the channel means stop.

    python -m fairlead.backends.local.nursery --runtime sklearn --channel-fd 5 --worker fairlead.dataplane.worker
"""

import argparse
import gc
import importlib
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgspec

from fairlead.backends.local import processes
from fairlead.backends.local.nursing import LENGTH, Forked, ForkRequest
from fairlead.dataplane.spec import WorkerSpec
from fairlead.errors import FairleadError
from fairlead.runtimes import registry

_log = logging.getLogger("fairlead.nursery")

_NO_MORE = 3
_ADOPTED = signal.SIGUSR1
WorkerMain = Callable[[WorkerSpec, socket.socket], int]


def serve(channel: socket.socket, worker_main: WorkerMain) -> None:
    """Answer requests until the channel ends."""
    while True:
        nursery = os.getpid()
        standby = os.fork()
        if standby == 0:
            _be_standby(channel, worker_main, nursery=nursery)
        _, status = os.waitpid(standby, 0)
        if os.waitstatus_to_exitcode(status) == _NO_MORE:
            return


def _be_standby(channel: socket.socket, worker_main: WorkerMain, *, nursery: int) -> NoReturn:
    """Wait for one request and answer it. Never returns into the nursery's frames."""
    code = _NO_MORE
    try:
        processes.die_with_parent(nursery)
        if _answer_one(channel, worker_main):
            code = 0
    except ConnectionError:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _answer_one(channel: socket.socket, worker_main: WorkerMain) -> bool:
    """Whether there was a request."""
    received = _receive(channel)
    if received is None:
        return False
    body, descriptors = received
    try:
        request = msgspec.json.decode(body, type=ForkRequest)
        answer = Forked(pid=_fork(request, worker_main, *descriptors))
    except (OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
        answer = Forked(error=f"{type(error).__name__}: {error}")
    data = msgspec.json.encode(answer)
    channel.sendall(LENGTH.pack(len(data)) + data)
    return True


def _receive(channel: socket.socket) -> tuple[bytes, list[int]] | None:
    head, descriptors, _, _ = socket.recv_fds(channel, LENGTH.size, 2)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = bytearray()
    while len(body) < length:
        part = channel.recv(min(1 << 20, length - len(body)))
        if not part:
            return None
        body += part
    return bytes(body), list(descriptors)


def _fork(request: ForkRequest, worker_main: WorkerMain, channel: int, output: int) -> int:
    standby = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_worker(request, worker_main, standby=standby, channel=channel, output=output)
    return pid


def _be_worker(request: ForkRequest, worker_main: WorkerMain, *, standby: int, channel: int, output: int) -> NoReturn:
    """Never returns into the nursery's frames, whatever happens."""
    code = 1
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        processes.close_descriptors_except([channel])
        _die_with_the_next_parent(standby)
        _settle_process(request)
        code = worker_main(request.spec, socket.socket(fileno=channel))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _die_with_the_next_parent(standby: int) -> None:
    """Die with the supervisor, which is the parent once the standby has ended. The kernel's signal binds to the
    parent of the moment; so ask first for a harmless one at the standby's end, which takes its time."""

    def adopted(*_: object) -> None:
        processes.die_with_parent(os.getppid())
        signal.signal(_ADOPTED, signal.SIG_DFL)

    signal.signal(_ADOPTED, adopted)
    processes.signal_at_parents_end(_ADOPTED)
    if os.getppid() != standby:
        adopted()


def _settle_process(request: ForkRequest) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    processes.no_core_dumps()
    os.environ.update(request.env)
    if request.cwd:
        os.chdir(request.cwd)
    if "numpy" in sys.modules:
        # `random` reseeds itself after a fork, numpy does not: two routers must not toss the same coins.
        sys.modules["numpy"].random.seed()
    if request.spec.threads > 1:
        _allow_threads(request.spec.threads)


def _allow_threads(count: int) -> None:
    """The nursery loaded its numeric libraries with one thread each; raise that where a library can be asked."""
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships without annotations
    except ImportError:
        return
    threadpool_limits(count)


def _preload(runtime: str) -> None:
    """A library that is missing or broken is the worker's to report, with its unit's name."""
    try:
        registry.preload(runtime)
    except (FairleadError, ImportError, OSError) as error:
        _log.warning("nothing preloaded for runtime %r: %s", runtime, error)
    # Each costs milliseconds that every worker would pay.
    import uvloop  # noqa: F401

    if processes.thread_count() > 1:
        _log.warning("the libraries of runtime %r started %d threads", runtime, processes.thread_count() - 1)


def main() -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="fairlead.backends.local.nursery")
    parser.add_argument("--runtime", required=True)
    parser.add_argument("--channel-fd", type=int, required=True)
    parser.add_argument("--worker", default="fairlead.dataplane.worker", help="module whose main() a worker runs")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=options.channel_fd)
    _preload(options.runtime)
    worker_main: WorkerMain = importlib.import_module(options.worker).main
    gc.collect()
    gc.freeze()
    with suppress(ConnectionError):
        serve(channel, worker_main)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
