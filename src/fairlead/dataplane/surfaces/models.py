"""The models that a worker answers for, by the names clients may use in paths and messages.

A graph is one model under several names: its service's, its component's, and each of its units' (a path that
names any node of the graph runs the graph). Which words an unknown name gets is KServe's, whose clients look for them.

A unit that is a repository loads and unloads its models for real. Any other model that is unloaded stays in memory and
is not answered for, by its name, until it is loaded again; the worker itself stays ready, as KServe's and MLServer's
servers do.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from fairlead.dataplane.graph.batching import Lane
from fairlead.dataplane.graph.contracts import METHOD_HEADER
from fairlead.dataplane.graph.driving import Step, gather
from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.graph.units import GraphUnit, LocalUnit
from fairlead.dataplane.spec import HeldModel, WorkerSpec
from fairlead.errors import FairleadError, NotFound, Retryable
from fairlead.plan.model import Method
from fairlead.protocols.tensors import DEFAULT_INPUT
from fairlead.runtimes.base import MLSERVER, ModelState, Repository, RepositoryModel, Servable, Signature, TensorSpec
from fairlead.runtimes.failures import not_explained
from fairlead.runtimes.shelf import Shelf

_PASSING = (Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT)


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
        self._units = list(dict.fromkeys(str(unit.name) for unit in spec.revision.units))
        # A user's model has a name of its own, which its code was written with and its clients ask for.
        self._called = {
            name: str(called)
            for name, unit in executor.units.items()
            if isinstance(unit, LocalUnit) and (called := getattr(unit.servable, "called", ""))
        }
        self._known = frozenset((*self._units, *self._called.values(), spec.service, spec.component))
        # A peer may serve models that we know nothing of; it answers for names that are not ours.
        self._has_peers = any(isinstance(unit, RemoteUnit) for unit in executor.units.values())
        self._repositories = [
            unit.servable.repository
            for unit in executor.units.values()
            if isinstance(unit, LocalUnit) and unit.servable.repository is not None
        ]
        self._shelves = [repository for repository in self._repositories if isinstance(repository, Shelf)]
        lone = next(iter(executor.units.values())) if spec.single_unit else None
        self.bare = lone if isinstance(lone, LocalUnit) else None
        """The unit of a worker that is one unit of a graph elsewhere."""
        self.changes = 0
        """How often a model was loaded or unloaded: names resolved before may not be right after."""
        self.changed: Callable[[], None] = lambda: None
        """Called when a client has loaded or unloaded a model that a unit holds, or failed to."""
        self._unloaded: set[str] = set()
        self._lane: Lane | None = None

    @property
    def names(self) -> Sequence[str]:
        """The models to list."""
        held = {model.name: None for repository in self._repositories for model in repository.models()}
        own = {self._called.get(name, name): None for name in self._units if self._is_model(name)}
        return [name for name in (own | held) if self._canonical(name) not in self._unloaded]

    def resolve(self, name: str, version: str = "") -> str:
        """The name to answer under: the one asked for, or the first when none was. Raises `ModelNotFound` and
        `VersionNotFound`."""
        name = name or self._units[0]
        if name not in self._known and not self._has_peers and self._holder(name) is None:
            raise ModelNotFound(name)
        if self._unloaded and self._canonical(name) in self._unloaded:
            raise ModelNotFound(name)
        if version and version not in self.versions(name):
            raise VersionNotFound(name, version)
        return name

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a model, newest last; empty when it has none."""
        holder = self._holder(name)
        if holder is not None:
            return tuple(model.version for model in holder.models() if model.name == name and model.version)
        unit = self._unit(name)
        if not isinstance(unit, LocalUnit):
            return ()
        # MLServer calls a model without a version of its own `v1` when Seldon starts it.
        version = getattr(unit.servable, "version", "") or ("v1" if unit.unit.variant == MLSERVER else "")
        return (version,) if version else ()

    def describe(self, name: str, version: str = "") -> Described:
        """What is known of a model without asking its code."""
        servable = self._servable(name, version)
        if servable is None:
            return Described(name, (), "", (), ())
        return Described(name, self.versions(name), servable.platform, _inputs(servable), servable.outputs)

    async def described(self, name: str, version: str = "") -> Described:
        """What is known of a model, with what its own code says first."""
        known = self.describe(name, version)
        try:
            said = await self.metadata(name, version)
        except FairleadError:
            return known  # a description that cannot be had is no reason to answer nothing
        platform = said.get("platform")
        return Described(
            name,
            known.versions,
            platform if isinstance(platform, str) and platform else known.platform,
            _said_specs(said.get("inputs")) or known.inputs,
            _said_specs(said.get("outputs")) or known.outputs,
        )

    async def is_ready(self, name: str) -> bool:
        """Whether a model answers."""
        holder = self._holder(name)
        if holder is not None:
            return any(model.name == name and model.state is ModelState.READY for model in holder.models())
        unit = self._unit(name)
        if isinstance(unit, LocalUnit):
            return await unit.is_ready()
        try:
            await unit.status()
        except Stopped:
            return False
        return True

    async def all_ready(self) -> bool:
        """Whether every unit answers."""
        return all(await gather([unit.is_ready() for unit in self._executor.units.values()]))

    def predict(self, parcel: Parcel, walk: Walk) -> Step[Parcel]:
        """Ask the model; `walk.model` is the name that the client gave. Units know each other's and the graph's names
        only from us: a peer is asked by its own unless the name means something to it alone."""
        name = walk.model
        if name in self._known:
            walk.model = ""
        try:
            self.ensure_loaded(name)
        except ModelNotReady as error:
            return _failing(error)
        if self.bare is not None:
            return self.bare.call(_asked_method(self.bare, walk), parcel, walk)
        return self._executor.predict(parcel, walk)

    def explain(self, parcel: Parcel, walk: Walk) -> Step[Parcel]:
        """Ask the first unit that explains; a peer is asked because only it can tell. Raises `NotOffered`."""
        if walk.model in self._known:
            walk.model = ""
        for name, unit in self._executor.units.items():
            if not isinstance(unit, LocalUnit) or Method.EXPLAIN in unit.servable.methods:
                return self._executor.explain(name, parcel, walk)
        raise not_explained()

    @property
    def explains(self) -> bool:
        """Whether asking for an explanation is worth a try."""
        units = self._executor.units.values()
        return any(not isinstance(unit, LocalUnit) or Method.EXPLAIN in unit.servable.methods for unit in units)

    def signatures(self, name: str) -> Mapping[str, Signature]:
        """The functions of a TensorFlow model by name; for other models nothing."""
        servable = self._servable(name, "")
        offered: Callable[[], Mapping[str, Signature]] | None = getattr(servable, "signatures", None)
        return {} if offered is None else offered()

    def ensure_loaded(self, name: str) -> None:
        """Raise `ModelNotReady` for a model of a repository that is not loaded; no name is the unit's own model."""
        if not self._repositories:
            return
        name = name if self._holder(name) is not None else self._units[0]
        holder = self._holder(name)
        if holder is None:
            return
        if not any(model.name == name and model.state is ModelState.READY for model in holder.models()):
            raise ModelNotReady(name)

    def row_wise(self, *, checks_loaded: bool = False) -> LocalUnit | None:
        """The unit that is all of the graph and whose rows may be joined with other requests', if it is so. A model of
        a repository, which may be gone at any time, is for those alone who ask `ensure_loaded` each time."""
        unit = self._executor.lone_model()
        if self._repositories and not checks_loaded:
            return None
        if isinstance(unit, LocalUnit) and unit.queue is not None and unit.servable.rows is not None:
            return unit
        return None

    def streaming(self) -> LocalUnit | None:
        """The unit whose answers may be streams. One of a graph elsewhere is asked for whole messages."""
        unit = None if self.bare is not None else self._executor.whole_answer()
        return unit if isinstance(unit, LocalUnit) else None

    async def metadata(self, name: str, version: str = "") -> dict[str, Any]:
        """What a unit's own code says of itself."""
        if self._holder(name) is None:
            return await self._unit(name).metadata()
        servable = self._servable(name, version)
        assert servable is not None  # a holder holds it
        known: dict[str, Any] = await self._in_turn().call(servable.metadata)
        return known

    def index(self) -> list[RepositoryModel]:
        """Every model there is, loaded or not."""
        listed = [self._entry(name) for name in self._units if self._is_model(name)]
        return listed + [model for repository in self._repositories for model in repository.models()]

    async def load(self, name: str) -> None:
        """Answer for a model (again). Raises `ModelNotFound` for a name nobody knows, and `LoadError`."""
        holder = self._holder(name) or next((shelf for shelf in self._shelves if shelf.finds(name)), None)
        if holder is not None:
            try:
                await self._in_turn().call(holder.load, name)
            finally:  # one that does not load is gone
                self.changed()
        else:
            self._unloaded.discard(self._own(name))
        self.changes += 1

    async def unload(self, name: str) -> None:
        """Stop answering for a model. Raises `ModelNotFound` for a name nobody knows."""
        holder = self._holder(name)
        if holder is not None:
            await self._in_turn().call(holder.unload, name)
            self.changed()
        else:
            self._unloaded.add(self._own(name))
        self.changes += 1

    @property
    def holds_some(self) -> bool:
        """Whether a unit takes in models while it runs."""
        return bool(self._shelves)

    async def look_again(self) -> list[HeldModel]:
        """Take in and let go of models as the lists of the units say. What cannot be loaded is told, not raised."""
        held: list[HeldModel] = []
        for shelf in self._shelves:
            models = await asyncio.to_thread(shelf.look_again)  # for as long as the loading takes
            held += [
                HeldModel(name=model.name, is_loaded=model.state is ModelState.READY, reason=model.reason)
                for model in models
            ]
        self.changes += 1
        return held

    def _own(self, name: str) -> str:
        if name not in self._known:
            raise ModelNotFound(name)
        return self._canonical(name)

    def _canonical(self, name: str) -> str:
        """A single unit is the same model by all its names."""
        return self._units[0] if len(self._units) == 1 and name in self._known else name

    def _entry(self, name: str) -> RepositoryModel:
        if self._canonical(name) in self._unloaded:
            return RepositoryModel(name=name, version="", state=ModelState.UNAVAILABLE, reason="unloaded")
        versions = self.versions(name)
        return RepositoryModel(name=name, version=versions[-1] if versions else "", state=ModelState.READY)

    def _is_model(self, unit_name: str) -> bool:
        """Whether a unit is a model rather than a place of models."""
        unit = self._executor.units.get(unit_name)
        return not isinstance(unit, LocalUnit) or unit.servable.repository is None

    def _holder(self, name: str) -> Repository | None:
        """The repository that holds a model of that name, loaded or not."""
        for repository in self._repositories:
            if any(model.name == name for model in repository.models()):
                return repository
        return None

    def _servable(self, name: str, version: str) -> Servable | None:
        holder = self._holder(name)
        if holder is not None:
            return holder.model(name, version)
        unit = self._unit(name)
        return unit.servable if isinstance(unit, LocalUnit) else None

    def _in_turn(self) -> Lane:
        """Where models are loaded: beside the units' own calls, which go on meanwhile."""
        if self._lane is None:
            self._lane = Lane("repository", asyncio.get_running_loop())
        return self._lane

    def _unit(self, name: str) -> GraphUnit:
        """The unit of that name; for names of the graph, the first of its units."""
        found = self._executor.units.get(name)
        return found if found is not None else next(iter(self._executor.units.values()))


