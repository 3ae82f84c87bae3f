"""Which units of a revision run in an environment of their own, and having it built before a replica needs it."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fairlead.environments.mode import Mode
from fairlead.plan.model import Revision, Unit
from fairlead.runtimes.bento.description import describe
from fairlead.runtimes.bento.requirements import wanted_by as bento_wants
from fairlead.runtimes.requirements import BadRequirements, Wanted, unmet, wanted_by

ANNOTATION = "fairlead.dev/environment"
BENTO = "bento"
"""The runtime of units that bring BentoML with them."""
_NO_PYTHON_OF_OURS = frozenset(("builtin", "command", "container", "remote", "sample"))

Tell = Callable[[str | None], None]


class Builds(Protocol):
    """What is needed of `environments.Builder`."""

    def is_needed(self, wanted: Wanted, mode: Mode) -> bool: ...

    def build(
        self, wanted: Wanted, *, runtime: str, mode: Mode, say: Callable[[str], None], stop: Callable[[], bool]
    ) -> Path: ...


@dataclass(slots=True)
class _Lines:
    """What a build says, with the reason for it before the first line. One that was built before says nothing."""

    because: str
    pass_on: Tell
    gave_up: threading.Event
    has_begun: bool = False

    def say(self, line: str) -> None:
        if self.gave_up.is_set():
            return  # nobody listens, and the loop may be closed
        if not self.has_begun:
            self.has_begun = True
            self.pass_on(self.because)
        self.pass_on(line)

    def end(self) -> None:
        if self.has_begun and not self.gave_up.is_set():
            self.pass_on(None)


class Furnisher:
    """Gives units their Python. `default` is for revisions that do not say when to build."""

    def __init__(self, builder: Builds, default: Mode = Mode.AUTO) -> None:
        self._builder, self._default = builder, default

    async def python_of(self, unit: Unit, revision: Revision, folder: Path | None, tell: Tell) -> Path | None:
        """The Python of the unit's own environment, `None` when it runs in ours. While one is built, `tell` is called
        on the loop with how far it is, and with `None` when it is there."""
        if unit.runtime == BENTO:
            assert folder is not None
            return await self.python_of_bento(folder, tell)
        mode = _mode(revision, self._default)
        if mode is Mode.NEVER or unit.runtime in _NO_PYTHON_OF_OURS:
            return None
        code = Path(unit.code.path) if unit.code is not None and unit.code.path else None
        if folder is None and code is None:
            return None

        def wanted() -> Wanted | None:
            found = wanted_by(folder, code)
            return found if found is not None and self._builder.is_needed(found, mode) else None

        return await self._built(wanted, unit.runtime, mode, tell)

    async def python_of_bento(self, folder: Path, tell: Tell) -> Path:
        """The Python of a bento's environment. There is always one: BentoML is not installed here."""
        python = await self._built(lambda: bento_wants(folder, describe(folder)), BENTO, Mode.BUILD, tell)
        assert python is not None
        return python

    async def _built(self, find: Callable[[], Wanted | None], runtime: str, mode: Mode, tell: Tell) -> Path | None:
        loop = asyncio.get_running_loop()
        gave_up = threading.Event()

        def pass_on(line: str | None) -> None:
            loop.call_soon_threadsafe(tell, line)

        def work() -> Path | None:
            wanted = find()
            if wanted is None:
                return None
            lines = _Lines(_because(wanted), pass_on, gave_up)
            python = self._builder.build(wanted, runtime=runtime, mode=mode, say=lines.say, stop=gave_up.is_set)
            lines.end()
            return python

        try:
            return await asyncio.to_thread(work)
        finally:
            gave_up.set()


def _mode(revision: Revision, default: Mode) -> Mode:
    text = dict(revision.annotations).get(ANNOTATION, "").strip().lower()
    if not text:
        return default
    try:
        return Mode(text)
    except ValueError:
        accepted = ", ".join(Mode)
        raise BadRequirements(f"the annotation {ANNOTATION} is {text!r}; accepted: {accepted}") from None


def _because(wanted: Wanted) -> str:
    """Why there is something to build, in a line."""
    differing = "" if wanted.apart else "; ".join(unmet(wanted)) or "asked for by the manifest"
    ignored = f"; not followed: {', '.join(wanted.ignored)}" if wanted.ignored else ""
    return f"{wanted.source}: {differing}{ignored}" if not wanted.apart else f"{wanted.source}{ignored}"


def processes_of(units: tuple[Unit, ...], pythons: Mapping[str, Path]) -> tuple[str, frozenset[str]]:
    """The Python of the revision's own worker, and which units need a process beside it. Units whose environments
    differ cannot share a process; those that all have the same one, or none, do."""
    sharing = [unit for unit in units if not unit.is_external and unit.runtime not in _NO_PYTHON_OF_OURS]
    distinct = {str(pythons.get(unit.name, "")) for unit in sharing}
    if len(distinct) <= 1:
        return next(iter(distinct), ""), frozenset()
    return "", frozenset(unit.name for unit in sharing if unit.name in pythons)
