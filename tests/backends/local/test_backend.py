import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.plan.model import EnvFrom, EnvVar, KeyRef, Parameter
from fairlead.plan.routing import Pool
from fairlead.plan.status import Phase, ReplicaState
from support.local_world import OWNER, artifact, component, control, plan, unit, world
from support.supervising import ask_pid, gone, short_home, supervisor, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_plan_becomes_a_replica_that_gets_requests() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        status = (await one.until_routed()).components[0]

        assert (status.phase, status.ready, status.desired) == (Phase.READY, 1, 1)
        (endpoint,) = _pool(one.gateway.table).endpoints
        assert await ask_pid(endpoint.frames) == status.replicas[0].pid
        assert [notice.reason for notice in one.notices if notice.reason != "Downloading"] == ["Starting", "Ready"]


async def test_scaling_up_and_down_keeps_the_replicas_that_serve() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        first = (await one.until_routed()).components[0].replicas[0]
        await one.backend.apply(plan(component(replicas=3)))
        await one.until(lambda status: status.ready == 3)
        await one.backend.apply(plan(component(replicas=1)))
        status = await one.until(lambda status: len(status.replicas) == 1)

        assert status.replicas[0].pid == first.pid
        assert one.gateway.replicas == {first.name}


async def test_zero_replicas_refuse_with_a_reason() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        await one.until_routed()
        await one.backend.apply(plan(component(replicas=0)))
        await one.until(lambda status: not status.replicas)

        assert _pool(one.gateway.table).refusal == "default is scaled to zero replicas"


async def test_what_is_at_zero_has_its_libraries_loaded_before_anybody_asks() -> None:
    async with world() as one:
        await one.backend.apply(plan(component(unit(runtime="xgboost"), replicas=0)))

        await until(lambda: (one.home.logs / "nursery-xgboost.log").exists())

        assert one.fetcher.calls == []


async def test_a_new_revision_takes_over_when_it_is_ready_and_then_the_old_one_ends() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        old = (await one.until_routed()).components[0].replicas[0]
        await one.backend.apply(plan(component(revision="rev2bbbb")))
        await one.until(lambda status: [replica.revision for replica in status.replicas] == ["rev2bbbb"])

        assert gone([old.pid])
        # At no moment was there a table without a replica once there had been one.
        served = [bool(_pool(table).endpoints) for table in one.gateway.tables if table.services]
        assert served == sorted(served)
        assert (await one.until_noticed("Switched")).message == "default: requests go to revision rev2bbbb now"


async def test_a_new_revision_that_fails_leaves_the_old_one_serving() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        old = (await one.until_routed()).components[0].replicas[0]
        bad = component(unit({"FAIL": "LoadError:the pickle is corrupt"}), revision="rev2bbbb")
        await one.backend.apply(plan(bad))
        status = await one.until(lambda status: status.phase is Phase.FAILED)

        assert status.cause is not None
        assert (status.cause.unit, status.cause.message) == ("model", "the pickle is corrupt")
        assert one.gateway.replicas == {old.name}
        assert not one.statuses["iris"].routed


async def test_an_old_revision_is_started_again_while_the_new_one_fails() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        old = (await one.until_routed()).components[0].replicas[0]
        bad = component(unit({"FAIL": "LoadError:no"}), revision="rev2bbbb")
        await one.backend.apply(plan(bad))
        await one.until(lambda status: status.phase is Phase.FAILED)
        os.kill(old.pid, signal.SIGKILL)

        await until(lambda: _pool(one.gateway.table).endpoints == ())
        await until(lambda: one.gateway.replicas == {old.name})


async def test_fixing_a_failed_revision_removes_it() -> None:
    async with world() as one:
        await one.backend.apply(plan(component(unit({"FAIL": "LoadError:no"}))))
        await one.until(lambda status: status.phase is Phase.FAILED)
        assert "no" in _pool(one.gateway.table).refusal
        await one.backend.apply(plan(component(revision="rev2bbbb")))
        status = await one.until(lambda status: status.phase is Phase.READY and len(status.replicas) == 1)

        assert status.replicas[0].revision == "rev2bbbb"


