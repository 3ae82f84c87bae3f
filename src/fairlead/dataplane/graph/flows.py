"""Steps of graphs of services: what comes next is decided by weights, by conditions on JSON, and by statuses.

The rules are those of KServe's inference graphs (kserve.github.io, "Inference Graph"; what its router does where that
says nothing is held by tests/dataplane/graph/test_flows.py). One thing is ours: a request that no case of a switch
takes is answered with 404 at any depth; KServe's router makes it 500 when the switch is inside another node, which
tells clients to try again what will fail again.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from fairlead.dataplane.graph.driving import Later, drive
from fairlead.dataplane.graph.driving import Step as Walking
from fairlead.dataplane.graph.gathering import Begun, Walked, ended
from fairlead.dataplane.graph.outcome import Outcome, StepFailed
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk
from fairlead.errors import NotFound
from fairlead.plan.model import Enter, Flow, Hop, Merge, Sequence, Split, Step, Switch
from fairlead.protocols import gjson, jsontext

_log = logging.getLogger(__name__)

Pick = Callable[[], int]
"""A number from 0 to 99, as likely as any other."""
NO_CASE = "None of the routes matched with the switch condition"
NO_SHARE = "no route was selected by the splitter"
NO_JSON = "invalid response"
_MOST_ENTERED = 200
"""Nodes that one request may enter, so that steps which lead back to themselves come to an end."""


def pick() -> int:
    """Which of a hundred a request is. Not to be foreseen, so that no client can choose its share."""
    return secrets.randbelow(100)


class FlowBinder:
    """Makes flows walkable. `bind` does so for any other step; `nodes` are those that can be entered, which may be
    bound later."""

    def __init__(self, bind: Callable[[Step], Walked], nodes: Mapping[str, Walked], choose: Pick = pick) -> None:
        self._bind = bind
        self._nodes = nodes
        self._pick = choose

    def bound(self, step: Flow | Enter) -> Walked:
        """One step."""
        if isinstance(step, Enter):
            return _Enter(step.name, self._nodes)
        hops = tuple(_Hop(hop, step.name, self._bind(hop.step)) for hop in step.hops)
        if isinstance(step, Split):
            return _Split(step.name, hops, self._pick)
        kinds: Mapping[type[Flow], type[_Flow]] = {Switch: _Switch, Merge: _Merge, Sequence: _Sequence}
        return kinds[type(step)](step.name, hops)


class _Hop:
    """One thing to do."""

    __slots__ = ("hop", "path", "step")

    def __init__(self, hop: Hop, node: str, step: Walked) -> None:
        self.hop = hop
        self.path = f"{node}/{hop.label}"
        self.step = step

    async def ask(self, sent: Outcome, walk: Walk) -> Outcome:
        """The answer, whatever its status. Raises `StepFailed` without one."""
        try:
            answer = await ended(self.step.begin(sent, walk))
        except Stopped as error:
            raise StepFailed(self.path, str(error.error)) from error
        assert isinstance(answer, Outcome)  # as all units of such graphs give
        if not answer.is_good and not answer.step:
            answer.step = self.path
        return answer


class _Flow:
    """What all of them are."""

    __slots__ = ("_hops", "_name")

    def __init__(self, name: str, hops: tuple[_Hop, ...]) -> None:
        self._name = name
        self._hops = hops

    def begin(self, parcel: Parcel, walk: Walk) -> Begun:
        assert isinstance(parcel, Outcome)  # as the surface of such graphs makes
        return self._walk(parcel, walk)

    def _walk(self, asked: Outcome, walk: Walk) -> Walking[Parcel]:
        raise NotImplementedError

    async def _alone(self, hop: _Hop, asked: Outcome, walk: Walk) -> Outcome:
        """The one that was chosen: its failure is the node's, required or not."""
        answer = await hop.ask(asked, walk)
        if hop.hop.is_required and not answer.is_good:
            _log.warning("step %s is required and answered %d", hop.path, answer.status)
        return answer


