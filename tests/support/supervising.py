"""A real supervisor in a process of its own, and questions about the processes below it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.backends.local import processes, rpc
from fairlead.backends.local.client import SupervisorClient
from fairlead.backends.local.home import Home
from fairlead.dataplane.spec import Placement, UnixSocket, WorkerSpec
from fairlead.plan.model import Call, Graph, Method, Revision, Unit, UnitName
from fairlead.plan.status import ReplicaState

_MAIN = """
import asyncio, json, logging, sys
from pathlib import Path
from fairlead.backends.local.home import Home
from fairlead.backends.local.supervisor import SupervisorConfig, run_supervisor
logging.basicConfig(level=logging.INFO)
options = json.loads(sys.argv[1])
options["home"] = Home(Path(options["home"]))
options["control_argv"] = tuple(options["control_argv"])
options["gateway_argv"] = tuple(options["gateway_argv"])
sys.exit(asyncio.run(run_supervisor(SupervisorConfig(**options))))
"""
SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")
"""A control or gateway process that does nothing until it is told to end."""


@dataclass
class RunningSupervisor:
    """`pid` is the supervisor's; `output` holds its log once it has ended."""

    home: Home
    process: asyncio.subprocess.Process
    output: bytearray = field(default_factory=bytearray)

    @property
    def pid(self) -> int:
        return self.process.pid

    def below(self) -> list[int]:
        """Every process below it."""
        return processes.descendants(self.pid)

    def running(self, text: str) -> list[int]:
        """The living processes below it whose command line holds a text. A forked worker keeps its nursery's."""
        return [pid for pid in self.below() if processes.is_alive(pid) and text in _command_line(pid)]

    async def stop(self, signal_number: int = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal_number)
        return await self.process.wait()

    def log(self) -> str:
        return self.output.decode()


@contextlib.contextmanager
def short_home() -> Iterator[Home]:
    """A home whose path leaves room for socket names."""
    with tempfile.TemporaryDirectory(prefix="fl-") as folder:
        home = Home(Path(folder))
        home.prepare()
        yield home


@contextlib.asynccontextmanager
async def supervisor(
    home: Home,
    *,
    control_argv: tuple[str, ...] = SLEEPER,
    gateway_argv: tuple[str, ...] = (),
    **options: object,
) -> AsyncIterator[RunningSupervisor]:
    """A supervisor whose workers are fake ones."""
    settings: dict[str, object] = {"home": str(home.root), "control_argv": control_argv, "gateway_argv": gateway_argv}
    settings |= {"worker": "support.fake_worker", "grace_s": 5.0} | options
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _MAIN,
            json.dumps(settings | {"ready_fd": writing}),
            pass_fds=[writing],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        os.close(writing)
        ready = await asyncio.to_thread(os.read, reading, 16)
    finally:
        os.close(reading)
    running = RunningSupervisor(home, process)
    assert process.stdout is not None
    reader = asyncio.create_task(_collect(process.stdout, running.output))
    try:
        if ready != b"ready\n":
            await reader
            raise AssertionError(running.log())
        yield running
    finally:
        left = running.below()
        await running.stop()
        await reader
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def _collect(stream: asyncio.StreamReader, into: bytearray) -> None:
    while data := await stream.read(65536):
        into += data


def replica_spec(home: Home, name: str, *, env: dict[str, str] | None = None, **changes: object) -> rpc.ReplicaSpec:
    """One replica with one worker of one unit, `model`."""
    unit = Unit(name=UnitName("model"), runtime="python")
    revision = Revision(hash="abc", units=(unit,), graph=Graph(root=Call(unit=unit.name, method=Method.PREDICT)))
    frames = str(home.run / f"{name}.sock")
    worker = WorkerSpec(
        replica=name,
        namespace="ns",
        service="svc",
        component="default",
        revision=revision,
        placements=[Placement(unit="model", env=env or {})],
        frames=UnixSocket(path=frames),
        workdir=str(home.work / name),
    )
    fields: dict[str, object] = {
        "replica": name,
        "namespace": "ns",
        "service": "Kind/ns/svc",
        "component": "default",
        "revision": "abc",
        "members": [rpc.Forked(spec=worker)],
        "frames": frames,
        "workdir": str(home.work / name),
        "log": str(home.logs / "ns" / f"{name}.log"),
        "drain_s": 5.0,
    }
    return rpc.ReplicaSpec(**(fields | changes))  # type: ignore[arg-type]  # fields by name, from a test


class Watched:
    """A client that remembers the last word on every replica."""

    def __init__(self, client: SupervisorClient) -> None:
        self.client = client
        self.replicas: dict[str, rpc.ReplicaInfo] = {}
        self.history: list[tuple[str, ReplicaState]] = []
        self._changes = client.changes()

    async def until(self, condition: Callable[[dict[str, rpc.ReplicaInfo]], bool], *, timeout_s: float = 60.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition(self.replicas):
                self._take(await anext(self._changes))

    async def until_state(self, name: str, state: ReplicaState) -> rpc.ReplicaInfo:
        await self.until(lambda replicas: name in replicas and replicas[name].state is state)
        return self.replicas[name]

    def _take(self, change: rpc.Listing | rpc.Changed) -> None:
        if isinstance(change, rpc.Listing):
            self.replicas = {info.spec.replica: info for info in change.replicas}
        else:
            self.replicas[change.replica.spec.replica] = change.replica
            self.history.append((change.replica.spec.replica, change.replica.state))


@contextlib.asynccontextmanager
async def watched(home: Home) -> AsyncIterator[Watched]:
    async with SupervisorClient(home.supervisor_socket) as client:
        await client.connected()
        yield Watched(client)


async def ask_pid(path: str) -> int:
    """Which process answers on a fake worker's socket."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        return int(await reader.readline())
    finally:
        writer.close()
        await writer.wait_closed()


async def until(condition: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    """Wait for something outside that tells nobody, such as the end of a process that is not ours."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def gone(pids: list[int]) -> bool:
    return not any(processes.is_alive(pid) for pid in pids)
