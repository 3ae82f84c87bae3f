"""The one parent process: starts and watches everything else, and decides nothing.

Control and gateway are given as command lines; replicas come over `home.supervisor_socket`. What should run is the
control process's business, so control may die and come back while replicas serve on. When this process dies,
everything dies with it, and the next one starts from an empty slate and the database.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fairlead.backends.local import processes, rpc
from fairlead.backends.local.forking import Nurseries
from fairlead.backends.local.home import Home
from fairlead.backends.local.nursing import BASE_RUNTIME
from fairlead.backends.local.reaping import Reaper
from fairlead.backends.local.running import Replica, Surroundings
from fairlead.backends.local.services import Service
from fairlead.errors import Conflict
from fairlead.plan.status import ReplicaState

_log = logging.getLogger("fairlead.supervisor")
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_REMEMBERED = 200
_MAX_WATCHER_BYTES = 64 * 1024 * 1024


class HomeInUse(Conflict):
    """Another supervisor runs in this home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorConfig:
    """What to run and where.

    `env` is added for control and gateway, which also get our own environment; everything else starts from the
    part of it that holds no credentials. `instance` (ports, URLs) goes into `home.instance` beside the pid.
    `ready_fd` is written `ready\\n` and closed once control and gateway are started. `worker` names the module whose
    `main` a worker runs.
    """

    home: Home
    control_argv: tuple[str, ...]
    gateway_argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    instance: Mapping[str, Any] = field(default_factory=dict)
    grace_s: float = 20.0
    ready_fd: int | None = None
    log_max_bytes: int = 10 * 1024 * 1024
    log_keep: int = 3
    worker: str = "fairlead.dataplane.worker"
    can_fork: bool = processes.CAN_FORK_WORKERS


async def run_supervisor(config: SupervisorConfig) -> int:
    """Run until SIGTERM, SIGINT or SIGHUP; a second one ends everything at once. Raises `HomeInUse` when the home
    has a supervisor already. Gives the exit status."""
    config.home.prepare()
    with _locked(config.home):
        _remove_leftovers(config.home)
        processes.adopt_orphans()
        with Reaper() as reaper:
            return await _Supervisor(config, reaper).run()


