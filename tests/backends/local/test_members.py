"""Programs beside the worker: commands behind their guard, and isolated workers."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.backends.local import processes, rpc
from fairlead.backends.local.home import Home
from fairlead.backends.local.ports import Ports
from fairlead.plan.status import ReplicaState
from support.supervising import RunningSupervisor, gone, replica_spec, short_home, supervisor, until, watched

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
SERVER = """
import os, sys, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(os.environ.get("STATUS", "404")))
        self.end_headers()
if "CHILD" in os.environ and os.fork() == 0:
    os.setsid()
    import signal
    signal.pause()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def home() -> Iterator[Home]:
    with short_home() as home:
        yield home


def _with_program(home: Home, name: str, *argv: str, **env: str) -> rpc.ReplicaSpec:
    port = Ports().take()
    program = rpc.Program(unit="beside", argv=list(argv), env={"PORT": str(port), **env}, address=f"127.0.0.1:{port}")
    spec = replica_spec(home, name)
    return replica_spec(home, name, members=[*spec.members, program])


async def test_a_replica_is_ready_when_its_program_answers_and_takes_it_along(home: Home) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        await seen.client.start(_with_program(home, "one", sys.executable, "-c", SERVER, CHILD="1"))
        await seen.until_state("one", ReplicaState.READY)
        programs = running.running("http.server")
        assert len(programs) >= 2
        await seen.client.drain("one", grace_s=5)
        await seen.until_state("one", ReplicaState.GONE)

        assert gone(programs)


async def test_a_program_that_answers_with_errors_is_not_ready(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        server = (sys.executable, "-c", SERVER)
        spec = _with_program(home, "one", *server, STATUS="500")
        await seen.client.start(replica_spec(home, "one", members=spec.members, start_timeout_s=1.0))
        info = await seen.until_state("one", ReplicaState.GONE)

        assert info.cause is not None
        assert (info.cause.unit, info.cause.reason) == ("beside", "StartTimeout")


async def test_the_end_of_a_program_ends_its_replica_and_is_explained(home: Home) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        await seen.client.start(_with_program(home, "one", sys.executable, "-c", SERVER, CHILD="1"))
        ready = await seen.until_state("one", ReplicaState.READY)
        programs = running.running("http.server")
        (server,) = [pid for pid in programs if "guard" not in _line(pid) and os.getsid(pid) == pid and _serves(pid)]
        os.kill(server, signal.SIGKILL)
        info = await seen.until_state("one", ReplicaState.GONE)

        assert info.cause is not None
        assert (info.cause.unit, info.cause.message) == ("beside", "the program was killed by SIGKILL")
        assert gone([*programs, ready.pid])


async def test_nothing_survives_a_guard_that_is_killed(home: Home) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        await seen.client.start(_with_program(home, "one", sys.executable, "-c", SERVER, CHILD="1"))
        await seen.until_state("one", ReplicaState.READY)
        programs = running.running("http.server")
        (guard,) = [pid for pid in programs if "backends.local.guard" in _line(pid)]
        os.kill(guard, signal.SIGKILL)
        await seen.until_state("one", ReplicaState.GONE)

        await until(lambda: gone(programs))


async def test_no_program_survives_a_supervisor_that_is_killed(home: Home) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        await seen.client.start(_with_program(home, "one", sys.executable, "-c", SERVER, CHILD="1"))
        await seen.until_state("one", ReplicaState.READY)
        below = running.below()
        running.process.kill()

        await until(lambda: gone(below))


async def test_a_program_that_does_not_exist_is_named(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        await seen.client.start(_with_program(home, "one", "no-such-program"))
        info = await seen.until_state("one", ReplicaState.GONE)

        assert info.cause is not None
        assert info.cause.unit == "beside"
        assert "cannot run no-such-program: No such file or directory" in info.cause.message


async def test_what_a_program_prints_is_in_the_replicas_log(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        spec = _with_program(home, "one", sys.executable, "-c", "print('good morning'); raise SystemExit(4)")
        await seen.client.start(spec)
        info = await seen.until_state("one", ReplicaState.GONE)

        assert "[beside] good morning" in Path(spec.log).read_text()
        assert info.cause is not None
        assert info.cause.message == "the program exited with code 4: good morning"


async def test_an_isolated_worker_is_part_of_its_replica(home: Home) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        first, second = replica_spec(home, "one"), replica_spec(home, "two")
        (main,), (other,) = first.members, second.members
        assert isinstance(other, rpc.Forked)
        alone = rpc.Forked(unit="alone", spec=other.spec)
        await seen.client.start(replica_spec(home, "one", members=[main, alone]))
        ready = await seen.until_state("one", ReplicaState.READY)
        await until(lambda: len(_workers(running)) == 2)
        workers = _workers(running)
        (other_pid,) = [pid for pid in workers if pid != ready.pid]
        os.kill(other_pid, signal.SIGKILL)
        info = await seen.until_state("one", ReplicaState.GONE)

        assert info.cause is not None
        assert info.cause.unit == "alone"
        assert gone([ready.pid])


def _line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def _workers(running: RunningSupervisor) -> list[int]:
    forked = running.running("backends.local.nursery")
    return [pid for pid in forked if _parent(pid) == running.pid and _is_worker(pid)]


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _serves(pid: int) -> bool:
    """The server has a child; the child of the server has none."""
    return bool(processes.descendants(pid))


def _is_worker(pid: int) -> bool:
    """A worker has a thread for its fake socket; a nursery never has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
