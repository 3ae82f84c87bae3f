"""A back-end with a real supervisor that follows what its gateway tells."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fairlead.backends.local.gateway.messages import ComponentDemand, Demand
from fairlead.backends.local.home import Home
from fairlead.plan.model import Component
from fairlead.plan.scaling import HorizontalScaling, KnativeScaling, MetricTarget, ScaleMetric, ScalePolicy
from fairlead.plan.status import Phase
from support.local_world import World, component, control, plan, unit, world
from support.supervising import RunningSupervisor, short_home, supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
QUICK = KnativeScaling(stable_window_s=1.0, zero_grace_s=0.0)


def scaled(auto: KnativeScaling | HorizontalScaling = QUICK, *, initial: int = 0, most: int = 0) -> Component:
    scale = ScalePolicy(min_replicas=0, max_replicas=most, initial_replicas=initial, auto=auto)
    return replace(component(), scale=scale)


def demand(concurrency: float, *, is_poke: bool = False) -> Demand:
    told = ComponentDemand(
        kind="Thing", namespace="ns", service="iris", component="default", concurrency=concurrency,
        requests=int(concurrency), waiting=int(concurrency) if is_poke else 0, is_poke=is_poke,
    )  # fmt: skip
    return Demand((told,))


@contextlib.asynccontextmanager
async def telling(one: World, *demands: Demand) -> AsyncIterator[None]:
    """Tell these again and again, as a gateway would."""

    async def tell() -> None:
        while True:
            for each in demands:
                one.gateway.demands.put_nowait(each)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()


async def test_from_zero_to_one_and_back_with_the_reasons_told() -> None:
    async with world() as one, telling(one, Demand()):
        await one.backend.apply(plan(scaled()))
        await one.until_routed()
        assert one.gateway.table.services[0].pools[0][1].refusal == ""

        one.gateway.demands.put_nowait(demand(1.0, is_poke=True))
        await one.until(lambda status: status.ready == 1 and status.desired == 1)
        status = await one.until(lambda status: status.desired == 0 and not status.replicas)

        assert status.phase is Phase.READY
        assert status.scaling == "The target is not receiving traffic."
        reasons = [notice.reason for notice in one.notices]
        assert [reason for reason in reasons if reason in ("Activated", "ScaledToZero")] == [
            "Activated", "ScaledToZero",
        ]  # fmt: skip


async def test_a_burst_gets_more_replicas_up_to_the_most() -> None:
    async with world() as one:
        await one.backend.apply(plan(scaled(initial=1, most=3)))
        await one.until(lambda status: status.ready == 1)
        async with telling(one, demand(500.0)):
            status = await one.until(lambda status: status.ready == 3)

        assert "the maximum is 3" in status.scaling
        assert len(one.gateway.replicas) == 3
        assert await one.until_noticed("ScaledUp")


async def test_after_a_restart_of_control_replicas_stay_and_what_is_at_zero_stays_there() -> None:
    async with supervised() as (home, running):
        async with control(home, running) as first:
            await first.backend.settle()
            await first.backend.apply(plan(scaled(initial=2)))
            await first.until(lambda status: status.ready == 2)
            pids = {replica.pid for replica in first.statuses["iris"].components[0].replicas}
        async with control(home, running) as second, telling(second, Demand()):
            await second.backend.apply(plan(scaled(KnativeScaling(), initial=0)))
            other = replace(plan(scaled()).owner, name="other", uid="2")
            await second.backend.apply(plan(scaled(), owner=other))
            await second.backend.settle()
            await second.until(lambda status: status.ready == 2)
            status = await second.until(lambda status: bool(status.scaling))
            await second.until(lambda status: bool(status.scaling), name="other")

            assert status.desired == 2
            assert {replica.pid for replica in status.replicas} == pids
            assert second.statuses["other"].components[0].desired == 0


@contextlib.asynccontextmanager
async def supervised() -> AsyncIterator[tuple[Home, RunningSupervisor]]:
    with short_home() as home:
        async with supervisor(home) as running:
            yield home, running


async def test_processes_that_work_hard_get_company() -> None:
    memory = MetricTarget(metric=ScaleMetric.MEMORY, kind="average", target=1000.0)
    async with world() as one:
        auto = HorizontalScaling(metrics=(memory,))
        scale = ScalePolicy(min_replicas=1, max_replicas=2, initial_replicas=1, auto=auto)
        await one.backend.apply(plan(replace(component(unit()), scale=scale)))
        await one.until(lambda status: status.ready == 1)
        await one.backend._scaler.measure()
        status = await one.until(lambda status: status.ready == 2)

        assert status.scaling.startswith("memory ")
