"""Packages that users' files import, for when they are not installed.

A class written for KServe or MLServer imports a base class and a few functions; the packages that have them bring web
servers and Kubernetes clients. A stand-in is a package of ours under the name the file imports, loaded when it is first
asked for. An installed package always wins. What a stand-in lacks says so when it is imported.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_MARK = "__stand_in__"
_PACKAGES = {
    "kserve": "fairlead.runtimes.kserve_shim",
    "kserve_storage": "fairlead.runtimes.kserve_shim.storage",
    "mlserver": "fairlead.runtimes.mlserver_shim",
    "triton_python_backend_utils": "fairlead.runtimes.triton_utils_shim",
}


def install() -> None:
    """Make the stand-ins importable. Calling it again changes nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # In front, because the path finder would load our files a second time as the package's own submodules.
        sys.meta_path.insert(0, _Finder())


def is_stand_in(name: str) -> bool:
    """Whether `import name` gave the stand-in rather than the real package."""
    return hasattr(sys.modules.get(name), _MARK)


class _Finder(MetaPathFinder):
    """Gives our module for a name of a package that is not installed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        top, _, rest = fullname.partition(".")
        ours = _PACKAGES.get(top)
        if ours is None:
            return None
        if not rest:
            return None if PathFinder.find_spec(top) is not None else self._spec(fullname, ours)
        if not is_stand_in(top):
            return None
        if importlib.util.find_spec(f"{ours}.{rest}") is None:
            raise ModuleNotFoundError(
                f"{fullname} is not part of the built-in stand-in for {top}; install the {top} package to use it",
                name=fullname,
            )
        return self._spec(fullname, f"{ours}.{rest}")

    def _spec(self, fullname: str, ours: str) -> ModuleSpec:
        found = importlib.util.find_spec(ours)
        is_package = found is not None and found.submodule_search_locations is not None
        return ModuleSpec(fullname, _Alias(ours), is_package=is_package)


class _Alias(Loader):
    """Loads a module of ours under another name: one module, so that its classes are the same under both."""

    def __init__(self, ours: str) -> None:
        self._ours = ours
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002 - the protocol's signature
        """The module under its own name."""
        module = importlib.import_module(self._ours)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It ran when it was imported; give it back its own spec."""
        module.__spec__ = self._spec
        setattr(module, _MARK, True)
