"""The names that user classes import from `seldon_core`, when that package is not installed.

Classes written for Seldon's Python wrapper import a base class, an exception and a few functions. Those are here,
so such a class runs without the wrapper and its dependencies. An installed `seldon_core` always wins. What is not
here says so when it is imported.
"""

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from fairlead.runtimes.seldon_shim import flask_utils, metrics, prediction_pb2, proto, storage, user_model

_SUBMODULES = {
    "user_model": user_model,
    "flask_utils": flask_utils,
    "metrics": metrics,
    "storage": storage,
    "proto": proto,
    "proto.prediction_pb2": prediction_pb2,
}


class _ClearRefusal(MetaPathFinder):
    """Says what is missing instead of "no module named"."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname.startswith("seldon_core.") and is_installed():
            known = ", ".join(f"seldon_core.{name}" for name in _SUBMODULES)
            raise ModuleNotFoundError(
                f"{fullname} is not part of the built-in stand-in for seldon_core (it has {known}); "
                "install the seldon-core package to use it",
                name=fullname,
            )
        return None


def is_installed() -> bool:
    """Whether the stand-in is what `import seldon_core` gives."""
    return getattr(sys.modules.get("seldon_core"), "__stand_in__", False)


def install() -> None:
    """Make the names importable, unless the real package is there. Calling it again changes nothing."""
    if "seldon_core" in sys.modules or importlib.util.find_spec("seldon_core") is not None:
        return
    package = ModuleType("seldon_core", "Stand-in for the Python wrapper's package.")
    package.__path__ = []
    own = {name: module for name, module in _SUBMODULES.items() if "." not in name}
    vars(package).update(__stand_in__=True, Storage=storage.Storage, **own)
    sys.modules["seldon_core"] = package
    for name, module in _SUBMODULES.items():
        sys.modules[f"seldon_core.{name}"] = module
    sys.meta_path.append(_ClearRefusal())
