"""What the supervisor and its nurseries say to each other, and what both must know.

Apart from `nursery`, because that one imports the data plane with numpy, which the supervisor and control do without.
"""

import struct

import msgspec

from fairlead.dataplane.spec import WorkerSpec

BASE_RUNTIME = "python"
"""The family for units whose libraries nobody knows beforehand: numpy and the data plane."""

_THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
ONE_THREAD = dict.fromkeys(_THREAD_SETTINGS, "1")
"""Numeric libraries start a thread per core when they are loaded, in every replica; and a nursery must have none."""

LENGTH = struct.Struct(">I")
"""Stands before each message, which is JSON."""


class ForkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is born with. Its channel and its output come as descriptors, in this order."""

    spec: WorkerSpec
    env: dict[str, str] = {}
    cwd: str = ""


class Forked(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the worker's pid, or why there is none."""

    pid: int = 0
    error: str = ""