async def test_a_killed_worker_comes_back_at_once_under_its_name() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        first = (await one.until_routed()).components[0].replicas[0]
        os.kill(first.pid, signal.SIGKILL)
        status = await one.until(lambda status: status.ready == 1 and status.replicas[0].pid != first.pid)

        assert (status.replicas[0].name, status.replicas[0].restarts) == (first.name, 1)
        assert (await one.until_noticed("Killed")).message == f"replica {first.name}: the worker was killed by SIGKILL"


async def test_a_worker_that_cannot_start_backs_off_and_keeps_its_cause() -> None:
    async with world() as one:
        await one.backend.apply(plan(component(unit({"EXIT": "3", "SAY": "ImportError: no module x"}))))
        status = await one.until(lambda status: bool(status.replicas) and status.replicas[0].restarts == 1)

        assert status.phase is Phase.FAILED
        assert status.cause is not None
        assert status.cause.message == "the worker exited with code 3: ImportError: no module x"
        assert "starts again in 1 s" in (await one.until_noticed("BackOff")).message


async def test_deleting_stops_everything_and_forgets_the_route() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        replica = (await one.until_routed()).components[0].replicas[0]
        await one.backend.delete(OWNER)

        await until(lambda: gone([replica.pid]))
        assert one.gateway.table.services == ()


async def test_a_component_that_left_the_plan_ends() -> None:
    async with world() as one:
        await one.backend.apply(plan(component(), component(name="canary")))
        status = await one.until_routed()
        canary = status.components[1].replicas[0]
        await one.backend.apply(plan(component()))

        await until(lambda: gone([canary.pid]))
        assert [name for name, _ in one.gateway.table.services[0].pools] == ["default"]


async def test_weights_change_without_touching_replicas() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        before = (await one.until_routed()).components[0].replicas
        changed = plan()
        changed = replace(changed, routes=(replace(changed.routes[0], path_prefix="/y/"),))
        await one.backend.apply(changed)

        await until(lambda: one.gateway.table.services[0].routes[0].path_prefix == "/y/")
        assert (await one.until_routed()).components[0].replicas == before


async def test_another_life_of_control_takes_over_what_runs() -> None:
    with short_home() as home:
        async with supervisor(home) as running:
            async with control(home, running) as one:
                await one.backend.settle()
                await one.backend.apply(plan())
                first = (await one.until_routed()).components[0].replicas[0]
            async with control(home, running) as two:
                await two.backend.apply(plan())
                await two.backend.settle()
                status = await two.until_routed()

                assert status.components[0].replicas[0].pid == first.pid
                assert two.fetcher.calls == []
                assert [notice.reason for notice in two.notices] == []


async def test_what_was_deleted_while_control_was_away_ends_once_all_plans_are_known() -> None:
    with short_home() as home:
        async with supervisor(home) as running:
            async with control(home, running) as one:
                await one.backend.settle()
                await one.backend.apply(plan())
                replica = (await one.until_routed()).components[0].replicas[0]
            async with control(home, running) as two:
                await two.backend.settle()

                await until(lambda: gone([replica.pid]))


async def test_a_crash_while_control_was_away_is_made_good() -> None:
    with short_home() as home:
        async with supervisor(home) as running:
            async with control(home, running) as one:
                await one.backend.settle()
                await one.backend.apply(plan())
                first = (await one.until_routed()).components[0].replicas[0]
            os.kill(first.pid, signal.SIGKILL)
            async with control(home, running) as two:
                await two.backend.apply(plan())
                await two.backend.settle()
                status = await two.until(lambda status: status.ready == 1 and status.replicas[0].pid != first.pid)

                assert status.replicas[0].name == first.name


async def test_nothing_is_drained_before_the_gateway_confirms() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        old = (await one.until_routed()).components[0].replicas[0]
        one.gateway.is_up = False
        await one.backend.apply(plan(component(revision="rev2bbbb")))
        await one.until(lambda status: status.ready == 1)
        assert not gone([old.pid])
        one.gateway.is_up = True

        await until(lambda: gone([old.pid]))


