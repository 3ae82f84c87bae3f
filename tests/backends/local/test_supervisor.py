import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.backends.local import processes
from fairlead.backends.local.home import Home
from fairlead.errors import Conflict
from fairlead.plan.status import ReplicaState
from support.supervising import (
    ask_pid,
    gone,
    replica_spec,
    short_home,
    supervisor,
    until,
    watched,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def home() -> Iterator[Home]:
    with short_home() as home:
        yield home


async def test_a_replica_starts_serves_drains_and_leaves_nothing(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        spec = replica_spec(home, "one")
        await seen.client.start(spec)
        ready = await seen.until_state("one", ReplicaState.READY)

        assert await ask_pid(spec.frames) == ready.pid

        await seen.client.drain("one", grace_s=5)
        info = await seen.until_state("one", ReplicaState.GONE)
        states = [state for name, state in seen.history if name == "one"]
        assert states == [ReplicaState.STARTING, ReplicaState.READY, ReplicaState.DRAINING, ReplicaState.GONE]
        assert info.is_stopping
        assert info.cause is None
        assert gone([ready.pid])
        assert not Path(spec.frames).exists()


async def test_what_a_worker_calls_its_models_is_known(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        await seen.client.start(replica_spec(home, "one", env={"MODELS": "a b"}))

        assert (await seen.until_state("one", ReplicaState.READY)).models == ("a", "b")


async def test_a_worker_that_cannot_load_says_why(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        await seen.client.start(replica_spec(home, "bad", env={"FAIL": "LoadError:the file is corrupt"}))
        info = await seen.until_state("bad", ReplicaState.GONE)

        assert info.cause is not None
        assert (info.cause.unit, info.cause.reason, info.cause.message) == (
            "model",
            "LoadError",
            "the file is corrupt",
        )
        assert Path(info.spec.log).read_text().count("the detail") == 1


async def test_a_worker_that_exits_is_described_by_its_code_and_its_last_line(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        await seen.client.start(replica_spec(home, "bad", env={"EXIT": "3", "SAY": "ValueError: no such thing"}))
        info = await seen.until_state("bad", ReplicaState.GONE)

        assert info.cause is not None
        assert info.cause.message == "the worker exited with code 3: ValueError: no such thing"


async def test_a_killed_worker_is_reported_at_once(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        await seen.client.start(replica_spec(home, "one"))
        ready = await seen.until_state("one", ReplicaState.READY)
        os.kill(ready.pid, signal.SIGKILL)
        info = await seen.until_state("one", ReplicaState.GONE)

        assert info.cause is not None
        assert info.cause.message == "the worker was killed by SIGKILL"
        assert not info.is_stopping


async def test_workers_live_on_when_their_nursery_is_killed(home: Home) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        spec = replica_spec(home, "one")
        await seen.client.start(spec)
        ready = await seen.until_state("one", ReplicaState.READY)
        for pid in running.running("backends.local.nursery"):
            # One that was just forked may have become something else, or nothing.
            if pid != ready.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        await seen.client.start(replica_spec(home, "two"))
        await seen.until_state("two", ReplicaState.READY)

        assert await ask_pid(spec.frames) == ready.pid
        assert seen.replicas["one"].state is ReplicaState.READY


@pytest.mark.parametrize("which", ["the nursery", "its standby"])
async def test_a_nursery_of_which_one_process_is_killed_goes_on(home: Home, which: str) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        await until(lambda: len(running.running("backends.local.nursery")) == 2)
        nursery = set(running.running("backends.local.nursery"))
        standby = {child for pid in nursery for child in processes.descendants(pid)}
        (victim,) = standby if which == "its standby" else nursery - standby
        os.kill(victim, signal.SIGKILL)
        await seen.client.start(replica_spec(home, "one"))

        await seen.until_state("one", ReplicaState.READY)


async def test_workers_live_on_and_are_listed_when_control_is_killed(home: Home) -> None:
    async with supervisor(home) as running:
        async with watched(home) as seen:
            await seen.client.start(replica_spec(home, "one"))
            ready = await seen.until_state("one", ReplicaState.READY)
        control = running.running("signal.pause")
        os.kill(control[0], signal.SIGKILL)
        await until(lambda: running.running("signal.pause") not in ([], control))

        async with watched(home) as seen:
            assert (await seen.until_state("one", ReplicaState.READY)).pid == ready.pid


async def test_the_gateway_is_started_again_when_it_is_killed(home: Home) -> None:
    argv = (sys.executable, "-c", "import signal; role = 'gateway'; signal.pause()")
    async with supervisor(home, gateway_argv=argv) as running:
        await until(lambda: bool(running.running("role = 'gateway'")))
        first = running.running("role = 'gateway'")
        os.kill(first[0], signal.SIGKILL)

        await until(lambda: running.running("role = 'gateway'") not in ([], first))


async def test_nothing_survives_a_killed_supervisor(home: Home) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        await seen.client.start(replica_spec(home, "one"))
        await seen.until_state("one", ReplicaState.READY)
        below = running.below()
        running.process.kill()

        await until(lambda: gone(below))
        assert len(below) >= 3


async def test_stopping_leaves_no_process_and_no_instance_file(home: Home) -> None:
    async with supervisor(home, instance={"port": 8080}) as running, watched(home) as seen:
        await seen.client.start(replica_spec(home, "one"))
        await seen.until_state("one", ReplicaState.READY)
        assert json.loads(home.instance.read_text()) == {"pid": running.pid, "port": 8080}
        below = running.below()

        assert await running.stop() == 0
        assert gone(below)
        assert not home.instance.exists()
        assert not home.supervisor_socket.exists()


async def test_a_second_signal_does_not_wait_for_the_grace(home: Home) -> None:
    async with supervisor(home, grace_s=60.0) as running, watched(home) as seen:
        await seen.client.start(replica_spec(home, "slow", env={"LINGER": "1"}, drain_s=60.0))
        await seen.until_state("slow", ReplicaState.READY)
        running.process.send_signal(signal.SIGTERM)
        await seen.until_state("slow", ReplicaState.DRAINING)
        async with asyncio.timeout(10):
            assert await running.stop(signal.SIGTERM) == 0
    assert "starting it again" not in running.log()


async def test_a_worker_that_ignores_a_drain_is_killed_after_its_grace(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        await seen.client.start(replica_spec(home, "slow", env={"LINGER": "1"}))
        ready = await seen.until_state("slow", ReplicaState.READY)
        await seen.client.drain("slow", grace_s=0.05)
        await seen.until_state("slow", ReplicaState.GONE)

        assert gone([ready.pid])


async def test_a_replica_that_never_answered_ends_at_once(home: Home) -> None:
    async with supervisor(home) as running, watched(home) as seen:
        await seen.client.start(replica_spec(home, "slow", env={"LOADING": "1"}))
        await seen.until_state("slow", ReplicaState.STARTING)
        await seen.client.drain("slow", grace_s=600.0)
        info = await seen.until_state("slow", ReplicaState.GONE)
    assert info.cause is None
    assert "never retrieved" not in running.log()


async def test_stopping_does_not_wait_for_a_nursery_that_is_still_importing(home: Home) -> None:
    async with supervisor(home, grace_s=60.0, worker="support.endless_import") as running, watched(home) as seen:
        await seen.client.start(replica_spec(home, "early"))
        await until(lambda: bool(running.running("fairlead.backends.local.nursery")))
        below = running.below()
        async with asyncio.timeout(10):
            assert await running.stop() == 0
        assert gone(below)


async def test_a_home_has_one_supervisor(home: Home) -> None:
    async with supervisor(home) as first:
        with pytest.raises(AssertionError) as refused:
            async with supervisor(home):
                pass
        assert f"is in use by the Fairlead that runs as process {first.pid}" in str(refused.value)


async def test_settings_that_cannot_work_end_the_supervisor_with_their_reason(home: Home) -> None:
    argv = (sys.executable, "-c", "import sys; print('port 80 is taken'); sys.exit(78)")
    async with supervisor(home, control_argv=argv) as running:
        assert await running.process.wait() == 78
    assert "control cannot run: exited with code 78: port 80 is taken" in running.log()


async def test_a_running_replica_cannot_be_started_or_forgotten(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        spec = replica_spec(home, "one")
        await seen.client.start(spec)
        with pytest.raises(Conflict):
            await seen.client.start(spec)
        with pytest.raises(Conflict):
            await seen.client.forget("one")


async def test_a_replica_that_is_gone_can_be_started_again_under_its_name(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        spec = replica_spec(home, "one")
        await seen.client.start(spec)
        await seen.until_state("one", ReplicaState.READY)
        await seen.client.kill("one")
        await seen.until_state("one", ReplicaState.GONE)
        await seen.client.start(spec)

        await seen.until_state("one", ReplicaState.READY)


async def test_the_socket_is_for_its_owner_alone(home: Home) -> None:
    async with supervisor(home):
        assert stat.S_IMODE(home.supervisor_socket.stat().st_mode) == 0o600


async def test_a_worker_sees_no_credential_of_the_owners_shell(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    async with supervisor(home), watched(home) as seen:
        await seen.client.start(replica_spec(home, "one"))
        info = await seen.until_state("one", ReplicaState.READY)

        assert b"hunter2" not in Path(f"/proc/{info.pid}/environ").read_bytes()


async def test_workers_start_as_fresh_interpreters_where_forking_is_not_safe(home: Home) -> None:
    async with supervisor(home, can_fork=False), watched(home) as seen:
        spec = replica_spec(home, "one")
        await seen.client.start(spec)
        ready = await seen.until_state("one", ReplicaState.READY)

        assert await ask_pid(spec.frames) == ready.pid


async def test_many_replicas_start_at_once(home: Home) -> None:
    async with supervisor(home), watched(home) as seen:
        specs = [replica_spec(home, f"r{number}") for number in range(20)]
        await asyncio.gather(*(seen.client.start(spec) for spec in specs))
        await seen.until(
            lambda replicas: sum(info.state is ReplicaState.READY for info in replicas.values()) == len(specs)
        )

        assert len({await ask_pid(spec.frames) for spec in specs}) == len(specs)
