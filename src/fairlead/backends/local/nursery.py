"""A fork server: one process that has imported a runtime's libraries, so that a replica starts by `fork`.

A fresh interpreter with scikit-learn takes the better part of a second to answer; a fork of one that is already
loaded takes milliseconds and shares its memory. The nursery stays single-threaded and loads no model: it reads a
request with two descriptors, forks twice, and says the worker's pid. The worker's parent is then the supervisor,
so a nursery may be killed at any moment without touching a replica. End of the channel means stop.

    python -m fairlead.backends.local.nursery --runtime sklearn --channel-fd 5 --worker fairlead.dataplane.worker
"""

import argparse
import gc
import importlib
import logging
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgspec

from fairlead.backends.local import processes
from fairlead.dataplane.spec import WorkerSpec
from fairlead.errors import FairleadError
from fairlead.runtimes import registry

_LENGTH = struct.Struct(">I")
_log = logging.getLogger("fairlead.nursery")

BASE_RUNTIME = "python"
"""The family for units whose libraries nobody knows beforehand: numpy and the data plane."""


class ForkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is born with. Its channel and its output come as descriptors, in this order."""

    spec: WorkerSpec
    env: dict[str, str] = {}
    cwd: str = ""


class Forked(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the worker's pid, or why there is none."""

    pid: int = 0
    error: str = ""


WorkerMain = Callable[[WorkerSpec, socket.socket], int]


def serve(channel: socket.socket, worker_main: WorkerMain) -> None:
    """Answer requests until the channel ends."""
    decoder = msgspec.json.Decoder(ForkRequest)
    while True:
        received = _receive(channel)
        if received is None:
            return
        body, descriptors = received
        try:
            answer = _fork(decoder.decode(body), worker_main, *descriptors)
        except (OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
            answer = Forked(error=f"{type(error).__name__}: {error}")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        data = msgspec.json.encode(answer)
        channel.sendall(_LENGTH.pack(len(data)) + data)


def _receive(channel: socket.socket) -> tuple[bytes, list[int]] | None:
    head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, 2)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = bytearray()
    while len(body) < length:
        part = channel.recv(min(1 << 20, length - len(body)))
        if not part:
            return None
        body += part
    return bytes(body), list(descriptors)


def _fork(request: ForkRequest, worker_main: WorkerMain, channel: int, output: int) -> Forked:
    """Fork twice. The worker waits at `gate` until its first parent is gone, because the parent-death signal
    binds to whoever is its parent at that moment."""
    gate_out, gate_in = os.pipe()
    pid_out, pid_in = os.pipe()
    first = os.fork()
    if first == 0:
        second = os.fork()
        if second == 0:
            _be_worker(request, worker_main, gate=gate_out, channel=channel, output=output)
        os.write(pid_in, str(second).encode())
        os._exit(0)
    os.close(gate_out)
    os.close(pid_in)
    try:
        os.waitpid(first, 0)
        return Forked(pid=int(os.read(pid_out, 32)))
    finally:
        os.close(pid_out)
        os.close(gate_in)  # opens the gate: the worker reads the end of the pipe


def _be_worker(request: ForkRequest, worker_main: WorkerMain, *, gate: int, channel: int, output: int) -> NoReturn:
    """Never returns into the nursery's frames, whatever happens."""
    code = 1
    try:
        os.setsid()
        _settle_descriptors(gate=gate, channel=channel, output=output)
        processes.die_with_parent(os.getppid())
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


def _settle_descriptors(*, gate: int, channel: int, output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    processes.close_descriptors_except([gate, channel])
    # EOF at the gate: the nursery has seen the first child end, or is gone itself. The writing end is held by
    # nobody else, since it was closed above in this process and the first child has exited.
    while os.read(gate, 1):
        pass
    os.close(gate)


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
