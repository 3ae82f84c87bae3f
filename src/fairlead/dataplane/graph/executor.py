"""One request's way through a revision's graph, whatever carried it.

The steps of the plan are bound to their units once; a walk is then a few calls. It parses nothing: what a message
is made of belongs to the units and the codecs. `driving` runs the coroutines.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from fairlead.dataplane.graph.driving import Step as Walking
from fairlead.dataplane.graph.driving import gather
from fairlead.dataplane.graph.gathering import Begun, Walked, ended
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk
from fairlead.dataplane.graph.units import GraphUnit
from fairlead.errors import NotFound
from fairlead.plan.model import Branch, Call, Chain, Feedback, Graph, Method, Node, Step
from fairlead.protocols.message import Reward
from fairlead.protocols.seldon_v1 import route_of
from fairlead.protocols.wire import GraphFailed
from fairlead.runtimes.base import Columns

_ROUTE = Method.ROUTE  # a member of an enum costs a call to look up

ALL = -1
NONE = -2


class Executor:
    """A graph that can be walked. `units` holds every unit the graph names, `watchers` who wants to see what enters and
    leaves a unit's steps (the empty name: the whole graph). `asked` are the units as steps ask them, when somebody
    stands in front of them."""

    def __init__(
        self,
        graph: Graph,
        units: Mapping[str, GraphUnit],
        watchers: Mapping[str, "Watcher"] | None = None,
        *,
        closers: Sequence[Callable[[], None]] = (),
        gathered: Callable[[Walked], Walked] | None = None,
        asked: Mapping[str, GraphUnit] | None = None,
    ) -> None:
        self.units = units
        self._asked = units if asked is None else asked
        self._closers = closers
        self._graph = graph
        self._watchers = watchers or {}
        self._nodes: dict[str, Walked] = {}
        self._nodes |= {name: self._bind(step) for name, step in graph.named}
        root = self._bind(graph.root)
        if gathered is not None:
            root = gathered(root)
        self._is_gathered = gathered is not None
        self._explaining: dict[str, Walked] = {}
        self._root = _Watched(root, self._watchers[""]) if "" in self._watchers else root

    @property
    def is_traced(self) -> bool:
        """Whether somebody stands in front of the units who reads and writes headers of traces."""
        return self._asked is not self.units

    def watchers_of(self, name: str) -> list["Watcher"]:
        """Who sees what a unit is asked, or the whole graph: for what is asked past its steps."""
        return [self._watchers[one] for one in ("", name) if one in self._watchers]

    def lone_model(self) -> GraphUnit | None:
        """The unit, when a prediction is a call to it and nothing else, and nobody watches: what quick ways ask."""
        root = self._graph.root
        is_watched = bool(self._watchers) or self._is_gathered or self._asked is not self.units
        if isinstance(root, Call) and root.method is Method.PREDICT and not is_watched:
            return self.units[root.unit]
        return None

    def whole_answer(self) -> GraphUnit | None:
        """The unit whose answer is the graph's as it is, seen by nobody else: what may be answered in pieces."""
        root = self._graph.root
        is_seen = bool(self._watchers) or self._is_gathered
        return (
            self.units[root.unit] if isinstance(root, Call) and root.method is Method.PREDICT and not is_seen else None
        )

    def predict(self, parcel: Parcel, walk: Walk) -> Walking[Parcel]:
        """The graph's answer; `walk.routing` then holds what was called and which branches were taken. Raises
        `Stopped` with the first failure."""
        return _walked(self._root, parcel, walk)

    def explain(self, name: str, parcel: Parcel, walk: Walk) -> Walking[Parcel]:
        """A unit's explanation, on the way that predictions of it take: what is before it prepares the request, what
        is after it the answer."""
        step = self._explaining.get(name)
        if step is None:
            root = _explained(self._graph.root, name)
            if root == self._graph.root:
                root = Call(unit=self.units[name].unit.name, method=Method.EXPLAIN)
            step = self._bind(root)
            if "" in self._watchers:
                step = _Watched(step, self._watchers[""])
            self._explaining[name] = step
        return _walked(step, parcel, walk)

    async def feedback(self, parcel: Parcel, reward: Reward, walk: Walk) -> Parcel:
        """Hand a reward to the units that were part of the answer it is about. The root's own answer comes back,
        or the reward itself when the root does not take it."""
        if self._graph.feedback is None:
            return parcel
        routing = reward.response.meta.routing if reward.response is not None else {}
        return await self._reward(self._graph.feedback, routing, parcel, reward, walk)

    async def is_ready(self) -> bool:
        """Whether every unit really answers."""
        return all(await gather([unit.is_ready() for unit in self.units.values()]))

    def unit(self, name: str) -> GraphUnit:
        """A unit by its name, in the words clients know when there is none."""
        found = self.units.get(name)
        if found is None:
            raise NotFound(f"Failed to find model {name}")
        return found

    async def metadata(self, name: str) -> dict[str, Any]:
        """What the graph takes and gives, and what each of its units says of itself."""
        known = {unit: await self.units[unit].metadata() for unit in _drawn(self._graph, self.units)}
        answer: dict[str, Any] = {
            "name": name,
            "models": {unit: {key: value for key, value in data.items() if value} for unit, data in known.items()},
        }
        if self._graph.drawing is not None:
            answer["graphinputs"], answer["graphoutputs"] = _ends(self._graph.drawing, known)
        return answer

    def columns(self) -> Columns | None:
        """What a row of a request is made of, by the first model on its way that says so: routers and most
        transformers give on rows as wide as those they get."""
        known = (self.units[name].columns for name in _drawn(self._graph, self.units))
        return next((columns for columns in known if columns is not None), None)

    def close(self) -> None:
        """Let every unit go."""
        for unit in self.units.values():
            unit.close()
        for close in self._closers:
            close()

    def _bind(self, step: Step) -> Walked:
        """A step with its units at hand."""
        if isinstance(step, Branch):
            bound: Walked = self._bind_branch(step)
            name = step.name
        elif isinstance(step, Call):
            bound, name = _Call(self._asked[step.unit], step.method), step.unit
        elif isinstance(step, Chain):
            return _Chain(tuple(self._bind(part) for part in step.steps))
        else:
            from fairlead.dataplane.graph.flows import FlowBinder  # only for graphs of services

            return FlowBinder(self._bind, self._nodes).bound(step)
        return _Watched(bound, self._watchers[name]) if name in self._watchers else bound

    def _bind_branch(self, step: Branch) -> "_Branch":
        return _Branch(
            step.name,
            tuple(self._bind(choice) for choice in step.choices),
            self._asked[step.route] if step.route is not None else None,
            self._asked[step.combine] if step.combine is not None else None,
        )

    async def _reward(
        self, feedback: Feedback, routing: Mapping[str, Any], parcel: Parcel, reward: Reward, walk: Walk
    ) -> Parcel:
        chosen = _chosen(feedback, routing.get(feedback.unit, ALL))
        await gather([self._reward(child, routing, parcel, reward, walk) for child in chosen])
        if not feedback.accepts:
            return parcel
        watcher = self._watchers.get(feedback.unit)
        if watcher is not None:
            watcher.feedback(parcel, walk)
        return await self._asked[feedback.unit].feedback(parcel, reward, walk)


