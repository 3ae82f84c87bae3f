"""Model libraries, imported when something is loaded and never before.

A worker pays only for the library its units need, and a missing one is an answer with an install command rather
than a traceback.
"""

import importlib
import warnings
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from fairlead.errors import MissingExtra


def need(module: str, *, extra: str) -> ModuleType:
    """Import a library, or raise `MissingExtra`. An error inside an installed library stays what it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a library says of itself when imported is nothing a user can act on
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtra(library=module, extra=extra) from error


def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, `None` when it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
