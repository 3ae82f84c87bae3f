"""KServe files that are programs: `if __name__ == "__main__"` makes models and starts a `ModelServer` with them.

Such a file is run as the program it is, with the unit's parameters as its flags. Its server is not started; the models
it was given are served by the worker.
"""

import ast
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from fairlead.errors import LoadError
from fairlead.plan.model import UserCode
from fairlead.runtimes.base import LoadContext, Servable
from fairlead.runtimes.kserve_model import loaded
from fairlead.runtimes.parameters import as_arguments
from fairlead.runtimes.repository import HeldUnits, RepositoryUnit
from fairlead.runtimes.user_code import failure_of


def script_of(code: UserCode) -> Path | None:
    """The file a target names, when it is such a program and has no class or function of the target's name."""
    path = Path(code.path or ".") / f"{code.target.replace('.', '/')}.py"
    if not path.is_file():
        return None
    source = path.read_text(encoding="utf-8", errors="replace")
    if "ModelServer" not in source or "__main__" not in source:
        return None
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None  # the import says where
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    defined = {node.name for node in tree.body if isinstance(node, kinds)}
    return None if path.stem in defined else path


def load(context: LoadContext, script: Path) -> Servable:
    """Run the file and serve its models. The unit answers as the one that has its name, else as the first; several
    are its repository."""
    unit = context.unit
    models = _started(script, _flags(context, script), unit=unit.name)
    if not models:
        raise LoadError(f"unit {unit.name}: {script.name} started no ModelServer, or one without models")
    units = {name: loaded(model, context) for name, model in models.items()}
    chosen = units.get(str(unit.name)) or next(iter(units.values()))
    if len(units) > 1:
        held: dict[str, Servable] = dict(units)
        makers = {name: _Again(model, context) for name, model in models.items()}
        return RepositoryUnit(chosen, HeldUnits(makers, held))
    return chosen


class _Again:
    """Makes a unit of a model that was let go."""

    def __init__(self, model: Any, context: LoadContext) -> None:
        self._model = model
        self._context = context

    def __call__(self) -> Servable:
        return loaded(self._model, self._context)


def _flags(context: LoadContext, script: Path) -> list[str]:
    """The program's arguments: the unit's parameters, its name, and its folder when the program has a flag for it."""
    given = {name: str(value) for name, value in as_arguments(context.unit).items()}
    given.setdefault("model_name", str(context.unit.name))
    if context.folder is not None and "--model_dir" in script.read_text(encoding="utf-8", errors="replace"):
        given.setdefault("model_dir", str(context.folder))
    return [f"--{name}={value}" for name, value in given.items()]


def _started(script: Path, flags: list[str], *, unit: str) -> dict[str, Any]:
    """The models by name that the file's server was started with."""
    models: dict[str, Any] = {}

    def start(self: Any, given: Any = ()) -> None:
        for model in given.values() if isinstance(given, dict) else given:
            self.register_model(model)
        models.update(self.registered_models.get_models())

    with _as_program(script, flags) as module:
        server = importlib.import_module("kserve").ModelServer  # which reads the flags as soon as it is imported
        original = server.start
        server.start = start
        try:
            _run(script, module, unit=unit)
        finally:
            server.start = original
    return models


def _run(script: Path, module: ModuleType, *, unit: str) -> None:
    try:
        code = compile(script.read_text(encoding="utf-8"), str(script), "exec")
        exec(code, vars(module))  # noqa: S102 - running it is what it is there for
    except SystemExit as stop:
        if stop.code not in (None, 0):
            raise LoadError(f"unit {unit}: {script.name} ended with status {stop.code}") from stop
    except Exception as error:
        raise failure_of(error, f"unit {unit}: {script.name} failed") from error


@contextmanager
def _as_program(script: Path, flags: list[str]) -> Iterator[ModuleType]:
    """A module that is `__main__`, with its folder in front of the path and these arguments."""
    module = ModuleType("__main__")
    module.__file__ = str(script)
    main, argv = sys.modules["__main__"], sys.argv
    sys.modules["__main__"], sys.argv = module, [str(script), *flags]
    sys.path.insert(0, str(script.parent.resolve()))
    try:
        yield module
    finally:
        sys.modules["__main__"], sys.argv = main, argv