class Watcher(Protocol):
    """Who sees what passes a step. It must not block, nor change what it sees."""

    def request(self, parcel: Parcel, walk: Walk) -> None: ...
    def response(self, parcel: Parcel, walk: Walk) -> None: ...
    def feedback(self, parcel: Parcel, walk: Walk) -> None: ...


class _Call:
    """Ask one unit."""

    __slots__ = ("_is_input", "_method", "_name", "_unit")

    def __init__(self, unit: GraphUnit, method: Method) -> None:
        self._name = unit.unit.name
        self._unit = unit
        self._method = method
        self._is_input = method in (Method.PREDICT, Method.TRANSFORM_INPUT)

    def begin(self, parcel: Parcel, walk: Walk) -> Begun:
        if self._is_input:
            walk.routing[self._name] = ALL
        return self._unit.at_once(self._method, parcel, walk) or self._unit.call(self._method, parcel, walk)


class _Chain:
    """One step after the other."""

    __slots__ = ("_steps",)

    def __init__(self, steps: tuple[Walked, ...]) -> None:
        self._steps = steps

    def begin(self, parcel: Parcel, walk: Walk) -> Begun:
        for index, step in enumerate(self._steps):
            begun = step.begin(parcel, walk)
            if not isinstance(begun, Parcel):
                return self._go_on(begun, self._steps[index + 1 :], walk)
            parcel = begun
        return parcel

    async def _go_on(self, waiting: Walking[Parcel], steps: tuple[Walked, ...], walk: Walk) -> Parcel:
        parcel = await waiting
        for step in steps:
            parcel = await ended(step.begin(parcel, walk))
        return parcel


