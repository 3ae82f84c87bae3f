"""What models say of the rows they take, so that an example request can be one that they accept."""

from typing import Any

import numpy as np

from fairlead.runtimes.base import Columns


def columns_of(model: Any) -> Columns | None:
    """The width a fitted model remembers: an estimator of scikit-learn's kind, or a booster of XGBoost's or LightGBM's.
    One that was fitted on something else than columns (text, say) remembers none."""
    width = getattr(model, "n_features_in_", None)
    if width is None:
        count = getattr(model, "num_features", None) or getattr(model, "num_feature", None)
        width = count() if callable(count) else None
    return Columns(count=int(width)) if isinstance(width, int | np.integer) and width > 0 else None