async def _failing(error: ModelNotReady) -> Parcel:
    raise error


def _asked_method(unit: LocalUnit, walk: Walk) -> Method:
    """What a graph elsewhere asks of a bare unit, or else the first thing that the unit does to a message."""
    for name, value in walk.headers:
        if name == METHOD_HEADER:
            return next((method for method in _PASSING if method.value.encode() == value), Method.PREDICT)
    return next((method for method in _PASSING if method in unit.servable.methods), Method.PREDICT)


def _inputs(servable: Servable) -> tuple[TensorSpec, ...]:
    """What a model says it takes, or else the one table of as many columns as it knows of."""
    if servable.inputs or servable.columns is None:
        return servable.inputs
    datatype = "INT64" if servable.columns.whole else "FP64"
    return (TensorSpec(name=DEFAULT_INPUT, datatype=datatype, shape=(-1, servable.columns.count)),)


def _said_specs(entries: Any) -> tuple[TensorSpec, ...]:
    """The tensors in a description that somebody wrote; entries of Seldon's other kinds are no tensors."""
    if not isinstance(entries, list):
        return ()
    return tuple(
        TensorSpec(name=entry["name"], datatype=entry["datatype"], shape=tuple(entry["shape"]))
        for entry in entries
        if isinstance(entry, dict) and entry.keys() >= _TENSOR_KEYS and isinstance(entry["shape"], list)
    )


_TENSOR_KEYS = frozenset(("name", "datatype", "shape"))