class _Split(_Flow):
    """One by chance."""

    __slots__ = ("_pick",)

    def __init__(self, name: str, hops: tuple[_Hop, ...], choose: Pick) -> None:
        super().__init__(name, hops)
        self._pick = choose

    async def _walk(self, asked: Outcome, walk: Walk) -> Parcel:
        point, end = self._pick(), 0
        for hop in self._hops:
            end += hop.hop.weight
            if point < end:
                return await self._alone(hop, asked, walk)
        raise StepFailed(self._name, NO_SHARE)


class _Switch(_Flow):
    """The first that fits."""

    __slots__ = ()

    async def _walk(self, asked: Outcome, walk: Walk) -> Parcel:
        try:
            value = asked.value()
        except ValueError:
            value = gjson.MISSING
        for hop in self._hops:
            if value is not gjson.MISSING and gjson.exists(value, hop.hop.condition):
                return await self._alone(hop, asked, walk)
        raise StepFailed(self._name, NO_CASE, http=NotFound.http)


class _Merge(_Flow):
    """All of them at once."""

    __slots__ = ()

    async def _walk(self, asked: Outcome, walk: Walk) -> Parcel:
        under_way: list[tuple[_Hop, Later[Outcome]]] = []
        for hop in self._hops:
            answer: Later[Outcome] = Later()
            drive(hop.ask(asked, walk), answer.settle)
            under_way.append((hop, answer))
        # In order: what a required one answers counts before what comes later, which is then dropped.
        members: dict[str, bytes] = {}
        for hop, later in under_way:
            outcome = await later
            if hop.hop.is_required and not outcome.is_good:
                return outcome
            members[hop.hop.label] = self._object(hop, outcome)
        pairs = [jsontext.compact(label) + b":" + members[label] for label in sorted(members)]
        return Outcome.of(b"{" + b",".join(pairs) + b"}")

    def _object(self, hop: _Hop, outcome: Outcome) -> bytes:
        """An answer as it came, once it is known to be a JSON object."""
        if outcome.is_json and isinstance(outcome.value(), dict):
            return outcome.data.strip()
        what = "a JSON value that is no object" if outcome.is_json else "no JSON"
        raise StepFailed(hop.path, f"step {hop.path} answered {outcome.status} with {what}; an ensemble merges objects")


class _Sequence(_Flow):
    """One after the other."""

    __slots__ = ()

    async def _walk(self, asked: Outcome, walk: Walk) -> Parcel:
        answer: Outcome | None = None
        for hop in self._hops:
            if hop.hop.condition and not self._goes_on(hop, answer):
                assert answer is not None  # or its condition could not have been looked at
                return Outcome.of(answer.data, 200, _kind_of(answer))
            sent = answer if hop.hop.takes_answer and answer is not None else asked
            answer = await hop.ask(_as_instances(sent) if hop.hop.renames_predictions else sent, walk)
            if hop.hop.is_required and not answer.is_good:
                break
        return Outcome.of(b"") if answer is None else answer

    def _goes_on(self, hop: _Hop, answer: Outcome | None) -> bool:
        if answer is None or not answer.is_json:
            raise StepFailed(hop.path, NO_JSON)
        return gjson.exists(answer.value(), hop.hop.condition)


class _Enter:
    """The way to a node."""

    __slots__ = ("_name", "_nodes")

    def __init__(self, name: str, nodes: Mapping[str, Walked]) -> None:
        self._name = name
        self._nodes = nodes

    def begin(self, parcel: Parcel, walk: Walk) -> Begun:
        walk.entered += 1
        if walk.entered > _MOST_ENTERED:
            message = f"the request entered more than {_MOST_ENTERED} nodes: node {self._name} leads back to itself"
            raise StepFailed(self._name, message, http=508)
        return self._nodes[self._name].begin(parcel, walk)


def _as_instances(sent: Outcome) -> Outcome:
    """`{"instances": …}` of predictions that are not empty; all else as it is."""
    value: Any = sent.value() if sent.is_json else None
    predictions = value.get("predictions") if isinstance(value, dict) else None
    return Outcome.of(jsontext.compact({"instances": predictions})) if predictions else sent


def _kind_of(answer: Outcome) -> bytes:
    return b"" if answer.bytes_ is None else answer.bytes_.content_type