class _Supervisor:
    def __init__(self, config: SupervisorConfig, reaper: Reaper) -> None:
        self._config, self._reaper = config, reaper
        self._replicas: dict[str, Replica] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._watchers: set[asyncio.StreamWriter] = set()
        self._group = asyncio.TaskGroup()
        self._stopping = asyncio.Event()
        self._hurried = asyncio.Event()
        self._failed = 0
        base_env = processes.scrubbed_environment(os.environ)
        self._nurseries = Nurseries(
            reaper=reaper,
            env=base_env,
            logs=config.home.logs,
            worker=config.worker,
            keep=self._keep,
            can_fork=config.can_fork,
        )
        self._around = Surroundings(
            nurseries=self._nurseries,
            reaper=reaper,
            base_env=base_env,
            clock=time.time,
            log_max_bytes=config.log_max_bytes,
            log_keep=config.log_keep,
        )
        self._control = self._service("control", config.control_argv)
        self._gateway = self._service("gateway", config.gateway_argv) if config.gateway_argv else None

    async def run(self) -> int:
        home = self._config.home
        loop = asyncio.get_running_loop()
        # Under nohup a hang-up is ignored, and stays so.
        heeded = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in heeded:
            loop.add_signal_handler(number, self._asked_to_stop)
        server = await _listen(home.supervisor_socket, self._connected)
        try:
            async with self._group:
                if self._gateway is not None:
                    self._keep(self._gateway)
                self._keep(self._control)
                self._nurseries.warm(BASE_RUNTIME)
                _write_instance(home, self._config.instance)
                _say_ready(self._config.ready_fd)
                await self._stopping.wait()
                await self._shut_down()
        finally:
            home.instance.unlink(missing_ok=True)
            server.close()
            home.supervisor_socket.unlink(missing_ok=True)
            for number in heeded:
                loop.remove_signal_handler(number)
        return self._failed

    # -- our own processes

    def _service(self, name: str, argv: tuple[str, ...]) -> Service:
        env = dict(os.environ) | dict(self._config.env)

        def launch(output: int) -> int:
            return self._reaper.spawn(argv, env=env, output=output)

        return Service(
            name,
            launch,
            reaper=self._reaper,
            log=self._config.home.logs / f"{name}.log",
            clock=time.monotonic,
            hopeless=self._hopeless,
        )

    def _keep(self, service: Service) -> None:
        self._group.create_task(service.run(), name=service.name)

    def _hopeless(self, service: Service, last_line: str) -> None:
        """Control or gateway cannot run as they are configured: there is nothing to keep alive."""
        _log.error("%s cannot run: %s", service.name, last_line)
        self._failed = os.EX_CONFIG
        self._stopping.set()

    # -- the end

    def _asked_to_stop(self) -> None:
        if self._stopping.is_set():
            self._hurried.set()
        self._stopping.set()

    async def _shut_down(self) -> None:
        """In the order that drops no request; a second signal cuts it short."""
        orderly = asyncio.create_task(self._stop_in_order(self._config.grace_s))
        hurried = asyncio.create_task(self._hurried.wait())
        await asyncio.wait([orderly, hurried], return_when=asyncio.FIRST_COMPLETED)
        if not orderly.done():
            self._kill_everything()
        await orderly
        hurried.cancel()
        for writer in self._watchers:
            writer.close()

    async def _stop_in_order(self, grace_s: float) -> None:
        if self._gateway is not None:
            await self._gateway.stop(grace_s=grace_s)
        for replica in self._replicas.values():
            replica.stop(None if self._hurried.is_set() else min(grace_s, replica.spec.drain_s))
        self._nurseries.give_up()
        if self._lives:
            await asyncio.wait(list(self._lives))
        await self._control.stop(grace_s=grace_s)
        await self._nurseries.stop(grace_s=2.0)

    def _kill_everything(self) -> None:
        for service in (self._gateway, self._control):
            if service is not None:
                service.is_stopping = True
                service.signal(signal.SIGKILL)
        for replica in self._replicas.values():
            replica.stop(None)

    # -- replicas

    def _start(self, spec: rpc.ReplicaSpec) -> str:
        """Why not, or empty."""
        current = self._replicas.get(spec.replica)
        if current is not None and current.state is not ReplicaState.GONE:
            return f"replica {spec.replica} is {current.state.value}"
        self._replicas.pop(spec.replica, None)
        replica = self._replicas[spec.replica] = Replica(spec, self._around, self._changed)
        life = self._group.create_task(self._live(replica), name=spec.replica)
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        return ""

    async def _live(self, replica: Replica) -> None:
        try:
            await replica.live()
        except Exception:
            # Whatever one replica does wrong, the others and this process go on.
            _log.exception("replica %s", replica.spec.replica)
            replica.give_up()

    def _changed(self, replica: Replica) -> None:
        if replica.state is ReplicaState.GONE:
            self._forget_oldest()
        self._tell(rpc.encode(rpc.Changed(replica=replica.info)))

    def _forget_oldest(self) -> None:
        """Control forgets what it has dealt with; this is for a control process that does not come back."""
        gone = [name for name, replica in self._replicas.items() if replica.state is ReplicaState.GONE]
        for name in gone[:-_REMEMBERED]:
            del self._replicas[name]

    # -- the socket

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (body := await rpc.read_frame(reader)) is not None:
                try:
                    answer = self._answer(msgspec.msgpack.decode(body, type=rpc.Ask), writer)
                except msgspec.MsgspecError as error:
                    _log.warning("a message on the supervisor's socket makes no sense: %s", error)
                    return
                writer.write(rpc.encode(answer))
                await writer.drain()
        except ConnectionError:
            return
        finally:
            self._watchers.discard(writer)
            writer.close()

    def _answer(self, ask: rpc.Ask, writer: asyncio.StreamWriter) -> rpc.Answer:
        refusal = ""
        match ask:
            case rpc.Watch():
                self._watchers.add(writer)
                return rpc.Listing(id=ask.id, replicas=[replica.info for replica in self._replicas.values()])
            case rpc.Start(spec=spec):
                if self._stopping.is_set():
                    return rpc.Refused(id=ask.id, message="the supervisor is stopping", is_stopping=True)
                refusal = self._start(spec)
            case rpc.Drain(replica=name, grace_s=grace_s):
                refusal = self._stop(name, grace_s)
            case rpc.Kill(replica=name):
                refusal = self._stop(name, None)
            case rpc.Forget(replica=name):
                refusal = self._forget(name)
            case rpc.LookAgain(replica=name):
                refusal = self._look_again(name)
            case rpc.Warm(runtime=runtime):
                if not self._stopping.is_set():
                    self._nurseries.warm(runtime)
        return rpc.Refused(id=ask.id, message=refusal) if refusal else rpc.Done(id=ask.id)

    def _stop(self, name: str, grace_s: float | None) -> str:
        replica = self._replicas.get(name)
        if replica is None:
            return f"there is no replica {name}"
        replica.stop(grace_s)
        return ""

    def _look_again(self, name: str) -> str:
        replica = self._replicas.get(name)
        if replica is None:
            return f"there is no replica {name}"
        replica.look_again()
        return ""

    def _forget(self, name: str) -> str:
        replica = self._replicas.get(name)
        if replica is not None and replica.state is not ReplicaState.GONE:
            return f"replica {name} is {replica.state.value}"
        self._replicas.pop(name, None)
        return ""

    def _tell(self, frame: bytes) -> None:
        for writer in list(self._watchers):
            if writer.transport.get_write_buffer_size() > _MAX_WATCHER_BYTES:
                # It does not read; when it comes back it asks for everything anyway.
                self._watchers.discard(writer)
                writer.transport.abort()
            else:
                writer.write(frame)


@contextlib.contextmanager
def _locked(home: Home) -> Iterator[None]:
    """Hold the home's lock; the kernel lets go of it when this process ends, however it does."""
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode().strip() or "unknown"
            raise HomeInUse(
                f"{home.root} is in use by the Fairlead that runs as process {pid}; "
                f"stop that one (fairlead down) or choose another home (--home)"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _remove_leftovers(home: Home) -> None:
    """What an earlier supervisor that was killed could not clean up. Only the holder of the lock may."""
    home.instance.unlink(missing_ok=True)
    for path in home.run.glob("*.sock"):
        path.unlink(missing_ok=True)
    for folder in home.work.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)


async def _listen(
    path: Path, connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> asyncio.Server:
    """A Unix socket that only its owner may use, from its first moment."""
    earlier = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(connected, path)
    finally:
        os.umask(earlier)


def _write_instance(home: Home, instance: Mapping[str, Any]) -> None:
    temporary = home.instance.with_suffix(".tmp")
    temporary.write_text(json.dumps({"pid": os.getpid(), **instance}, indent=1))
    temporary.replace(home.instance)


def _say_ready(descriptor: int | None) -> None:
    if descriptor is None:
        return
    with contextlib.suppress(OSError):
        os.write(descriptor, b"ready\n")
    os.close(descriptor)
