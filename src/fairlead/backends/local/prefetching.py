"""Models that are to be here before anybody asks for them: fetched into the cache and pinned there for as long as their
plan wants them, so that they serve while their store is away."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.backends.local.insisting import insist
from fairlead.backends.local.preparing import Preparer
from fairlead.plan.model import Owner, Plan, Prefetched, Unit, UnitName
from fairlead.plan.status import Cause, ModelState, ModelStatus, Progress

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Held:
    wanted: Prefetched
    folder: Path | None = None
    trouble: Cause | None = None
    progress: Progress | None = None
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Shelf:
    owner: Owner
    held: dict[str, _Held] = field(default_factory=dict)


class Prefetcher:
    """`spawn` starts a task of the back-end's (`None` while it does not run yet); `changed` is told a plan's key when
    there is something to say."""

    def __init__(
        self,
        preparer: Preparer,
        *,
        spawn: Callable[..., asyncio.Task[None] | None],
        changed: Callable[[str], None],
    ) -> None:
        self._preparer, self._spawn, self._changed = preparer, spawn, changed
        self._plans: dict[str, _Shelf] = {}
        self._is_settled = False

    def want(self, key: str, plan: Plan) -> None:
        """Have these models of a plan here, and let go of those that it had."""
        if not plan.prefetched and key not in self._plans:
            return
        shelf = self._plans.setdefault(key, _Shelf(plan.owner))
        shelf.owner = plan.owner
        wanted = {one.name: one for one in plan.prefetched}
        for name, held in list(shelf.held.items()):
            if wanted.get(name) != held.wanted:
                _cancel(held)
                del shelf.held[name]
                self._tidy()
        for name, one in wanted.items():
            if name not in shelf.held:
                held = shelf.held[name] = _Held(one)
                held.task = self._spawn(self._bring(key, plan.owner, held))

    def resume(self) -> None:
        """Begin with what was wanted before tasks could be started."""
        for key, shelf in self._plans.items():
            for held in shelf.held.values():
                if held.task is None:
                    held.task = self._spawn(self._bring(key, shelf.owner, held))
        self._tidy()

    def drop(self, key: str) -> None:
        """The plan is no more."""
        shelf = self._plans.pop(key, None)
        for held in shelf.held.values() if shelf else ():
            _cancel(held)
        if shelf:
            self._tidy()

    def retry(self, namespace: str) -> None:
        """Something that models of the namespace refer to has changed: try at once what could not be fetched."""
        for key, shelf in self._plans.items():
            for held in shelf.held.values():
                if shelf.owner.namespace == namespace and held.trouble is not None:
                    _cancel(held)
                    held.task = self._spawn(self._bring(key, shelf.owner, held))

    def settle(self) -> None:
        """Every plan is known: what an earlier run pinned for others goes."""
        self._is_settled = True
        self._tidy()

    def _tidy(self) -> None:
        if self._is_settled:
            self._spawn(self._unpin())

    async def _unpin(self) -> None:
        async def attempt() -> None:
            wanted = {
                (held.wanted.artifact.uri, shelf.owner.namespace)
                for shelf in self._plans.values()
                for held in shelf.held.values()
            }
            await self._preparer.unpin_all_but(wanted)

        await insist(attempt, unit="", failed=lambda cause: _log.warning("models stay pinned: %s", cause.message))

    def folders(self) -> set[Path]:
        """What is held."""
        return {held.folder for shelf in self._plans.values() for held in shelf.held.values() if held.folder}

    def statuses(self, key: str) -> tuple[ModelStatus, ...]:
        """How far each model of a plan is."""
        shelf = self._plans.get(key)
        return tuple(_status(held) for _, held in sorted(shelf.held.items())) if shelf else ()

    async def _bring(self, key: str, owner: Owner, held: _Held) -> None:
        unit = Unit(name=UnitName(held.wanted.name), runtime="", artifact=held.wanted.artifact)

        async def attempt() -> None:
            await self._preparer.fetch(owner, unit, _Told(held, lambda: self._changed(key)))
            held.folder = await self._preparer.pin(owner, unit)

        def failed(cause: Cause) -> None:
            held.trouble = cause
            self._changed(key)

        await insist(attempt, unit=unit.name, failed=failed)
        held.trouble = held.progress = None
        self._changed(key)


def _status(held: _Held) -> ModelStatus:
    name, trouble = held.wanted.name, held.trouble
    if held.folder is not None:
        return ModelStatus(name=name, state=ModelState.READY)
    if trouble is not None:
        return ModelStatus(name=name, state=ModelState.FAILED, reason=trouble.reason, message=trouble.message)
    return ModelStatus(name=name, state=ModelState.DOWNLOADING if held.progress else ModelState.PENDING)


def _cancel(held: _Held) -> None:
    if held.task is not None:
        held.task.cancel()


class _Told:
    """Notes that a transfer is under way."""

    def __init__(self, held: _Held, changed: Callable[[], None]) -> None:
        self._held, self._changed = held, changed

    def started(self, uri: str) -> None:
        self._held.progress = Progress(what=uri)
        self._changed()

    def progressed(self, progress: Progress) -> None: ...
    def finished(self, uri: str) -> None: ...
    def building(self, unit: str, line: str | None) -> None: ...
