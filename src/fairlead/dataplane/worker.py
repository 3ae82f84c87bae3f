"""The worker: one process that serves one replica of one revision.

It loads its units, says how far it got to whoever started it, answers on the sockets it was given, and leaves when it
is told to, when its supervisor is gone, or on SIGTERM. What its imports cost is paid at every cold start, so nothing
of the control plane is imported here; tests/dataplane/test_worker.py holds the list.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fairlead.dataplane.access_log import open_log
from fairlead.dataplane.access_policy import VARIABLE
from fairlead.dataplane.assembling import assemble
from fairlead.dataplane.channel import Channel
from fairlead.dataplane.graph.driving import as_future
from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.loading import Load, NotLoaded, load_units
from fairlead.dataplane.memory_limit import limit_memory
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.net.frame_server import FrameServer
from fairlead.dataplane.net.server import HttpServer, Limits
from fairlead.dataplane.snapshots import counted_by
from fairlead.dataplane.spec import Failed, FromWorker, Held, Loading, LookAgain, Ready, ToWorker, WorkerSpec
from fairlead.dataplane.surfaces.composing import Surfaces, refusal_of
from fairlead.dataplane.surfaces.limiting import Limiter
from fairlead.dataplane.surfaces.models import Models
from fairlead.dataplane.surfaces.seldon.surface import MetricsSurface, refusal
from fairlead.dataplane.tracing.opening import open_tracer
from fairlead.errors import FairleadError
from fairlead.protocols.exchange import ServerHandler
from fairlead.protocols.streaming import is_streamed
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable

if TYPE_CHECKING:
    import ssl

_log = logging.getLogger(__name__)
_FIRST_LOOK_S = 0.02
_LAST_LOOK_S = 0.5

Say = Callable[[FromWorker], None]
Around = Callable[[ServerHandler, Executor], ServerHandler]


class _Server(Protocol):
    async def drain(self, grace_s: float) -> None: ...


def main(
    spec: WorkerSpec, channel: socket.socket | None, *, load: Load = registry.load, around: Around | None = None
) -> int:
    """Run one worker in this process until it is told to stop; gives the exit status. `channel` is the connected
    socket to the supervisor; without one the worker stops on SIGTERM and SIGINT. `around` puts a handler before the
    worker's own."""
    signal.signal(signal.SIGTERM, _leave if os.getpid() == 1 else signal.SIG_DFL)
    # Ctrl-C reaches every process of a terminal; the supervisor decides what it means for its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN if channel is not None else signal.default_int_handler)
    link = Channel(channel) if channel is not None else None
    say = _log_word if link is None else partial(_say_and_log, link)
    limit_memory(spec.memory_limit_bytes)
    try:
        servables = load_units(spec, load, say)
    except NotLoaded as error:
        say(error.failed)
        return 1
    # What was loaded stays: keep the collector from walking through it again and again.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_Worker(spec, servables, link, say, around).run())


