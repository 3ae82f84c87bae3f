"""Replicas whose units have a Python of their own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fairlead.backends.local.home import Home
from fairlead.backends.local.rpc import Forked, ReplicaSpec
from fairlead.plan.status import ReplicaState
from support.supervising import ask_pid, replica_spec, short_home, supervisor, until, watched

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def home() -> Iterator[Home]:
    with short_home() as home:
        yield home


def python_in(folder: Path) -> Path:
    """What looks like the Python of an environment and says in `used` that it ran."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ntouch {folder / "used"}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def replica(home: Home, name: str, python: Path) -> ReplicaSpec:
    spec = replica_spec(home, name)
    members = [
        msgspec.structs.replace(one, python=str(python)) if isinstance(one, Forked) else one for one in spec.members
    ]
    return msgspec.structs.replace(spec, members=members)


@pytest.mark.parametrize("can_fork", [True, False])
async def test_a_replica_starts_by_the_python_of_its_environment(home: Home, tmp_path: Path, can_fork: bool) -> None:
    async with supervisor(home, can_fork=can_fork), watched(home) as seen:
        spec = replica(home, "one", python_in(tmp_path / "0123"))
        await seen.client.start(spec)
        ready = await seen.until_state("one", ReplicaState.READY)

        assert await ask_pid(spec.frames) == ready.pid
        assert (tmp_path / "0123" / "used").exists()


async def test_only_the_nurseries_used_last_are_kept_and_replicas_outlive_theirs(home: Home, tmp_path: Path) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        specs = [replica(home, f"r{number}", python_in(tmp_path / f"env{number}")) for number in range(10)]
        for spec in specs:
            await seen.client.start(spec)
            await seen.until_state(spec.replica, ReplicaState.READY)

        await until(lambda: sum(map(is_standby, running.below())) == 9)  # ours and eight of environments
        assert [bool(await ask_pid(spec.frames)) for spec in specs] == [True] * 10


def is_standby(pid: int) -> bool:
    """The child that a nursery keeps waiting. Workers have the same command line, and the supervisor above them."""
    try:
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        return b"local.nursery" in Path(f"/proc/{parent}/cmdline").read_bytes()
    except OSError:
        return False