async def test_a_model_is_fetched_once_for_all_components_and_shown_on_the_way() -> None:
    async with world() as one:
        one.fetcher.gate.clear()
        model = unit(artifact=artifact())
        await one.backend.apply(plan(component(model), component(model, name="canary")))
        status = await one.until(lambda status: status.progress is not None and status.progress.done_bytes == 10)
        assert status.phase is Phase.DOWNLOADING
        one.fetcher.gate.set()
        await one.until_routed()

        assert [uri for uri, _ in one.fetcher.calls] == ["s3://bucket/model"]
        assert {"Downloading", "Downloaded"} <= {notice.reason for notice in one.notices}


async def test_a_model_that_cannot_be_fetched_fails_with_the_stores_words() -> None:
    async with world() as one:
        one.fetcher.failures["s3://bucket/model"] = StorageError("s3://bucket/model: NoSuchBucket")
        await one.backend.apply(plan(component(unit(artifact=artifact()))))
        status = await one.until(lambda status: status.phase is Phase.FAILED)

        assert status.cause is not None
        assert (status.cause.unit, status.cause.reason) == ("model", "StorageError")
        assert "NoSuchBucket" in _pool(one.gateway.table).refusal


async def test_a_missing_secret_is_named_and_its_creation_is_enough() -> None:
    reference = KeyRef(kind="Secret", name="creds", key="token")
    async with world() as one:
        await one.backend.apply(plan(component(unit(env=(EnvVar(name="TOKEN", source=reference),)))))
        status = await one.until(lambda status: status.cause is not None)
        assert status.cause is not None
        assert status.cause.message == "Secret 'creds' does not exist in namespace 'ns'"
        one.lookup.secrets["creds"] = {"token": b"hunter2"}
        await one.backend.refresh("ns")

        assert (await one.until_routed()).components[0].phase is Phase.READY


async def test_a_secret_value_never_shows_in_a_status() -> None:
    async with world() as one:
        one.lookup.secrets["creds"] = {"FAIL": b"LoadError:the key hunter2 is wrong", "TOKEN": b"hunter2"}
        everything = (EnvFrom(kind="Secret", name="creds"),)
        await one.backend.apply(plan(component(unit(env_from=everything))))
        status = await one.until(lambda status: status.phase is Phase.FAILED)

        assert status.cause is not None
        assert status.cause.message == "the key [redacted] is wrong"
        assert all("hunter2" not in notice.message for notice in one.notices)


async def test_credentials_of_the_transfer_stay_out_of_the_worker() -> None:
    async with world() as one:
        one.lookup.secrets["creds"] = {"RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": b"hunter2"}
        model = unit(artifact=artifact(env_secret="creds"))
        await one.backend.apply(plan(component(model)))
        status = await one.until_routed()

        assert one.fetcher.calls[0][1] == {"RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "hunter2"}
        environment = Path(f"/proc/{status.components[0].replicas[0].pid}/environ").read_bytes()
        assert b"hunter2" not in environment


async def test_a_worker_is_told_the_real_folder_of_its_model() -> None:
    model = unit({"SAY": "/mnt/models/sub"}, artifact=artifact(), parameters=(Parameter(name="a", value="b"),))
    async with world() as one:
        await one.backend.apply(plan(component(model)))
        replica = (await one.until_routed()).components[0].replicas[0]

        assert f"{one.home.cache}/s3___bucket_model/sub" in Path(replica.log_path).read_text()


async def test_a_replica_that_takes_too_long_is_a_failure_with_a_deadline() -> None:
    async with world() as one:
        one.fetcher.gate.clear()
        slow = component(unit(artifact=artifact()), progress_deadline_s=0.2)
        await one.backend.apply(plan(slow))
        status = await one.until(lambda status: status.phase is Phase.FAILED)

        assert status.cause is not None
        assert status.cause.reason == "ProgressDeadlineExceeded"


async def test_the_log_folder_and_the_scratch_folder_are_the_replicas_own() -> None:
    async with world() as one:
        await one.backend.apply(plan())
        replica = (await one.until_routed()).components[0].replicas[0]
        workdir = one.home.work / replica.name
        assert workdir.is_dir()
        await one.backend.delete(OWNER)

        await until(lambda: not workdir.exists())
        assert replica.state is ReplicaState.READY
        assert Path(replica.log_path).parent == one.home.logs / "ns"


def _pool(table: object) -> Pool:
    services = getattr(table, "services", ())
    return dict(services[0].pools)["default"] if services else Pool()
