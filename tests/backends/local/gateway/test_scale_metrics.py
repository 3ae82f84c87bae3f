"""How components are scaled, in the gateway's metrics."""

from dataclasses import replace

import pytest

from fairlead.backends.local.gateway.messages import ComponentScale, Scales
from fairlead.backends.local.scaling.scaler import Load, Scaler, Seen
from fairlead.backends.local.scaling.showing import tell
from fairlead.errors import NotReady
from fairlead.plan.scaling import KnativeScaling, ScalePolicy
from support.gateways import Bench, bench, pool, service
from support.local_world import FakeGateway, component
from support.wire import get, wire_to

pytestmark = pytest.mark.anyio
IRIS = 'component="default",kind="SeldonDeployment",namespace="ns",service="iris"'


async def lines(made: Bench) -> list[str]:
    async with wire_to(made.port) as wire:
        answer = await wire.ask(get("/-/metrics"))
    return [line for line in answer.body.decode().splitlines() if line.startswith("fairlead_autoscaler")]


def scale(name: str = "iris", *, desired: int = 3) -> ComponentScale:
    return ComponentScale(
        kind="SeldonDeployment", namespace="ns", service=name, component="default", desired=desired, ready=2,
        is_panicking=True, stable=141.5, panic=200.0, target=70.0, excess_burst=-11,
    )  # fmt: skip


async def test_what_is_told_of_a_component_is_shown_while_it_is_served() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool()}))
        assert await lines(made) == []

        await made.client.show(Scales((scale(), scale("not-served"))))
        assert await lines(made) == [
            f"fairlead_autoscaler_desired{{{IRIS}}} 3.0",
            f"fairlead_autoscaler_ready{{{IRIS}}} 2.0",
            f"fairlead_autoscaler_panic{{{IRIS}}} 1.0",
            f"fairlead_autoscaler_stable_value{{{IRIS}}} 141.5",
            f"fairlead_autoscaler_panic_value{{{IRIS}}} 200.0",
            f"fairlead_autoscaler_target{{{IRIS}}} 70.0",
            f"fairlead_autoscaler_excess_burst_capacity{{{IRIS}}} -11.0",
        ]

        await made.client.show(Scales((scale(desired=4),)))
        assert f"fairlead_autoscaler_desired{{{IRIS}}} 4.0" in await lines(made)


async def test_what_is_gone_is_shown_no_more() -> None:
    async with bench() as made:
        await made.serve(service("iris", {"default": pool()}), service("other", {"default": pool()}))
        await made.client.show(Scales((scale(), scale("other"))))
        await made.client.show(Scales(gone=(("SeldonDeployment", "ns", "iris", "default"),)))
        assert len(await lines(made)) == 7
        await made.client.show(Scales(is_whole=True))
        assert await lines(made) == []


async def test_the_loop_tells_what_is_new_and_everything_when_asked() -> None:
    now = 1000.0
    scaler = Scaler(scale=lambda *_: None, tell=lambda *_: None, clock=lambda: now)
    key = ("SeldonDeployment/ns/iris", "default")
    scaling = ScalePolicy(min_replicas=0, max_replicas=0, initial_replicas=0, auto=KnativeScaling())
    made = component()
    scaler.follow(key, replace(made, scale=scaling))
    scaler.saw(key, Seen(desired=1, ready=1))
    scaler.heard([Load(key, 30.0, 12)])
    gateway = FakeGateway()

    assert await tell(scaler, gateway, is_whole=False)
    assert await tell(scaler, gateway, is_whole=False)
    assert await tell(scaler, gateway, is_whole=True)
    (news, whole) = gateway.shown
    (shown,) = news.components
    assert (shown.kind, shown.namespace, shown.service, shown.component) == (
        "SeldonDeployment", "ns", "iris", "default",
    )  # fmt: skip
    assert (shown.desired, shown.ready, shown.stable, shown.target) == (1, 1, 30.0, 70.0)
    assert (whole.components, whole.is_whole) == (news.components, True)

    scaler.forget(key)
    assert await tell(scaler, gateway, is_whole=False)
    assert gateway.shown[-1].gone == (("SeldonDeployment", "ns", "iris", "default"),)


async def test_a_gateway_that_does_not_answer_is_told_again() -> None:
    now = 1000.0
    scaler = Scaler(scale=lambda *_: None, tell=lambda *_: None, clock=lambda: now)
    key = ("SeldonDeployment/ns/iris", "default")
    made = component()
    scaling = ScalePolicy(min_replicas=0, max_replicas=0, initial_replicas=0, auto=KnativeScaling())
    scaler.follow(key, replace(made, scale=scaling))
    scaler.saw(key, Seen(desired=0, ready=0))
    scaler.heard([Load(key, 1.0, 1, 1, is_poke=True)])
    gateway = FakeGateway()
    gateway.is_up = False
    with pytest.raises(NotReady):
        await gateway.show(Scales())
    assert not await tell(scaler, gateway, is_whole=False)
    gateway.is_up = True
    assert await tell(scaler, gateway, is_whole=True)
    assert gateway.shown[0].components[0].desired == 1
