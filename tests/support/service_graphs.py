"""Graphs of services for tests: their nodes in a few words, steps that answer from a list, and a whole surface."""

import json
from collections.abc import Mapping
from dataclasses import replace as dataclass_replace
from typing import Any

from msgspec.structs import replace as changed

from fairlead.dataplane.graph.flows import FlowBinder, pick
from fairlead.dataplane.graph.gathering import ended
from fairlead.dataplane.graph.outcome import Outcome
from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.spec import WorkerSpec
from fairlead.plan.model import Call, Enter, Flow, Graph, Hop, Method, Parameter, Protocol, Step, Unit, UnitName
from support.serving import Fake, Served, served, worker_spec


class Service:
    """A step that answers what it is told to, and remembers what it was asked. Without `body` it echoes."""

    def __init__(self, body: Any = None, status: int = 200, *, error: Exception | None = None) -> None:
        self.asked: list[Any] = []
        self._answer = body
        self._status = status
        self._error = error

    async def begin(self, parcel: Parcel, walk: Walk) -> Parcel:
        assert isinstance(parcel, Outcome)
        self.asked.append(parcel.value() if parcel.is_json else parcel.data)
        if self._error is not None:
            raise self._error
        body = parcel.data if self._answer is None else as_bytes(self._answer)
        return Outcome.of(body, self._status)


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def to(name: str) -> Call:
    """A step that asks a service."""
    return Call(unit=UnitName(name), method=Method.PREDICT)


def hop(target: str | Step, label: str = "", **fields: Any) -> Hop:
    """A hop to a service, or to a node."""
    step = to(target) if isinstance(target, str) else target
    named = target if isinstance(target, str) else target.name if isinstance(target, Enter) else ""
    return Hop(label=label or named, step=step, **fields)


class Walked:
    """Nodes over services that are given, without a socket."""

    def __init__(self, *nodes: Flow, share: Any = None, **services: Service) -> None:
        bound: dict[str, Any] = {}
        binder = FlowBinder(self._bind, bound, pick if share is None else lambda: share)
        self._binder, self._services = binder, services
        bound |= {node.name: binder.bound(node) for node in nodes}
        self._root = bound[nodes[0].name]

    def _bind(self, step: Step) -> Any:
        if isinstance(step, Call):
            return self._services[step.unit]
        assert isinstance(step, Flow | Enter)
        return self._binder.bound(step)

    async def ask(self, value: Any) -> Outcome:
        """The answer of the first node."""
        parcel = await ended(self._root.begin(Outcome.of(as_bytes(value)), Walk(b"", [])))
        assert isinstance(parcel, Outcome)
        return parcel


def service(name: str, url: str, *, retries: int = 0) -> Unit:
    """A service elsewhere as a unit."""
    asked = (Parameter(name="retries", value=retries, type="INT"),) if retries else ()
    return Unit(name=UnitName(name), runtime="remote", url=url, parameters=asked)


def graph_of_services(
    units: list[Unit], *nodes: Flow, fakes: Mapping[str, Fake] | None = None, **fields: Any
) -> Served:
    """The surface of a worker whose graph is these nodes, the first of which is entered. `fakes` are loaded in it."""
    spec = service_graph_spec(units, *nodes, **fields)
    return served(spec, **(fakes or {}))


def service_graph_spec(units: list[Unit], *nodes: Flow, **fields: Any) -> WorkerSpec:
    """What the worker of such a graph is told."""
    spec = worker_spec(units, Enter(name=nodes[0].name), protocol=Protocol.RAW, **fields)
    graph = Graph(root=spec.revision.graph.root, named=tuple((node.name, node) for node in nodes))
    return changed(spec, revision=dataclass_replace(spec.revision, graph=graph))