class _Worker:
    """A worker whose units are loaded."""

    def __init__(
        self,
        spec: WorkerSpec,
        servables: Mapping[str, Servable],
        link: Channel | None,
        say: Say,
        around: Around | None = None,
    ) -> None:
        self._around: Around = around or _as_it_is
        self._spec = spec
        self._servables = servables
        self._link = link
        self._say = say
        self._servers: list[_Server] = []
        self._look_again = asyncio.Event()

    async def run(self) -> int:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[float] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT) if self._link is None else (signal.SIGTERM,):
            loop.add_signal_handler(number, self._stop_within, self._spec.revision.drain_s)
        if self._link is not None:
            self._link.listen(lambda message: self._heard(loop, message))
        try:
            tracer = open_tracer(_environment(self._spec), service=_traced_as(self._spec), about=_about(self._spec))
            executor, meters = assemble(self._spec, self._servables, loop, tracer=tracer)
            surfaces = Surfaces(self._spec, executor, meters)
            surface = self._limited(surfaces, meters)
            log = open_log(os.environ.get(VARIABLE, ""))
            if log is not None or tracer is not None:
                from fairlead.dataplane.observed import Observed

                surface = Observed(surface, self._spec, log=log, tracer=tracer)
            port = await self._listen(self._around(surface, executor), meters, surfaces)
            await self._open_own_doors(executor, meters)
        except (FairleadError, OSError) as error:
            self._say(_not_listening(error))
            return 1
        looking = None
        if surfaces.models.holds_some:
            # What a client does to them is told as well as what the list says.
            surfaces.models.changed = self._look_again.set
            await self._tell_held(surfaces.models)
            looking = loop.create_task(self._keep_looking(surfaces.models), name="look for models")
        if await self._all_answer(executor):
            self._say(Ready(http_port=port, models=surfaces.model_names))
            await self._stop
        if looking is not None:
            looking.cancel()
        grace_s = self._stop.result()
        surfaces.drain()
        await asyncio.gather(*(server.drain(grace_s) for server in self._servers))
        executor.close()
        return 0

    def _limited(self, surface: ServerHandler, meters: Meters) -> ServerHandler:
        limits = self._spec.revision.limits
        if not limits.concurrency:
            return surface

        def count() -> None:
            meters.refused += 1

        return Limiter(surface, limits, refusal_of(self._spec.revision.protocol), refused=count)

    async def _listen(self, surface: ServerHandler, meters: Meters, surfaces: Surfaces) -> int:
        spec = self._spec
        limits = Limits(body_bytes=spec.max_body_bytes)
        refuse = refusal_of(spec.revision.protocol)
        port = 0
        if spec.http is not None:
            http = HttpServer(surface, limits=limits, refuse=refuse, streams=is_streamed)
            self._servers.append(http)
            port = await http.listen(spec.http, tls=_tls(spec))
            if spec.grpc is not None:
                await http.listen(spec.grpc, tls=_tls(spec))
        if spec.frames is not None:
            counts = counted_by(spec, meters, surfaces.server)
            frames = FrameServer(surface, limits=limits, refuse=refuse, streams=is_streamed, counts=counts)
            self._servers.append(frames)
            await frames.listen(spec.frames)
        if spec.metrics is not None:
            exposed = HttpServer(MetricsSurface(meters, _metrics_path(spec)), limits=limits, refuse=refusal)
            self._servers.append(exposed)
            await exposed.listen(spec.metrics)
        return port

    async def _open_own_doors(self, executor: Executor, meters: Meters) -> None:
        """Where units of the graph answer for themselves."""
        if not self._spec.own_doors:
            return
        from fairlead.dataplane.own_doors import surface_of

        for door in self._spec.own_doors:
            surface = surface_of(door.unit, self._spec, executor, meters)
            limits = Limits(body_bytes=self._spec.max_body_bytes)
            server = HttpServer(surface, limits=limits, refuse=refusal, streams=is_streamed)
            self._servers.append(server)
            for where in door.listen:
                await server.listen(where)

    async def _all_answer(self, executor: Executor) -> bool:
        """Wait until every unit answers; false when told to stop before."""
        pause_s = _FIRST_LOOK_S
        while not self._stop.done():
            if await as_future(executor.is_ready()):
                return True
            await asyncio.wait((self._stop,), timeout=pause_s)
            pause_s = min(pause_s * 2, _LAST_LOOK_S)
        return False

    def _heard(self, loop: asyncio.AbstractEventLoop, message: ToWorker | None) -> None:
        """On the channel's thread: pass the word on. A supervisor that is gone leaves nobody to drain for."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the worker is leaving already
            if isinstance(message, LookAgain):
                loop.call_soon_threadsafe(self._look_again.set)
            else:
                loop.call_soon_threadsafe(self._stop_within, 0.0 if message is None else message.grace_s)

    async def _keep_looking(self, models: Models) -> None:
        """Take in and let go of models whenever the list of them has changed."""
        while True:
            await self._look_again.wait()
            self._look_again.clear()
            await self._tell_held(models)

    async def _tell_held(self, models: Models) -> None:
        held = await models.look_again()
        self._say(Held(held=tuple(held), models=tuple(models.names)))

    def _stop_within(self, grace_s: float) -> None:
        if not self._stop.done():
            self._stop.set_result(grace_s)


def _environment(spec: WorkerSpec) -> dict[str, str]:
    """What the process, the revision and its units say, the nearest last."""
    env = dict(os.environ) | spec.revision.settings
    for placement in spec.placements:
        env |= placement.env
    return env


def _traced_as(spec: WorkerSpec) -> str:
    """A bare unit by its name. A graph of Seldon's is its orchestrator, which calls itself this."""
    if spec.single_unit:
        return str(spec.revision.units[0].name)
    return "executor" if spec.revision.graph.drawing is not None else spec.service


def _about(spec: WorkerSpec) -> dict[str, str]:
    named = {"namespace": spec.namespace, "service": spec.service, "component": spec.component}
    return {f"fairlead.{name}": value for name, value in named.items()} | {
        "fairlead.revision": spec.revision.hash,
        "service.instance.id": spec.replica,
    }


def _leave(number: int, _frame: object) -> None:
    """The first process of a container is not ended by a signal that it does not handle; while models are loaded there
    is nothing to finish."""
    os._exit(128 + number)


def _as_it_is(surface: ServerHandler, _executor: Executor) -> ServerHandler:
    return surface


def _tls(spec: WorkerSpec) -> "ssl.SSLContext | None":
    if spec.tls is None:
        return None
    from fairlead.dataplane.net.tls import server_context

    return server_context(Path(spec.tls.certificate), Path(spec.tls.key))


def _metrics_path(spec: WorkerSpec) -> str:
    for placement in spec.placements:
        path = placement.env.get("PREDICTIVE_UNIT_METRICS_ENDPOINT")
        if path:
            return path
    return "/metrics"


def _not_listening(error: Exception) -> Failed:
    reason = error.reason if isinstance(error, FairleadError) else "CannotListen"
    return Failed(unit="", reason=reason, message=str(error))


def _say_and_log(link: Channel, word: FromWorker) -> None:
    link.say(word)
    if not isinstance(word, Failed):  # whose detail the supervisor writes into the same log, once
        _log_word(word)


def _log_word(word: FromWorker) -> None:
    """What the supervisor is told is what somebody looks for in the log too."""
    match word:
        case Loading(unit=unit):
            _log.info("unit %s: loading", unit)
        case Ready():
            _log.info("ready")
        case Held(held=held):
            for one in held:
                _log.info("model %s: %s", one.name, "loaded" if one.is_loaded else one.reason)
        case Failed(message=message, detail=detail):
            _log.error("%s", f"{detail.rstrip()}\n{message}" if detail else message)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
