"""Several models under one unit, by name: a Triton repository, or a KServe program that registers more than one."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from fairlead.errors import NotFound, NotReady
from fairlead.plan.model import Method
from fairlead.protocols.message import Message, Reward
from fairlead.runtimes.base import ModelState, PredictBytes, Repository, RepositoryModel, Rows, Servable


class OwnedRepository(Repository, Protocol):
    """A repository that ends with its unit. `holds` says whether there is a model of a name, loaded or not."""

    def holds(self, name: str) -> bool: ...
    def close(self) -> None: ...


class RepositoryUnit:
    """A `Servable` around a repository: a message goes to the model it names, or to the unit's own. Rows of several
    requests share a call only where there is one model that they can be for."""

    predict_bytes: PredictBytes | None = None

    def __init__(self, own: Servable, repository: OwnedRepository) -> None:
        self._own = own
        self._held = repository
        self.repository: Repository | None = repository
        is_alone = len({model.name for model in repository.models()}) == 1
        self.rows: Rows | None = own.rows if is_alone else None
        self.columns = own.columns
        self.methods = own.methods
        self.inputs = own.inputs
        self.outputs = own.outputs
        self.platform = own.platform

    def invoke(self, method: Method, message: Message) -> Message:
        """The answer of the model that the message names."""
        asked = message.asked
        if asked is not None and self._held.holds(asked.model):
            return self._held.model(asked.model, asked.version).invoke(method, message)
        return self._own.invoke(method, message)

    def aggregate(self, messages: list[Message]) -> Message:
        """As the unit's own model."""
        return self._own.aggregate(messages)

    def feedback(self, reward: Reward) -> Message:
        """As the unit's own model."""
        return self._own.feedback(reward)

    def health(self) -> Message:
        """As the unit's own model."""
        return self._own.health()

    def metadata(self) -> dict[str, Any]:
        """As the unit's own model."""
        return self._own.metadata()

    def close(self) -> None:
        """Let all models go."""
        self._held.close()


class HeldUnits:
    """A `Repository` of units made once. Unloading lets one go; loading makes it anew with its own function."""

    def __init__(self, makers: Mapping[str, Callable[[], Servable]], loaded: Mapping[str, Servable]) -> None:
        self._makers = makers
        self._loaded = dict(loaded)
        self._changing = threading.Lock()

    def models(self) -> list[RepositoryModel]:
        """All of them, in the order of the file."""
        return [
            RepositoryModel(name=name, version="", state=ModelState.READY)
            if name in self._loaded
            else RepositoryModel(name=name, version="", state=ModelState.UNAVAILABLE, reason="unloaded")
            for name in self._makers
        ]

    def holds(self, name: str) -> bool:
        """Whether there is such a model, loaded or not."""
        return name in self._makers

    def model(self, name: str, version: str = "") -> Servable:  # noqa: ARG002 - these have no versions
        """The model of that name."""
        if name not in self._makers:
            raise NotFound(f"Model with name {name} does not exist.")
        found = self._loaded.get(name)
        if found is None:
            raise NotReady(f"Model with name {name} is not ready.")
        return found

    def load(self, name: str) -> None:
        """Make it again when it was let go."""
        with self._changing:
            if name not in self._makers:
                raise NotFound(f"Model with name {name} does not exist.")
            if name not in self._loaded:
                self._loaded[name] = self._makers[name]()

    def unload(self, name: str) -> None:
        """Let it go."""
        with self._changing:
            found = self.model(name)
            del self._loaded[name]
        found.close()

    def close(self) -> None:
        """Let all of them go."""
        for one in self._loaded.values():
            one.close()
