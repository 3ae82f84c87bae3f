"""Gateways against an API server, with real servers for pods: nothing is lost from zero up and down again."""

import asyncio
from pathlib import Path

import pytest

from support.gateway_scenes import NAME, answer, load, scene, until
from support.wire import wire_to

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_a_workload_goes_to_zero_and_back_without_losing_a_request(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload()
        gateway = await made.gateway(stack)
        await until(lambda: made.replicas() == 0)
        async with wire_to(gateway.port) as wire:
            assert (await answer(wire)).startswith(f"{NAME}-00001-")
        assert made.replicas() == 1
        await until(lambda: made.replicas() == 0)


async def test_load_of_two_gateways_counts_together_and_nothing_is_lost(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        made.kubelet.holds = True
        await made.workload()
        first, second = await made.gateway(stack), await made.gateway(stack)
        await until(lambda: first.is_leading or second.is_leading)
        answers: list[tuple[int, bytes]] = []
        is_asking = True
        clients = [
            asyncio.create_task(load(one.port, lambda: is_asking, answers)) for one in (first, second) for _ in range(2)
        ]
        # Two of one gateway are what one pod carries; it takes the four of both to ask for more.
        await until(lambda: made.replicas() == 3)
        is_asking = made.kubelet.holds = False
        for server in made.kubelet.pods[f"{NAME}-00001"]:
            server.release()
        await asyncio.gather(*clients)
        await until(lambda: made.replicas() == 0)
        assert {status for status, _ in answers} == {200}


async def test_a_new_revision_takes_over_when_it_is_ready_and_nothing_is_lost(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload()
        gateway = await made.gateway(stack)
        answers: list[tuple[int, bytes]] = []
        is_asking = True
        clients = [asyncio.create_task(load(gateway.port, lambda: is_asking, answers)) for _ in range(3)]
        await until(lambda: len(answers) > 50)
        made.kubelet.delays = True
        await made.workload(2)
        before = len(answers)
        await until(lambda: len(answers) > before + 50)
        made.kubelet.delays = False
        await until(lambda: b"-00002-" in answers[-1][1])
        await until(lambda: made.replicas(1) == 0)
        is_asking = False
        await asyncio.gather(*clients)
        assert {status for status, _ in answers} == {200}
        number = [b"-00002-" in body for _, body in answers]
        assert number.index(True) > before + 40


async def test_shares_and_tags_lead_to_their_revisions(tmp_path: Path) -> None:
    shares = [{"percent": 20, "tag": "latest"}, {"percent": 80, "revision": f"{NAME}-00001", "tag": "prev"}]
    async with scene(tmp_path) as (made, stack):
        await made.workload(1)
        await made.workload(2, routing={"traffic": shares, "hosts": [{"host": "iris.example.com"}]})
        gateway = await made.gateway(stack)
        await until(lambda: all(len(made.kubelet.pods.get(f"{NAME}-0000{at}", ())) == 1 for at in (1, 2)))
        async with wire_to(gateway.port) as wire:
            await until(lambda: len(gateway.gateway.switchboard.table.services) == 1)
            answers = [await answer(wire) for _ in range(50)] + [
                await answer(wire, "iris.example.com") for _ in range(50)
            ]
            assert sum(f"{NAME}-00002-" in one for one in answers) == 20
            assert f"{NAME}-00001-" in await answer(wire, f"prev-{NAME}.default")
            assert f"{NAME}-00002-" in await answer(wire, f"latest-{NAME}.default.svc")


async def test_services_lead_to_the_gateways_that_there_are(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload()
        ports = {(await made.gateway(stack)).port, (await made.gateway(stack)).port}

        def announced() -> set[int]:
            found = made.cluster.find("Endpoints", NAME)
            return {port["port"] for one in (found or {}).get("subsets", ()) for port in one["ports"]}

        await until(lambda: announced() == ports)
        gone = made.cluster.get("Pod", "gateway-2")
        await made.cluster.delete(gone)
        await until(lambda: announced() == {made.gateways[0].port})


async def test_another_gateway_goes_on_where_the_leader_stopped(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        await made.workload(words={"min-scale": "2", "max-scale": "5"})
        first, second = await made.gateway(stack), await made.gateway(stack)
        await until(lambda: made.replicas() == 2)
        leader = first if first.is_leading else second
        other = second if leader is first else first
        made.stops[made.gateways.index(leader)].set()
        await until(lambda: other.is_leading)
        deployment = made.cluster.get("Deployment", f"{NAME}-00001")
        await made.cluster.merge(deployment, {"spec": {"replicas": 0}})
        await until(lambda: made.replicas() == 2)


async def test_settings_of_the_autoscaler_count_at_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as (made, stack):
        settings = made.cluster.get("ConfigMap", "config-autoscaler", "knative-serving")
        settings = await made.cluster.merge(settings, {"data": {"enable-scale-to-zero": "false"}})
        await made.workload()
        gateway = await made.gateway(stack)
        await until(lambda: gateway.is_leading)
        await until(lambda: gateway._config.enable_scale_to_zero is False)
        await made.cluster.merge(settings, {"data": {"enable-scale-to-zero": "true"}})
        await until(lambda: made.replicas() == 0)
