"""Datatypes of the Open Inference Protocol and numpy's, by the SDK's function names."""

from typing import Any

import numpy as np

from fairlead.protocols.tensors import BYTES, DTYPES

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def to_np_dtype(dtype: str) -> Any:
    """numpy's dtype for a datatype; `None` for an unknown one."""
    return DTYPES.get(dtype)


def from_np_dtype(np_dtype: Any) -> str | None:
    """The datatype for numpy's dtype; `None` for one that has none."""
    dtype = np.dtype(np_dtype)
    return BYTES if dtype.kind in "OSU" else _NAMES.get(dtype)
