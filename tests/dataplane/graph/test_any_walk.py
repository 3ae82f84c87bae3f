"""Every graph of units against a plain reading of its steps, whichever of its units wait."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.dataplane.graph.driving import Later, drive
from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk
from fairlead.errors import UnitFailed
from fairlead.plan.model import Branch, Call, Chain, Graph, Method, Step, Unit, UnitName
from fairlead.protocols.message import Form, Message, Payload

UNITS = ("a", "b", "c", "d")


@dataclass
class Asked:
    """A unit that puts its name behind what it is asked. One that waits answers when it is told to."""

    unit: Unit
    waits: bool
    fails: bool
    route_: int
    waiting: list[Later[None]]
    columns: None = None
    calls: int = 0

    def at_once(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel | None:
        return None if self.waits else self._answer(method, [parcel])

    def aggregate_at_once(self, parcels: list[Parcel], walk: Walk) -> Parcel | None:
        return None if self.waits else self._answer(Method.AGGREGATE, parcels)

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Parcel:
        await self._turn()
        return self._answer(method, [parcel])

    async def route(self, parcel: Parcel, walk: Walk) -> int:
        await self._turn()
        self._answer(Method.ROUTE, [parcel])
        return self.route_

    async def aggregate(self, parcels: list[Parcel], walk: Walk) -> Parcel:
        await self._turn()
        return self._answer(Method.AGGREGATE, parcels)

    async def _turn(self) -> None:
        turn: Later[None] = Later()
        self.waiting.append(turn)
        await turn

    def _answer(self, method: Method, parcels: list[Parcel]) -> Parcel:
        self.calls += 1
        if self.fails:
            raise Stopped(self.unit.name, UnitFailed("broken"))
        if method is Method.ROUTE:
            return said([self.route_])
        return said(f"({' '.join(text(one) for one in parcels)}).{self.unit.name}")


def said(value: Any) -> Parcel:
    return Parcel(Message(Payload(Form.JSON, value)))


def text(parcel: Parcel) -> str:
    value: str = parcel.message().payload.value
    return value


@dataclass
class Plain:
    """The steps one by one."""

    fails: frozenset[str]
    routes: dict[str, int]
    routing: dict[str, int] = field(default_factory=dict)

    def walk(self, step: Step, value: str) -> str:
        if isinstance(step, Call):
            if step.method is Method.PREDICT:
                self.routing[step.unit] = -1
            return self.ask(step.unit, [value])
        if isinstance(step, Chain):
            for one in step.steps:
                value = self.walk(one, value)
            return value
        assert isinstance(step, Branch)
        return self.branch(step, value)

    def branch(self, step: Branch, value: str) -> str:
        route = -1
        if step.route is not None:
            self.ask(step.route, [value])
            route = self.routes[step.route]
        self.routing[step.name] = route
        if route == -2:
            return value
        if route >= len(step.choices):
            raise Stopped(str(step.route), UnitFailed("no such branch"))
        chosen = step.choices if route == -1 else (step.choices[route],)
        answers = [self.walk(choice, value) for choice in chosen]
        return answers[0] if step.combine is None else self.ask(step.combine, answers)

    def ask(self, name: str, values: list[str]) -> str:
        if name in self.fails:
            raise Stopped(name, UnitFailed("broken"))
        return f"({' '.join(values)}).{name}"


names = st.sampled_from(UNITS).map(UnitName)
calls = st.builds(Call, unit=names, method=st.sampled_from((Method.PREDICT, Method.TRANSFORM_OUTPUT)))


def larger(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(steps, min_size=1, max_size=3).map(tuple)
    return st.builds(Chain, steps=several) | st.builds(
        Branch, name=names, choices=several, route=st.none() | names, combine=st.none() | names
    )


@given(
    root=st.recursive(calls, larger, max_leaves=6),
    waits=st.frozensets(st.sampled_from(UNITS)),
    fails=st.frozensets(st.sampled_from(UNITS), max_size=1),
    routes=st.fixed_dictionaries({name: st.integers(-2, 2) for name in UNITS}),
    last_first=st.booleans(),
)
def test_a_walk_answers_as_its_steps_say(
    root: Step, waits: frozenset[str], fails: frozenset[str], routes: dict[str, int], last_first: bool
) -> None:
    waiting: list[Later[None]] = []
    units: dict[str, Any] = {
        name: Asked(Unit(name=UnitName(name), runtime="python"), name in waits, name in fails, routes[name], waiting)
        for name in UNITS
    }
    got: list[tuple[Parcel | None, Exception | None]] = []
    walk = Walk(b"", [])

    drive(Executor(Graph(root=root), units).predict(said("x"), walk), lambda *ended: got.append(ended))
    while waiting:
        waiting.pop(-1 if last_first else 0).resolve(None)

    ((answer, error),) = got  # once
    plain = Plain(fails, routes)
    if error is None:
        assert answer is not None
        assert (text(answer), walk.routing) == (plain.walk(root, "x"), plain.routing)
    else:
        assert isinstance(error, Stopped)
        with pytest.raises(Stopped) as stopped:
            plain.walk(root, "x")
        assert error.unit == stopped.value.unit
