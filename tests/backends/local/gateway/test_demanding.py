"""What is asked of components, as those who scale hear it."""

from collections.abc import Callable

import pytest

from fairlead.backends.local.gateway import ComponentDemand, Demand, GatewayClient
from fairlead.backends.local.gateway.demanding import Demands
from fairlead.backends.local.gateway.link import Link, Source
from fairlead.backends.local.gateway.metering import Key, Meters
from fairlead.backends.local.gateway.pool import Pool
from fairlead.backends.local.gateway.switchboard import Serving
from fairlead.errors import FairleadError
from fairlead.protocols.exchange import Response
from support.gateways import bench, pool, service, until
from support.wire import post, wire_to

KEY = Key("InferenceService", "ns", "iris", "predictor")


class Later:
    """What the clock will call."""

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Clock:
    """A loop whose time the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._later: list[Later] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> Later:
        self._later.append(Later(when, callback))
        return self._later[-1]

    def call_soon(self, callback: Callable[[], object]) -> Later:
        return self.call_at(self.now, callback)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [later for later in self._later if later.when <= end]:
            first = min(due, key=lambda later: later.when)
            self._later.remove(first)
            self.now = max(self.now, first.when)
            if first.callback is not None:
                first.callback()
        self.now = end


class Waiter:
    """A request that waits."""

    head = body = b""

    def wait(self, limit_s: float) -> None: ...
    def depart(self, link: Link) -> None: ...
    def refuse(self, error: FairleadError) -> None: ...
    def move(self, pool: Pool) -> None: ...
    def arrived(self, response: Response) -> None: ...
    def began(self, status: int, headers: bytes, source: Source) -> None: ...
    def broken(self) -> None: ...
    def lost(self, *, was_sent: bool) -> None: ...


class Component:
    """One component, with what is told of it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.meter = Meters().meter(KEY)
        self.servings: dict[Key, Serving] = {}
        self.demands = Demands(self.servings, self.clock)
        self.pool = Pool(KEY.path, on_poke=lambda: self.demands.poke(self.servings[KEY]))
        self.servings[KEY] = Serving(KEY, self.pool, self.meter)
        self.told: list[Demand] = []

    def listen(self) -> None:
        self.demands.listen(self.told.append)

    def come(self) -> float:
        self.meter.begin(self.clock.now)
        return self.clock.now

    def wait(self) -> None:
        self.come()
        self.pool.submit(Waiter())

    def go(self, began: float) -> None:
        self.meter.count(200, began, self.clock.now - began)

    def after(self, seconds: float) -> list[tuple[float, int, int, bool]]:
        """What is told until then."""
        self.told.clear()
        self.clock.advance(seconds)
        return [
            (round(one.concurrency, 6), one.requests, one.waiting, one.is_poke)
            for demand in self.told
            for one in demand.components
        ]


def test_concurrency_is_averaged_over_the_time_since_the_last_report() -> None:
    made = Component()
    made.listen()

    first = made.come()
    made.clock.advance(0.25)
    second = made.come()
    made.clock.advance(0.5)
    made.go(first)

    # A quarter of a second one, half a second two, a quarter one.
    assert made.after(0.25) == [(1.5, 2, 0, False)]
    made.clock.advance(0.5)
    made.go(second)
    assert made.after(0.5) == [(0.5, 0, 0, False)]


def test_one_that_becomes_idle_is_told_of_once_more_and_then_there_is_silence() -> None:
    made = Component()
    made.listen()
    made.go(made.come())

    assert made.after(1) == [(0.0, 1, 0, False)]
    assert made.after(3) == [(0.0, 0, 0, False)]
    assert made.told != []  # reports go on, with nobody in them


def test_what_was_here_before_anybody_listened_counts_from_then_on() -> None:
    made = Component()
    made.come()
    made.clock.advance(10)

    made.listen()

    assert made.after(1) == [(1.0, 0, 0, False)]


def test_who_begins_to_wait_in_vain_is_told_of_at_once_and_together_with_the_others_of_that_moment() -> None:
    made = Component()
    made.listen()
    made.clock.advance(0.5)

    made.wait()
    made.wait()
    assert made.after(0) == [(2.0, 2, 2, True)]

    made.wait()
    assert made.after(0) == []  # those who follow are told of in the report


def test_what_was_told_ahead_is_not_told_again() -> None:
    made = Component()
    made.listen()
    made.wait()
    made.after(0)

    for _ in range(3):
        made.wait()

    assert made.after(1) == [(3.0, 3, 4, True)]
    assert made.after(1) == [(4.0, 0, 4, True)]


def test_a_listener_that_comes_back_hears_first_who_still_waits() -> None:
    made = Component()
    made.listen()
    made.wait()
    made.clock.advance(5)
    made.demands.leave(made.told.append)
    again: list[Demand] = []

    made.demands.listen(again.append)

    told = [(one.concurrency, one.requests, one.waiting, one.is_poke) for one in again[0].components]
    assert told == [(1.0, 1, 1, True)]


def test_a_component_of_the_same_name_that_is_new_begins_with_nothing() -> None:
    made = Component()
    made.listen()
    for _ in range(5):
        made.go(made.come())
    made.clock.advance(1)
    fresh = Meters().meter(KEY)
    made.servings[KEY] = Serving(KEY, made.pool, fresh)

    fresh.begin(made.clock.now)

    assert made.after(1) == [(1.0, 1, 0, False)]


def test_rounding_does_not_add_up_over_many_requests() -> None:
    made = Component()
    made.clock.now += 1e7 + 1 / 3
    made.listen()
    made.come()

    for _ in range(20_000):
        began = made.come()
        made.clock.now += 0.00001
        made.go(began)

    ((average, requests, _, _),) = made.after(0.8)
    assert average == pytest.approx(1.2, abs=0.01)
    assert requests == 20_001


@pytest.mark.anyio
async def test_demand_comes_over_the_admin_socket_until_the_listener_leaves() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await made.serve(service("iris", {"default": pool()}))
        told = made.client.demand()
        empty = await anext(told)
        await wire.send(post("/seldon/ns/iris/x"))

        poke = await anext(told)
        while not (report := await anext(told)).components:
            pass
        await told.aclose()

    expected = ComponentDemand(
        kind="SeldonDeployment",
        namespace="ns",
        service="iris",
        component="default",
        concurrency=1.0,
        requests=1,
        waiting=1,
        is_poke=True,
    )
    assert (empty, poke) == (Demand(), Demand((expected,)))
    assert (report.components[0].requests, report.components[0].waiting) == (0, 1)


@pytest.mark.anyio
async def test_a_listener_outlives_the_gateway_and_a_gateway_its_listener() -> None:
    async with bench() as made, wire_to(made.port) as wire:
        await made.serve(service("iris", {"default": pool()}))
        first = GatewayClient(made.folder / "admin.sock").demand()
        await anext(first)
        await first.aclose()
        await wire.send(post("/seldon/ns/iris/x"))
        await until(lambda: any(serving.pool.waits_in_vain for serving in made.gateway.switchboard.servings.values()))

        told = GatewayClient(made.folder / "admin.sock").demand()
        poke = await anext(told)
        await told.aclose()

    assert [one.is_poke for one in poke.components] == [True]
