"""Loading a worker's units: each with its own environment around it, and one sentence when it fails."""

import importlib
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import fairlead
from fairlead.dataplane.spec import Failed, Loading, Placement, WorkerSpec
from fairlead.errors import FairleadError
from fairlead.plan.model import Protocol, Unit
from fairlead.runtimes.base import LoadContext, Servable

Load = Callable[[LoadContext], Servable]
Say = Callable[[Loading | Failed], None]


_OURS = (str(Path(fairlead.__file__).parent), "<frozen importlib", str(importlib.__file__))


class NotLoaded(Exception):
    """A unit did not load. `failed` says which and why."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


def load_units(spec: WorkerSpec, load: Load, say: Callable[[Loading], None]) -> dict[str, Servable]:
    """Load every unit whose code runs here, in the order of the revision. Raises `NotLoaded` for the first that
    does not load, after letting go of the ones before it."""
    placements = {placement.unit: placement for placement in spec.placements}
    here = [unit for unit in spec.revision.units if not is_elsewhere(unit, placements.get(unit.name))]
    loaded: dict[str, Servable] = {}
    for unit in here:
        say(Loading(unit=unit.name))
        placement = placements.get(unit.name) or Placement(unit=unit.name)
        try:
            loaded[unit.name] = _load(unit, placement, spec, load, keeps_env=len(here) == 1)
        # Whatever user code or a model library raises must become a sentence, `sys.exit` included.
        except (Exception, SystemExit) as error:
            for servable in loaded.values():
                servable.close()
            raise NotLoaded(_failure(unit, error, spec.memory_limit_bytes)) from error
    return loaded


def is_elsewhere(unit: Unit, placement: Placement | None) -> bool:
    """Whether the unit is reached by an address."""
    return bool(placement is not None and placement.address) or bool(unit.is_external and not unit.isolate)


def _load(unit: Unit, placement: Placement, spec: WorkerSpec, load: Load, *, keeps_env: bool) -> Servable:
    context = LoadContext(
        unit=unit,
        folder=Path(placement.folder) if placement.folder else None,
        env=placement.env,
        workdir=Path(spec.workdir) if spec.workdir else None,
        kept=Path(placement.kept) if placement.kept else None,
        protocol=_spoken_by(unit, spec),
        inside=spec.inside.path if spec.inside is not None else "",
        threads=spec.threads,
    )
    if keeps_env:
        # The only unit of its process may read its environment at any time, as in a container of its own.
        os.environ.update(placement.env)
        return load(context)
    with _environment(placement.env):
        return load(context)


def _spoken_by(unit: Unit, spec: WorkerSpec) -> Protocol:
    """What a unit is loaded for. In a graph of services each speaks its own protocol."""
    if spec.revision.protocol is not Protocol.RAW:
        return spec.revision.protocol
    from fairlead.dataplane.fusing import spoken_by

    return spoken_by(unit)


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _traceback_of(error: BaseException) -> str:
    """Where the code that was loaded failed. Our own way there says nothing to its author, so it is left out."""
    shown = error.__cause__ if isinstance(error, FairleadError) and error.__cause__ is not None else error
    frame = shown.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OURS):
        frame = frame.tb_next
    return "".join(traceback.format_exception(shown.with_traceback(frame or shown.__traceback__)))


def _failure(unit: Unit, error: BaseException, limit_bytes: int | None) -> Failed:
    # What we raise ourselves says it all in its message; a traceback of ours would only hide it.
    is_ours = isinstance(error, FairleadError) and error.__cause__ is None
    detail = "" if is_ours else _traceback_of(error)
    if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
        limit = f" of {limit_bytes} bytes" if limit_bytes is not None else ""
        message = f"unit {unit.name!r} needs more memory than its limit{limit}"
        return Failed(unit=unit.name, reason="OutOfMemory", message=message, detail=detail)
    if isinstance(error, FairleadError):
        return Failed(unit=unit.name, reason=error.reason, message=str(error), detail=detail)
    last = traceback.format_exception_only(error)[-1].strip()
    return Failed(unit=unit.name, reason="LoadError", message=f"unit {unit.name!r} did not load: {last}", detail=detail)
