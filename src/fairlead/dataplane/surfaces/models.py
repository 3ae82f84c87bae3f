"""The models that a worker answers for, by the names clients may use in paths and messages.

A graph is one model under several names: its service's, its component's, and each of its units' (specs 3.1: a path that
names any node of the graph runs the graph). Which words an unknown name gets is KServe's, whose clients look for them.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from fairlead.dataplane.graph.driving import Step, gather
from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.graph.parcel import Parcel, Walk
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.graph.units import GraphUnit, LocalUnit
from fairlead.dataplane.spec import WorkerSpec
from fairlead.errors import NotFound, Retryable
from fairlead.runtimes.base import TensorSpec


class ModelNotFound(NotFound):
    """No model of that name."""

    reason = "ModelNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"Model with name {name} does not exist.")


class VersionNotFound(NotFound):
    """The model is there, that version is not."""

    reason = "ModelNotFound"

    def __init__(self, name: str, version: str) -> None:
        super().__init__(f"Model {name} with version {version} not found")


class ModelNotReady(Retryable):
    """The model is there and cannot answer now."""

    reason = "ModelNotReady"

    def __init__(self, name: str) -> None:
        super().__init__(f"Model with name {name} is not ready.")


class Described(msgspec.Struct, frozen=True):
    """What a model says of itself in the tensor protocols."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Models:
    """The names of one worker's models, and the way to each."""

    def __init__(self, spec: WorkerSpec, executor: Executor) -> None:
        self._executor = executor
        self._names = list(dict.fromkeys(str(unit.name) for unit in spec.revision.units))
        self._known = frozenset((*self._names, spec.service, spec.component))
        # A peer may serve models that we know nothing of; it answers for names that are not ours.
        self._has_peers = any(isinstance(unit, RemoteUnit) for unit in executor.units.values())

    @property
    def names(self) -> Sequence[str]:
        """The models to list."""
        return self._names

    def resolve(self, name: str, version: str = "") -> str:
        """The name to answer under: the one asked for, or the first when none was. Raises `ModelNotFound` and
        `VersionNotFound`."""
        if not name:
            return self._names[0]
        if name not in self._known and not self._has_peers:
            raise ModelNotFound(name)
        if version and version not in self.versions(name):
            raise VersionNotFound(name, version)
        return name

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a model, newest last; empty when it has none."""
        unit = self._unit(name)
        version = getattr(unit.servable, "version", "") if isinstance(unit, LocalUnit) else ""
        return (version,) if version else ()

    def describe(self, name: str) -> Described:
        """What is known of a model without asking its code."""
        unit = self._unit(name)
        if not isinstance(unit, LocalUnit):
            return Described(name, (), "", (), ())
        servable = unit.servable
        return Described(name, self.versions(name), servable.platform, servable.inputs, servable.outputs)

    async def is_ready(self, name: str) -> bool:
        """Whether a model answers."""
        return await self._unit(name).is_ready()

    async def all_ready(self) -> bool:
        """Whether every unit answers."""
        return all(await gather([unit.is_ready() for unit in self._executor.units.values()]))

    def predict(self, parcel: Parcel, walk: Walk) -> Step[Parcel]:
        """Ask the model; `walk.model` is the name that the client gave."""
        return self._executor.predict(parcel, walk)

    async def metadata(self, name: str) -> dict[str, Any]:
        """What a unit's own code says of itself."""
        return await self._unit(name).metadata()

    def _unit(self, name: str) -> GraphUnit:
        """The unit of that name; for names of the graph, the first of its units."""
        found = self._executor.units.get(name)
        return found if found is not None else next(iter(self._executor.units.values()))
