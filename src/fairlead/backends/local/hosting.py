"""Models that come and go while a component runs: fetched one by one, put on the list of the unit that holds them, and
the replicas told to look at it.

A model that cannot be fetched is tried again, later each time, and keeps no other from being served. The list is a file
in the folder that the unit keeps things in, so a replica that starts finds what it is to hold.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.backends.local.home import Home
from fairlead.backends.local.insisting import insist
from fairlead.backends.local.keeping import kept_of
from fairlead.backends.local.preparing import Preparer
from fairlead.backends.local.rpc import ReplicaInfo
from fairlead.dataplane.spec import HeldModel
from fairlead.plan.model import Component, HostedModel, Owner, Unit, UnitName
from fairlead.plan.status import Cause, ModelState, ModelStatus, Progress, ReplicaState
from fairlead.runtimes.shelf_list import Shelved, write_list

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Hosting:
    """One model on its way to the list."""

    model: HostedModel
    folder: Path | None = None
    trouble: Cause | None = None
    task: asyncio.Task[None] | None = None

    def give_up(self) -> None:
        """Nobody wants it any more."""
        if self.task is not None:
            self.task.cancel()


@dataclass(slots=True)
class Hosted:
    """The models of one component, by name."""

    owner: Owner
    component: Component
    models: dict[str, Hosting] = field(default_factory=dict)

    @property
    def unit(self) -> Unit | None:
        """The unit that holds them."""
        return next((unit for unit in self.component.revision.units if unit.holds_models), None)


class Host:
    """`spawn` starts a task of the back-end's (`None` while it does not run yet), `changed` is told the component's key
    when there is something to say, and `tell` has the replicas of it look again."""

    def __init__(
        self,
        home: Home,
        preparer: Preparer,
        *,
        spawn: Callable[..., asyncio.Task[None] | None],
        changed: Callable[[tuple[str, str]], None],
        tell: Callable[[tuple[str, str]], None],
    ) -> None:
        self._home, self._preparer = home, preparer
        self._spawn, self._changed, self._tell = spawn, changed, tell
        self._hosted: dict[tuple[str, str], Hosted] = {}

    def want(self, key: tuple[str, str], owner: Owner, component: Component) -> None:
        """Make the list of a component hold these models, as they get here."""
        if not any(unit.holds_models for unit in component.revision.units):
            self.drop(key)
            return
        hosted = self._hosted.setdefault(key, Hosted(owner, component))
        hosted.owner, hosted.component = owner, component
        wanted = {model.name: model for model in component.hosted}
        for name, hosting in list(hosted.models.items()):
            if wanted.get(name) != hosting.model:
                hosting.give_up()
                del hosted.models[name]
        for name, model in wanted.items():
            if name not in hosted.models:
                hosting = hosted.models[name] = Hosting(model)
                hosting.task = self._spawn(self._bring(key, owner, hosting))
        try:
            self._write(key)
        except OSError as error:  # a full disk is no reason to refuse the plan
            _log.warning("the list of models of %s cannot be written: %s", "/".join(key), error)
            self._spawn(self._list_again(key))

    def resume(self) -> None:
        """Begin with what was wanted before tasks could be started."""
        for key, hosted in self._hosted.items():
            for hosting in hosted.models.values():
                if hosting.task is None:
                    hosting.task = self._spawn(self._bring(key, hosted.owner, hosting))

    def drop(self, key: tuple[str, str]) -> None:
        """The component is no more, or holds no models."""
        hosted = self._hosted.pop(key, None)
        for hosting in hosted.models.values() if hosted else ():
            hosting.give_up()

    def retry(self, namespace: str) -> None:
        """Something that models of the namespace refer to has changed: try at once what could not be fetched."""
        for key, hosted in self._hosted.items():
            for hosting in hosted.models.values():
                if hosted.owner.namespace == namespace and hosting.trouble is not None:
                    hosting.give_up()
                    hosting.task = self._spawn(self._bring(key, hosted.owner, hosting))

    def folders(self) -> set[Path]:
        """What is on lists, or about to be."""
        hostings = (hosting for hosted in self._hosted.values() for hosting in hosted.models.values())
        return {hosting.folder for hosting in hostings if hosting.folder is not None}

    def statuses(self, key: tuple[str, str], infos: Iterable[ReplicaInfo], *, desired: int) -> tuple[ModelStatus, ...]:
        """How each model of a component is."""
        hosted = self._hosted.get(key)
        if hosted is None:
            return ()
        said = [_by_name(info.held) for info in infos if info.state is ReplicaState.READY and info.held is not None]
        return tuple(status_of(hosting, said, desired=desired) for _, hosting in sorted(hosted.models.items()))

    async def _bring(self, key: tuple[str, str], owner: Owner, hosting: Hosting) -> None:
        """Fetch a model and put it on the list, however often that takes."""
        unit = Unit(name=UnitName(hosting.model.name), runtime=hosting.model.runtime, artifact=hosting.model.artifact)

        async def attempt() -> None:
            hosting.folder = await self._preparer.fetch(owner, unit, _Unheard())
            self._write(key)

        def failed(cause: Cause) -> None:
            hosting.trouble = cause
            self._changed(key)

        await insist(attempt, unit=unit.name, failed=failed)
        hosting.trouble = None
        self._changed(key)

    async def _list_again(self, key: tuple[str, str]) -> None:
        async def attempt() -> None:
            self._write(key)

        await insist(attempt, unit="", failed=lambda cause: _log.warning("%s: %s", "/".join(key), cause.message))

    def _write(self, key: tuple[str, str]) -> None:
        hosted = self._hosted.get(key)
        unit = hosted.unit if hosted is not None else None
        if hosted is None or unit is None:
            return
        shelved = [
            Shelved(
                name=hosting.model.name,
                runtime=hosting.model.runtime,
                folder=str(hosting.folder),
                memory_bytes=hosting.model.memory_bytes,
            )
            for hosting in hosted.models.values()
            if hosting.folder is not None
        ]
        if write_list(kept_of(hosted.owner, self._home) / hosted.component.name / unit.name, shelved):
            self._tell(key)


def status_of(hosting: Hosting, said: Sequence[Mapping[str, HeldModel]], *, desired: int) -> ModelStatus:
    """One model, from how far its transfer is and what each ready replica says of it."""
    name, trouble = hosting.model.name, hosting.trouble
    if trouble is not None:
        return ModelStatus(name=name, state=ModelState.FAILED, reason=trouble.reason, message=trouble.message)
    if hosting.folder is None:
        return ModelStatus(name=name, state=ModelState.DOWNLOADING)
    if not said:
        # At zero the model is as ready as its component is: the first request starts both.
        return ModelStatus(name=name, state=ModelState.PENDING if desired else ModelState.READY)
    for held in said:
        one = held.get(name)
        if one is not None and not one.is_loaded:
            reason = "Unloaded" if one.reason == "unloaded" else "ModelLoadFailed"
            return ModelStatus(name=name, state=ModelState.FAILED, reason=reason, message=one.reason)
    is_everywhere = all(name in held for held in said)
    return ModelStatus(name=name, state=ModelState.READY if is_everywhere else ModelState.LOADING)


def _by_name(held: Iterable[HeldModel]) -> dict[str, HeldModel]:
    return {one.name: one for one in held}


class _Unheard:
    """A transfer whose progress nobody is shown."""

    def started(self, uri: str) -> None: ...
    def progressed(self, progress: Progress) -> None: ...
    def finished(self, uri: str) -> None: ...
    def building(self, unit: str, line: str | None) -> None: ...
