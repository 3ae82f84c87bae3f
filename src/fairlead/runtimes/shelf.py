"""A unit whose models come and go while it runs: a server that several models share.

What is to be on the shelf stands in a file, which the back-end writes and every replica reads when it is told to look.
Models are taken in one after the other; one that does not load is told about and keeps no other from being served.

Where the models need more memory together than the unit may use, by what their owners have declared, and the unit may
evict, those that nobody has asked for the longest make room, and come back when they are asked for.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fairlead.errors import FairleadError, LoadError, NotFound
from fairlead.plan.model import Method, UnitName
from fairlead.protocols.message import Form, Message, Payload, Reward
from fairlead.runtimes.base import (
    Columns,
    LoadContext,
    ModelState,
    PredictBytes,
    Repository,
    RepositoryModel,
    Rows,
    Servable,
    TensorSpec,
)
from fairlead.runtimes.repository import RepositoryUnit
from fairlead.runtimes.shelf_list import Shelved, models_in, read_list

EVICT = "evict_models"
"""The parameter of units that make room."""

Load = Callable[[LoadContext], Servable]


def load(context: LoadContext, make: Load) -> RepositoryUnit:
    """The unit. `make` loads one model; models that are on the list come with the first look at it."""
    return RepositoryUnit(_NoModel(context.unit.name), Shelf(context, make))


class Shelf:
    """An `OwnedRepository`. `look_again` makes it what the list says."""

    def __init__(self, context: LoadContext, make: Load) -> None:
        self._context, self._make = context, make
        asked = {parameter.name: parameter.value for parameter in context.unit.parameters}
        self._evicts = asked.get(EVICT) is True
        self._limit_bytes = context.unit.resources.memory_limit_bytes
        self._changing = threading.RLock()
        self._listed: dict[str, Shelved] = {}
        # In the order of their last use, for those who have to make room.
        self._loaded: OrderedDict[str, Servable] = OrderedDict()
        self._reasons: dict[str, str] = {}
        self._let_go: set[str] = set()
        """Unloaded by a client, until one loads it again."""

    def look_again(self) -> list[RepositoryModel]:
        """Take in what is new or different, let go of what is gone, and say how all of them are."""
        with self._changing:
            wanted = {one.name: one for one in self._wanted()}
            for name, known in list(self._listed.items()):
                if wanted.get(name) != known:
                    self._drop(name)
                    self._reasons.pop(name, None)
                    self._let_go.discard(name)
            self._listed = wanted
            for name in wanted:
                if name not in self._loaded and name not in self._let_go and self._fits(wanted[name]):
                    self._try(name)
            return self.models()

    def models(self) -> list[RepositoryModel]:
        """All of the list. One that makes room for others for now is ready: it comes back when it is asked for."""
        return [self._described(name) for name in self._listed]

    def holds(self, name: str) -> bool:
        """Whether it is on the list."""
        return name in self._listed

    def finds(self, name: str) -> bool:
        """Whether somebody has put a model of that name into its folder that it does not know of yet."""
        return self._context.folder is not None and any(one.name == name for one in self._wanted())

    def model(self, name: str, version: str = "") -> Servable:  # noqa: ARG002 - these have no versions
        """The model of that name, loaded for this if it made room before."""
        found = self._loaded.get(name)
        if found is None:
            with self._changing:
                self._require(name)
                if name not in self._loaded:
                    self._bring(name)
                found = self._loaded[name]
        self._loaded.move_to_end(name)
        return found

    def load(self, name: str) -> None:
        """Load it (again)."""
        with self._changing:
            self._take_note(name)
            self._require(name)
            self._let_go.discard(name)
            self._drop(name)
            self._bring(name)

    def unload(self, name: str) -> None:
        """Let it go until somebody loads it."""
        with self._changing:
            self._require(name)
            self._let_go.add(name)
            self._drop(name)
            self._take_note(name)

    def close(self) -> None:
        """Let all of them go."""
        with self._changing:
            for name in list(self._loaded):
                self._drop(name)

    def _described(self, name: str) -> RepositoryModel:
        if name in self._let_go:
            return RepositoryModel(name=name, version="", state=ModelState.UNAVAILABLE, reason="unloaded")
        reason = self._reasons.get(name, "")
        is_there = name in self._loaded or (self._evicts and not reason)
        state = ModelState.READY if is_there else ModelState.UNAVAILABLE
        return RepositoryModel(name=name, version="", state=state, reason=reason)

    def _wanted(self) -> list[Shelved]:
        if self._context.folder is not None:
            return models_in(self._context.folder, self._context.unit.runtime)
        return read_list(self._context.kept) if self._context.kept else []

    def _take_note(self, name: str) -> None:
        """Of a folder, which has no list that anybody changes: one that came or went since the last look."""
        if self._context.folder is None:
            return
        found = next((one for one in self._wanted() if one.name == name), None)
        if found is not None:
            self._listed[name] = found
        else:
            self._listed.pop(name, None)
            self._let_go.discard(name)

    def _require(self, name: str) -> None:
        if name not in self._listed:
            raise NotFound(f"Model with name {name} does not exist.")

    def _try(self, name: str) -> None:
        try:
            self._bring(name)
        except FairleadError:
            return  # its reason is kept

    def _bring(self, name: str) -> None:
        shelved = self._listed[name]
        try:
            self._make_room(shelved)
            self._loaded[name] = self._make(self._context_of(shelved))
        except FairleadError as error:
            self._reasons[name] = str(error)
            raise
        except Exception as error:
            self._reasons[name] = f"{type(error).__name__}: {error}"
            raise LoadError(f"model {name!r} did not load: {self._reasons[name]}") from error
        self._reasons.pop(name, None)

    def _context_of(self, shelved: Shelved) -> LoadContext:
        context = self._context
        unit = replace(
            context.unit, name=UnitName(shelved.name), runtime=shelved.runtime, artifact=None, holds_models=False
        )
        return replace(context, unit=unit, folder=Path(shelved.folder), kept=None)

    @property
    def _used_bytes(self) -> int:
        return sum(self._listed[name].memory_bytes for name in self._loaded if name in self._listed)

    def _fits(self, shelved: Shelved) -> bool:
        """Whether it is to be loaded unasked: where models make room for each other, only while there is some."""
        if not self._evicts or self._limit_bytes is None:
            return True
        return self._used_bytes + shelved.memory_bytes <= self._limit_bytes

    def _make_room(self, shelved: Shelved) -> None:
        limit_bytes = self._limit_bytes
        if limit_bytes is None or self._used_bytes + shelved.memory_bytes <= limit_bytes:
            return
        if shelved.memory_bytes > limit_bytes or not self._evicts:
            free_bytes = max(0, limit_bytes - self._used_bytes)
            raise LoadError(
                f"model {shelved.name!r} needs {shelved.memory_bytes} bytes of memory; the server may use "
                f"{limit_bytes}, of which {free_bytes} are free"
            )
        for name in list(self._loaded):
            if self._used_bytes + shelved.memory_bytes <= limit_bytes:
                return
            self._drop(name)

    def _drop(self, name: str) -> None:
        found = self._loaded.pop(name, None)
        if found is not None:
            found.close()


class _NoModel:
    """Answers when the shelf itself is asked: it is nobody's model."""

    rows: Rows | None = None
    columns: Columns | None = None
    predict_bytes: PredictBytes | None = None
    methods: frozenset[Method] = frozenset({Method.PREDICT})
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    platform = ""
    repository: Repository | None = None

    def __init__(self, name: str) -> None:
        self._name = name

    def invoke(self, method: Method, message: Message) -> Message:  # noqa: ARG002
        """There is none."""
        asked = message.asked
        name = (asked.model if asked is not None else "") or self._name
        raise NotFound(f"Model with name {name} does not exist.")

    def aggregate(self, messages: list[Message]) -> Message:
        """There is none."""
        return self.invoke(Method.AGGREGATE, messages[0])

    def feedback(self, reward: Reward) -> Message:  # noqa: ARG002
        """There is none to learn."""
        raise NotFound(f"Model with name {self._name} does not exist.")

    def health(self) -> Message:
        """It holds models, and is well without any."""
        return Message(Payload(Form.STRING, "healthy"))

    def metadata(self) -> dict[str, Any]:
        """Nothing but its name."""
        return {"name": self._name}

    def close(self) -> None:
        """Nothing to let go of."""
