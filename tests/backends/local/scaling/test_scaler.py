"""The loop, by a clock of the test's own; its replicas are ready as soon as they are wanted unless said otherwise."""

import asyncio
import os
from dataclasses import dataclass, field, replace

import pytest

from fairlead.backends.local.scaling.scaler import Key, Load, Scaler, Seen
from fairlead.backends.local.scaling.telling import Told
from fairlead.plan.model import Component, Resources
from fairlead.plan.scaling import HorizontalScaling, KnativeScaling, MetricTarget, ScaleMetric, ScalePolicy
from support.local_world import component, unit

pytestmark = pytest.mark.anyio
IRIS: Key = ("InferenceService/ns/iris", "predictor")


@dataclass
class Place:
    """A back-end, a gateway and a clock in one. `speed` is what a second of waiting means."""

    now: float = 1000.0
    desired: dict[Key, int] = field(default_factory=dict)
    ready: dict[Key, int] = field(default_factory=dict)
    why: dict[Key, list[str]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    is_instant: bool = True
    pids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.scaler = Scaler(scale=self.scale, tell=lambda _, told: self.told.append(told), clock=lambda: self.now)

    def scale(self, key: Key, count: int, why: str) -> None:
        self.desired[key] = count
        self.why.setdefault(key, []).append(why)
        if self.is_instant:
            self.ready[key] = count
        self.show(key)

    def show(self, key: Key) -> None:
        pids = tuple((f"replica-{number}", self.pids) for number in range(self.ready[key] if self.pids else 0))
        self.scaler.saw(key, Seen(desired=self.desired[key], ready=self.ready[key], pids=pids))

    def have(self, made: Component, *, desired: int, ready: int | None = None, key: Key = IRIS) -> None:
        self.scaler.follow(key, made)
        self.desired[key], self.ready[key] = desired, desired if ready is None else ready
        self.show(key)

    def pass_s(self, seconds: int, *loads: Load) -> None:
        """Seconds in which the gateway tells of these loads; the loop looks every other one."""
        for _ in range(seconds):
            self.now += 1.0
            self.scaler.heard(loads)

    @property
    def reasons(self) -> list[str]:
        return [one.reason for one in self.told]


def scaled(*, limit: int = 0, least: int = 0, most: int = 0, initial: int = 0, **changes: object) -> Component:
    made = component(name="predictor")
    scaling = KnativeScaling(**changes)  # type: ignore[arg-type]  # fields by name, from a test
    policy = ScalePolicy(min_replicas=least, max_replicas=most, initial_replicas=initial, auto=scaling)
    limits = replace(made.revision.limits, concurrency=limit)
    return replace(made, scale=policy, revision=replace(made.revision, limits=limits))


def load(concurrency: float, requests: int = 0, *, key: Key = IRIS) -> Load:
    return Load(key, concurrency, requests)


def poke(*, key: Key = IRIS) -> Load:
    return Load(key, 1.0, 1, 1, is_poke=True)


async def test_a_request_brings_back_what_is_at_zero_at_once() -> None:
    place = Place()
    place.have(scaled(), desired=0)
    place.pass_s(4)
    assert place.desired[IRIS] == 0

    place.now += 0.3
    place.scaler.heard([poke()])

    assert place.desired[IRIS] == 1
    assert place.reasons == ["Activated"]
    assert place.told[0].message.startswith("predictor: 0 -> 1 replicas: a request arrived; 1 concurrent requests")


async def test_without_requests_the_last_replica_goes_a_window_and_a_grace_period_later() -> None:
    place = Place()
    place.have(scaled(burst_capacity=0.0), desired=1)
    place.pass_s(10, load(1.0))
    idle_since, gone_at = place.now, 0.0
    while place.desired[IRIS] and place.now < idle_since + 200:
        place.pass_s(1)
        gone_at = place.now

    assert 90 <= gone_at - idle_since <= 96
    assert place.reasons == ["ScaledToZero"]
    assert place.why[IRIS][-1] == "The target is not receiving traffic."


async def test_a_burst_is_panic_and_gets_its_replicas_within_two_looks() -> None:
    place = Place()
    place.have(scaled(limit=1), desired=1)
    place.pass_s(60, load(0.5))
    place.pass_s(4, load(40.0))

    assert place.desired[IRIS] >= 20
    assert place.reasons[:2] == ["PanicStarted", "ScaledUp"]

    place.pass_s(130, load(0.5))
    assert place.reasons[-2:] == ["PanicEnded", "ScaledDown"] or "PanicEnded" in place.reasons
    assert place.desired[IRIS] == 1


async def test_a_steady_load_is_told_of_once() -> None:
    place = Place()
    place.have(scaled(), desired=1)
    place.pass_s(300, load(100.0))
    assert (place.desired[IRIS], len(place.why[IRIS])) == (2, 1)
    assert place.reasons == ["ScaledUp", "PanicEnded"]


async def test_requests_per_second_can_be_what_counts() -> None:
    place = Place()
    place.have(scaled(metric=ScaleMetric.RPS, target=10.0), desired=1)
    place.pass_s(60, load(0.1, 30))
    assert place.desired[IRIS] == 5


async def test_while_the_gateway_is_silent_nothing_goes() -> None:
    place = Place()
    place.have(scaled(), desired=1)
    place.pass_s(60, load(300.0))
    assert place.desired[IRIS] == 5
    place.now += 120
    place.pass_s(20, load(300.0))

    assert place.desired[IRIS] == 5
    assert "ScaledDown" not in place.reasons


async def test_several_replicas_without_a_known_past_are_kept_for_a_window() -> None:
    place = Place()
    place.have(scaled(), desired=6)
    place.pass_s(58)
    assert place.desired[IRIS] == 6
    place.pass_s(4)
    assert place.desired[IRIS] == 3


async def test_a_thousand_at_zero_are_not_looked_at() -> None:
    place = Place()
    keys: list[Key] = [(f"InferenceService/ns/iris-{number}", "predictor") for number in range(1000)]
    for key in keys:
        place.have(scaled(), desired=0, key=key)
    place.pass_s(4)
    assert not place.scaler._active

    place.scaler.heard([poke(key=keys[7])])
    assert place.scaler._active == {keys[7]}
    assert [key for key, count in place.desired.items() if count] == [keys[7]]


async def test_idle_replicas_at_their_minimum_are_not_looked_at_and_count_their_idle_time() -> None:
    place = Place()
    place.have(scaled(least=1), desired=1)
    place.pass_s(120)
    assert not place.scaler._active

    place.pass_s(1)
    place.pass_s(6, load(60.0))
    assert place.desired[IRIS] == 1  # over a minute of silence, and not over six seconds


async def test_the_initial_scale_counts_until_it_was_reached() -> None:
    place = Place(is_instant=False)
    place.have(scaled(initial=3), desired=3, ready=0)
    place.pass_s(10)
    assert place.desired[IRIS] == 3
    place.ready[IRIS] = 3
    place.show(IRIS)
    place.pass_s(70)
    assert place.desired[IRIS] == 1


async def test_what_never_gets_ready_is_given_up_with_a_warning() -> None:
    place = Place(is_instant=False)
    place.have(scaled(), desired=0, ready=0)
    place.scaler.heard([poke()])
    assert place.desired[IRIS] == 1
    place.pass_s(640)

    assert place.desired[IRIS] == 0
    assert place.told[-1] == Told(
        "TimedOut", "predictor: 1 -> 0 replicas: The target could not be activated.", is_warning=True
    )


async def test_new_terms_hold_from_the_next_look() -> None:
    place = Place()
    place.have(scaled(), desired=1)
    place.pass_s(60, load(60.0))
    place.scaler.follow(IRIS, scaled(target=10.0, stable_window_s=30.0))
    place.pass_s(2, load(60.0))
    assert place.desired[IRIS] == 9
    place.scaler.follow(IRIS, scaled(target=10.0, most=4))
    place.pass_s(2, load(60.0))
    assert place.desired[IRIS] == 4


async def test_what_is_forgotten_or_fixed_is_not_scaled() -> None:
    place = Place()
    place.have(scaled(), desired=1)
    place.scaler.follow(IRIS, component(name="predictor"))
    place.pass_s(60, load(600.0))
    place.scaler.forget(IRIS)
    assert place.why == {}


async def test_news_are_the_components_that_were_decided_about_anew() -> None:
    place = Place()
    place.have(scaled(), desired=1)
    place.pass_s(4, load(80.0))
    (line,), gone = place.scaler.news()
    assert (line.key, line.ready, line.verdict.replicas, line.verdict.gauges.stable, gone) == (IRIS, 2, 2, 80.0, [])
    assert place.scaler.news() == ([], [])
    assert place.scaler.everything() == [line]

    place.scaler.forget(IRIS)
    assert place.scaler.news() == ([], [IRIS])
    assert place.scaler.everything() == []


def by_cpu(target: float = 50.0) -> Component:
    cpu = MetricTarget(metric=ScaleMetric.CPU, kind="utilization", target=target)
    memory = MetricTarget(metric=ScaleMetric.MEMORY, kind="average", target=1e6)
    made = component(unit(resources=Resources(cpu_request=1.0)), name="predictor")
    auto = HorizontalScaling(metrics=(cpu, memory))
    return replace(made, scale=ScalePolicy(min_replicas=1, max_replicas=3, initial_replicas=1, auto=auto))


async def test_resources_of_real_processes_are_measured() -> None:
    place = Place(pids=(os.getpid(),))
    place.have(by_cpu(), desired=1)
    await place.scaler.measure()
    place.now += 15.0
    await place.scaler.measure()

    assert place.desired[IRIS] == 3  # this process has more than the three megabytes that three of them may have
    assert place.reasons == ["ScaledUp"]
    assert "memory" in place.why[IRIS][-1]


async def test_a_request_starts_a_replica_of_what_scales_by_resources_too() -> None:
    place = Place()
    made = by_cpu()
    auto = HorizontalScaling(metrics=(), may_reach_zero=True)
    place.have(replace(made, scale=ScalePolicy(min_replicas=0, initial_replicas=0, auto=auto)), desired=0)
    await place.scaler.measure()
    assert place.desired[IRIS] == 0

    place.now += 20.0
    place.scaler.heard([poke()])
    assert place.desired[IRIS] == 1
    for _ in range(19):
        place.now += 15.0
        await place.scaler.measure()
    assert place.desired[IRIS] == 1
    place.now += 15.0
    await place.scaler.measure()
    assert place.desired[IRIS] == 0


async def test_the_rule_of_a_component_may_change() -> None:
    place = Place()
    place.have(scaled(), desired=1)
    place.pass_s(4, load(10.0))
    place.scaler.follow(IRIS, by_cpu())
    place.show(IRIS)
    place.now += 100.0
    place.pass_s(4, load(10.0))
    place.scaler.follow(IRIS, scaled())
    place.show(IRIS)
    place.pass_s(4, load(150.0))
    assert place.desired[IRIS] == 3


async def test_a_percentage_of_nothing_requested_is_said_to_be_none() -> None:
    place = Place(pids=(os.getpid(),))
    made = by_cpu()
    place.have(replace(made, revision=component(unit(), name="predictor").revision), desired=1)
    await place.scaler.measure()
    place.now += 15.0
    await place.scaler.measure()
    assert "no unit requests cpu, so there is no percentage of it" in place.why[IRIS][-1]


async def test_the_running_loop_measures_what_is_there() -> None:
    answered: asyncio.Queue[int] = asyncio.Queue()
    scaler = Scaler(scale=lambda _, count, __: answered.put_nowait(count), tell=lambda *_: None)
    running = asyncio.create_task(scaler.run())
    scaler.follow(IRIS, by_cpu())
    scaler.saw(IRIS, Seen(desired=1, ready=1, pids=(("one", (os.getpid(),)),)))
    async with asyncio.timeout(5):
        assert await answered.get() == 3
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
