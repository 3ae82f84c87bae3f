"""LightGBM boosters from the text files that `save_model` writes, answering what `Booster.predict` gives."""

import logging
import re
from pathlib import Path
from typing import Any

from fairlead.runtimes.artifact import unreadable
from fairlead.runtimes.base import LoadContext
from fairlead.runtimes.columns import columns_of
from fairlead.runtimes.compiled import compiled
from fairlead.runtimes.estimator import Estimator, EstimatorUnit, TableServer, answer_spec, is_seldon, locate, told
from fairlead.runtimes.failures import translated
from fairlead.runtimes.libraries import need
from fairlead.runtimes.parameters import threads_of

_log = logging.getLogger(__name__)

_NAMES = ("model.bst", "model.txt")
_SUFFIXES = (".bst", ".txt")
_ENDING = "end of trees"
_SIZES = re.compile(r"^tree_sizes=.*\n", re.MULTILINE)


def load(context: LoadContext) -> EstimatorUnit:
    """Load the booster. `nthread` says how many threads one call may use."""
    unit = context.unit
    library = need("lightgbm", extra="lightgbm")
    path, settings = locate(context, names=_NAMES, suffixes=_SUFFIXES)
    booster = _read(path, library, unit=unit.name)
    threads = threads_of(context)

    def predict(rows: Any) -> Any:
        return booster.predict(rows, num_threads=threads)

    names = tuple(booster.feature_name())
    width = booster.num_feature()
    answers = compiled(context, booster, {"predict": predict}, "predict", width=width, order=("treelite",))
    estimator = Estimator(
        answers=answers,
        default="predict",
        title="LightGBMModel",
        offered=("predict",),
        platform="lightgbm",
        columns=columns_of(booster),
        is_row_wise=True,
        features=() if names == tuple(f"Column_{index}" for index in range(len(names))) else names,
        outputs={"predict": answer_spec(booster.num_model_per_iteration(), "FP64")},
    )
    translate = translated if is_seldon(context) else told
    return EstimatorUnit(TableServer(answers["predict"], path.parent, translate), estimator, context, settings)


def _read(path: Path, library: Any, *, unit: str) -> Any:
    """The booster in a file, handed over as text without its table of tree sizes: with it, LightGBM 4.7 reads trees on
    several threads and a damaged one ends the process (without it, it raises)."""
    library.register_logger(_log)  # it would print what is wrong with a file
    try:
        content = path.read_text(encoding="utf-8")
        if not content.startswith("tree"):
            raise ValueError("the file does not start with 'tree'")
        if _ENDING not in content:
            raise ValueError(f"the file does not have the line {_ENDING!r}")
        return library.Booster(model_str=_SIZES.sub("", content, count=1))
    except Exception as error:
        raise unreadable(path, error, what="a LightGBM model saved as text", unit=unit) from error