class _Branch:
    """Some of the choices, and one answer out of theirs."""

    __slots__ = ("_choices", "_combine", "_name", "_route")

    def __init__(
        self, name: str, choices: tuple[Walked, ...], route: GraphUnit | None, combine: GraphUnit | None
    ) -> None:
        self._name = name
        self._choices = choices
        self._route = route
        self._combine = combine

    def begin(self, parcel: Parcel, walk: Walk) -> Begun:
        if self._route is None:
            return self._take(ALL, parcel, walk)
        said = self._route.at_once(_ROUTE, parcel, walk)
        if said is None:
            return self._when_told(self._route, parcel, walk)
        return self._take(route_of(said.message()), parcel, walk)

    async def _when_told(self, router: GraphUnit, parcel: Parcel, walk: Walk) -> Parcel:
        return await ended(self._take(await router.route(parcel, walk), parcel, walk))

    def _take(self, route: int, parcel: Parcel, walk: Walk) -> Begun:
        """The answers of those that are chosen, made one. What can answer at once does; from the first that cannot,
        all are asked side by side."""
        walk.routing[self._name] = route
        if route == NONE:
            return parcel
        choices = self._taken(route)
        answers: list[Parcel] = []
        for index, choice in enumerate(choices):
            begun = choice.begin(parcel, walk)
            if not isinstance(begun, Parcel):
                others = [_walked(other, parcel, walk) for other in choices[index + 1 :]]
                return self._when_answered(answers, [begun, *others], walk)
            answers.append(begun)
        return self._combined(answers, walk)

    async def _when_answered(self, answers: list[Parcel], waiting: list[Walking[Parcel]], walk: Walk) -> Parcel:
        return await ended(self._combined(answers + await gather(waiting), walk))

    def _combined(self, answers: list[Parcel], walk: Walk) -> Begun:
        if self._combine is None:
            return answers[0]
        return self._combine.aggregate_at_once(answers, walk) or self._combine.aggregate(answers, walk)

    def _taken(self, route: int) -> tuple[Walked, ...]:
        if route == ALL:
            return self._choices
        if 0 <= route < len(self._choices):
            return self._choices[route : route + 1]
        unit = self._name if self._route is None else self._route.unit.name
        raise _out_of_range(unit, route, len(self._choices))


class _Watched:
    """A step that somebody watches."""

    __slots__ = ("_step", "_watcher")

    def __init__(self, step: Walked, watcher: Watcher) -> None:
        self._step = step
        self._watcher = watcher

    def begin(self, parcel: Parcel, walk: Walk) -> Begun:
        self._watcher.request(parcel, walk)
        begun = self._step.begin(parcel, walk)
        if not isinstance(begun, Parcel):
            return self._when_answered(begun, walk)
        self._watcher.response(begun, walk)
        return begun

    async def _when_answered(self, waiting: Walking[Parcel], walk: Walk) -> Parcel:
        answer = await waiting
        self._watcher.response(answer, walk)
        return answer


async def _walked(step: Walked, parcel: Parcel, walk: Walk) -> Parcel:
    """A step as a coroutine, begun when it is first run."""
    begun = step.begin(parcel, walk)
    return begun if isinstance(begun, Parcel) else await begun


def _explained(step: Step, name: str) -> Step:
    """The same steps, of which those that ask this unit for predictions ask it for explanations."""
    if isinstance(step, Call):
        return replace(step, method=Method.EXPLAIN) if step.unit == name and step.method is Method.PREDICT else step
    if isinstance(step, Chain):
        return replace(step, steps=tuple(_explained(one, name) for one in step.steps))
    if isinstance(step, Branch):
        return replace(step, choices=tuple(_explained(one, name) for one in step.choices))
    return step  # services are not asked for explanations


def _chosen(feedback: Feedback, route: Any) -> tuple[Feedback, ...]:
    if route == ALL or not feedback.children:
        return feedback.children
    if route == NONE:
        return ()
    if isinstance(route, int) and 0 <= route < len(feedback.children):
        return feedback.children[route : route + 1]
    raise _out_of_range(feedback.unit, route, len(feedback.children))


def _out_of_range(unit: str, route: Any, count: int) -> Stopped:
    info = f"unit {unit!r} chose branch {route}; it has {count}, counted from 0 (-1 is all of them, -2 none)"
    return Stopped(unit, GraphFailed(info, unit=unit))


def _drawn(graph: Graph, units: Mapping[str, GraphUnit]) -> list[str]:
    """The units of the drawing, parents first; without a drawing, all of them."""
    if graph.drawing is None:
        return list(units)
    names: list[str] = []
    nodes = [graph.drawing]
    while nodes:
        node = nodes.pop(0)
        if node.unit in units:
            names.append(node.unit)
        nodes = [*node.children, *nodes]
    return names


def _ends(node: Node, known: Mapping[str, Mapping[str, Any]]) -> tuple[Any, Any]:
    """What goes into a node's part of the graph and what comes out."""
    own = known.get(node.unit, {})
    inputs, outputs = own.get("inputs"), own.get("outputs")
    if not node.children:
        return inputs, outputs
    first_inputs, first_outputs = _ends(node.children[0], known)
    if node.kind in ("model", "transformer"):
        return inputs, first_outputs
    if node.kind in ("output-transformer", "combiner"):
        return first_inputs, outputs
    return first_inputs, first_outputs
