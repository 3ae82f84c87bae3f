"""Models that are to be here before anybody asks for them: fetched into the cache and pinned there for as long as their
plan wants them, so that they serve while their store is away. Of a bento the environment is built too, and the
image that is wanted of it, and what is in it is told."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.backends.local.furnishing import BENTO
from fairlead.backends.local.imaging import Imager
from fairlead.backends.local.insisting import insist
from fairlead.backends.local.preparing import Preparer
from fairlead.plan.bentos import BentoFacts, ImageStatus
from fairlead.plan.model import Owner, Plan, Prefetched, Unit, UnitName
from fairlead.plan.status import Cause, ModelState, ModelStatus, Progress

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Held:
    wanted: Prefetched
    folder: Path | None = None
    trouble: Cause | None = None
    progress: Progress | None = None
    facts: BentoFacts | None = None
    python: Path | None = None
    image: ImageStatus | None = None
    is_done: bool = False
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Shelf:
    owner: Owner
    held: dict[str, _Held] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set each time that something is here."""


class Prefetcher:
    """`spawn` starts a task of the back-end's (`None` while it does not run yet); `changed` is told a plan's key when
    there is something to say."""

    def __init__(
        self,
        preparer: Preparer,
        *,
        spawn: Callable[..., asyncio.Task[None] | None],
        changed: Callable[[str], None],
        imager: Imager | None = None,
    ) -> None:
        self._preparer, self._spawn, self._changed = preparer, spawn, changed
        self._imager = imager
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

    def pythons(self) -> set[Path]:
        """Those of the environments of bentos."""
        return {held.python for shelf in self._plans.values() for held in shelf.held.values() if held.python}

    def statuses(self, key: str) -> tuple[ModelStatus, ...]:
        """How far each model of a plan is."""
        shelf = self._plans.get(key)
        return tuple(_status(held) for _, held in sorted(shelf.held.items())) if shelf else ()

    async def _bring(self, key: str, owner: Owner, held: _Held) -> None:
        runtime = BENTO if held.wanted.is_bento else ""
        unit = Unit(name=UnitName(held.wanted.name), runtime=runtime, artifact=held.wanted.artifact)
        told = _Told(held, lambda: self._changed(key))

        async def attempt() -> None:
            await self._preparer.fetch(owner, unit, told)
            held.folder = await self._preparer.pin(owner, unit)
            if held.wanted.is_bento:
                bento = await self._preparer.described(unit, held.folder)
                held.facts = bento.facts(held.folder)
                self._changed(key)
                held.python = await self._preparer.furnished(unit, held.folder, told)

        def failed(cause: Cause) -> None:
            held.trouble = cause
            self._changed(key)

        # Said before the bento is there: whoever asks then must not take it for all that was wanted.
        held.image = self._imager.first(held.wanted.image) if self._imager else None
        await insist(attempt, unit=unit.name, failed=failed)
        held.trouble = held.progress = None
        held.is_done = True
        if shelf := self._plans.get(key):
            shelf.arrived.set()
        self._changed(key)
        if held.image is not None:
            await self._have_image(key, owner, held)

    async def _have_image(self, key: str, owner: Owner, held: _Held) -> None:
        """Make the image of a bento that is here, once the models that it needs are here too."""
        build, folder = held.wanted.image, held.folder
        if self._imager is None or build is None or folder is None:
            return

        def report(status: ImageStatus | None) -> None:
            held.image = status
            self._changed(key)

        tags = held.facts.models if held.facts else ()
        missing = [tag for tag in tags if not (folder / "models" / tag.replace(":", "/")).is_dir()]
        await self._imager.have(owner, build, folder, await self._folders_of(key, missing), report)

    async def _folders_of(self, key: str, tags: Sequence[str]) -> dict[str, Path]:
        while shelf := self._plans.get(key):
            here = {
                tag: held.folder for tag, held in shelf.held.items() if tag in tags and held.is_done and held.folder
            }
            if len(here) == len(tags):
                return here
            shelf.arrived.clear()
            await shelf.arrived.wait()
        return {}


def _status(held: _Held) -> ModelStatus:
    state, reason, message = ModelState.PENDING, "", ""
    if held.is_done:
        state = ModelState.READY
    elif held.trouble is not None:
        state, reason, message = ModelState.FAILED, held.trouble.reason, held.trouble.message
    elif held.progress is not None:
        state = ModelState.DOWNLOADING
    name = held.wanted.name
    return ModelStatus(
        name=name,
        state=state,
        reason=reason,
        message=message,
        progress=held.progress,
        facts=held.facts,
        image=held.image,
    )


def _cancel(held: _Held) -> None:
    if held.task is not None:
        held.task.cancel()


class _Told:
    """Notes what is under way."""

    def __init__(self, held: _Held, changed: Callable[[], None]) -> None:
        self._held, self._changed = held, changed

    def started(self, uri: str) -> None:
        self._held.progress = Progress(what=uri)
        self._changed()

    def progressed(self, progress: Progress) -> None: ...
    def finished(self, uri: str) -> None: ...

    def building(self, unit: str, line: str | None) -> None:
        if line is not None:
            self._held.progress = Progress(verb="building", what=f"the environment of {unit}: {line}")
            self._changed()
