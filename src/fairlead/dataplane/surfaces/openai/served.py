"""The units of a worker that answer OpenAI's requests, by the names clients may use."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from fairlead.dataplane.graph.executor import Executor, Watcher
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.graph.units import GraphUnit, LocalUnit
from fairlead.dataplane.surfaces.models import Models
from fairlead.runtimes.base import ModelState, Repository, Servable

if TYPE_CHECKING:  # every worker imports this module, few have such a model
    from fairlead.protocols.openai import Endpoint
    from fairlead.runtimes.generative import Generative


class Served:
    """A name of the whole graph means the first unit that can."""

    def __init__(self, units: Mapping[str, GraphUnit], models: Models) -> None:
        self._units = units
        self._models = models

    @property
    def names(self) -> list[str]:
        """What to list, in the order of the graph."""
        able = dict.fromkeys(name for name, _ in self._able())
        return [name for name in self._models.names if name in able]

    @property
    def endpoints(self) -> "frozenset[Endpoint]":
        """What they can be asked, all together."""
        return frozenset(endpoint for _, model in self._able() for endpoint in model.endpoints)

    def find(self, name: str) -> "tuple[str, Generative | None]":
        """The name to answer under, and who answers. Raises `ModelNotFound`, and `ModelNotReady` for one that is not
        loaded."""
        name = self._models.resolve(name) if name else next(iter(self.names), self._models.resolve(""))
        self._models.ensure_loaded(name)
        able = dict(self._able())
        own = name in self._models.names
        return name, able.get(name) if own else next(iter(able.values()), None)

    def _able(self) -> "Iterator[tuple[str, Generative]]":
        for name, unit in self._units.items():
            if not isinstance(unit, LocalUnit):
                continue
            if (model := generative(unit.servable)) is not None:
                yield name, model
                if called := getattr(unit.servable, "called", ""):
                    yield str(called), model
            if unit.servable.repository is not None:
                yield from _held(unit.servable.repository)


def _held(repository: Repository) -> "Iterator[tuple[str, Generative]]":
    for held in repository.models():
        if held.state is ModelState.READY and (model := generative(repository.model(held.name))) is not None:
            yield held.name, model


def generative(servable: Servable) -> "Generative | None":
    """A loaded unit's side that answers OpenAI's requests, if it has one."""
    found: Generative | None = getattr(servable, "openai", None)
    return found


def may_answer(executor: Executor) -> bool:
    """Whether a worker has a unit that answers OpenAI's requests, may get one, or is in front of a server that may."""
    servables = [unit.servable for unit in executor.units.values() if isinstance(unit, LocalUnit)]
    able = any(generative(one) is not None or one.repository is not None for one in servables)
    return able or server_behind(executor) is not None


def server_behind(executor: Executor) -> RemoteUnit | None:
    """The unit elsewhere that is all of the graph."""
    first = next(iter(executor.units.values()))
    return first if len(executor.units) == 1 and isinstance(first, RemoteUnit) else None


def watchers_of(executor: Executor) -> list[Watcher]:
    """Who watches the units that answer OpenAI's requests, or the graph that they are in."""
    able = [
        name
        for name, unit in executor.units.items()
        if not isinstance(unit, LocalUnit) or generative(unit.servable) is not None or unit.servable.repository
    ]
    return list(dict.fromkeys(watcher for name in able for watcher in executor.watchers_of(name)))
