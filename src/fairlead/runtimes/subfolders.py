"""A folder of folders with a model in each: what KServe's servers serve when there is no model in their folder itself.

Each model goes by its folder's name and can be unloaded and loaded again. All are loaded at the start, and one that
cannot be stops the unit, as a single model would.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from fairlead.plan.model import UnitName
from fairlead.runtimes.base import KSERVE, LoadContext, Servable
from fairlead.runtimes.repository import HeldUnits, RepositoryUnit

_RUNTIMES = frozenset(("sklearn", "xgboost", "lightgbm"))


def has_several(context: LoadContext) -> bool:
    """Whether the unit stands for such a server and its folder holds nothing but folders."""
    unit, folder = context.unit, context.folder
    if unit.variant != KSERVE or unit.runtime not in _RUNTIMES or folder is None:
        return False
    shown = _shown(folder)
    return bool(shown) and all(path.is_dir() for path in shown)


def load(context: LoadContext, one: Callable[[LoadContext], Servable]) -> RepositoryUnit:
    """All of them; `one` loads a single model. The unit itself answers as the first."""
    assert context.folder is not None  # `has_several` was asked
    makers = {
        path.name: partial(one, replace(context, folder=path, unit=replace(context.unit, name=UnitName(path.name))))
        for path in _shown(context.folder)
    }
    loaded = {name: make() for name, make in makers.items()}
    return RepositoryUnit(next(iter(loaded.values())), HeldUnits(makers, loaded))


def _shown(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
