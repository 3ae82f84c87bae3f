"""A model that a sidecar shows: it comes while the server starts, and there is nothing to load before it is there."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fairlead.errors import ConfigError

_log = logging.getLogger(__name__)

MODE, ASYNC = "MODEL_INIT_MODE", "async"
"""KServe's word to a server whose model is in an image that runs beside it."""
_TIMEOUT_S = 300.0
_STEP_S = 0.2


def await_model(
    folder: Path,
    environ: Mapping[str, str],
    *,
    timeout_s: float = _TIMEOUT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the folder has something in it, at once where nobody brings it meanwhile. Raises `ConfigError`."""
    if environ.get(MODE) != ASYNC:
        return
    waited = 0.0
    while not _has_files(folder):
        if waited >= timeout_s:
            raise ConfigError(f"{folder}: no model has come in {timeout_s:g} s; see the container modelcar of this pod")
        if not waited:
            _log.info("waiting for the model in %s", folder)
        sleep(_STEP_S)
        waited += _STEP_S


def _has_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        # The link is there before the process that it leads to, and after it.
        return False
