"""XGBoost boosters from `model.bst`, JSON or UBJSON files, answering as Seldon's server does: `Booster.predict`."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import LoadError
from fairlead.runtimes.artifact import find_file, unreadable
from fairlead.runtimes.base import LoadContext
from fairlead.runtimes.columns import columns_of
from fairlead.runtimes.component import Component
from fairlead.runtimes.failures import translated
from fairlead.runtimes.libraries import need
from fairlead.runtimes.metadata import read_metadata
from fairlead.runtimes.row_wise import RowFunction

_NAMES = ("model.bst", "model.json", "model.ubj")
_SUFFIXES = (".bst", ".ubj")


def load(context: LoadContext) -> Component:
    """Load the booster."""
    unit = context.unit
    library = need("xgboost", extra="xgboost")
    path = find_file(context.folder, names=_NAMES, suffixes=_SUFFIXES, unit=unit.name)
    booster = _read(path, library, unit=unit.name)
    server = _Server(library, booster, path.parent)
    rows = RowFunction(server.predict)
    return Component(server, unit, env=context.env or None, rows=rows, columns=columns_of(booster))


class _Server:
    """A booster by the component convention."""

    def __init__(self, library: Any, booster: Any, folder: Path) -> None:
        self._matrix = library.DMatrix
        self._booster = booster
        self._folder = folder
        self._columns = booster.num_features()
        self._in_place = _kind_of(booster) == "gbtree"

    def init_metadata(self) -> dict[str, Any]:
        """`metadata.yaml` beside the model."""
        return read_metadata(self._folder)

    def predict(self, rows: Any, _names: Any = None) -> Any:
        """What the booster says of each row: [n] or [n, classes], as its objective has it."""
        try:
            if self._in_place and self._is_plain(rows):
                return self._booster.inplace_predict(rows)
            return self._booster.predict(self._matrix(rows))
        except Exception as error:
            raise translated(_without_stack(error)) from error

    def _is_plain(self, rows: Any) -> bool:
        """Whether predicting in place is certain to give the same bytes. It is for trees on finite numbers (dart sums
        in another order, gblinear cannot, `inf` is refused only by a matrix), and saves a third to three quarters of
        the time (190 to 130 us for one row on a quiet core; tests/runtimes/test_xgboost.py holds the equality)."""
        return (
            isinstance(rows, np.ndarray)
            and rows.ndim == 2
            and rows.shape[1] == self._columns
            and rows.dtype.kind in "iuf"
            and not np.isinf(rows).any()
        )


def _kind_of(booster: Any) -> str:
    config = json.loads(booster.save_config())
    return str(config["learner"]["gradient_booster"]["name"])


def _read(path: Path, library: Any, *, unit: str) -> Any:
    """The booster in a file, handed over in memory: given a path, XGBoost 3.2 crashes on some truncated files."""
    content = path.read_bytes()
    if content and not content.lstrip().startswith((b"{", b"<", b"version")):
        raise LoadError(
            f"unit {unit}: {path.name} is not XGBoost's JSON or UBJSON; if it is the old binary format (before 1.6, "
            f"removed in 3.1; {library.__version__} is installed), load it with xgboost<3.1 and save it as model.json"
        )
    booster = library.Booster()
    try:
        if not content.startswith(b"{"):
            raise ValueError("not a JSON or UBJSON object")
        booster.load_model(bytearray(content))
    except Exception as error:
        hint = f"XGBoost {library.__version__} is installed"
        raise unreadable(path, _without_stack(error), what="an XGBoost model", unit=unit, hint=hint) from error
    return booster


# "[13:45:01] /workspace/src/learner.cc:1289: Check failed: … Stack trace: …"
_NOISE = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: (.*?)\s*(?:Stack trace:.*)?", re.DOTALL)


def _without_stack(error: Exception) -> Exception:
    """The same error without the place in XGBoost's own source and its stack, which differ from call to call."""
    found = _NOISE.fullmatch(str(error))
    return error if found is None else type(error)(found.group(1))
