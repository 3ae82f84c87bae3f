"""Finding and importing a user's class, and saying which line of it failed."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from fairlead.errors import LoadError
from fairlead.plan.model import UserCode

_OURS = str(Path(__file__).parent.parent)


def import_target(code: UserCode, *, unit: str) -> type:
    """The class that `Mod` (class of the same name) or `pkg.mod.Class` names, or the function of `pkg.mod:function`."""
    target = code.target.replace(":", ".", 1)
    module_name, _, class_name = target.rpartition(".")
    module_name = module_name or class_name
    if not all(part.isidentifier() for part in target.split(".")):
        raise LoadError(f"unit {unit}: {code.target!r} is no class name; expected Module or package.module.Class")
    if code.path:
        _put_on_path(code.path, module_name, unit=unit)
    try:
        with without_arguments():
            module = importlib.import_module(module_name)
    except Exception as error:
        raise failure_of(error, f"unit {unit}: cannot import {module_name}{_from(code.path)}") from error
    return _class_in(module, class_name, unit=unit)


@contextmanager
def without_arguments() -> Iterator[None]:
    """For imports of modules that read their program's arguments, as KServe's package does: ours are none of theirs."""
    argv = sys.argv
    sys.argv = argv[:1]
    try:
        yield
    finally:
        sys.argv = argv


def _from(path: str) -> str:
    return f" from {path}" if path else ""


def _put_on_path(path: str, module_name: str, *, unit: str) -> None:
    """Make a folder the first place that is searched, and forget a module of this name that another folder gave:
    units of one worker may each have a `Model.py`."""
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise LoadError(f"unit {unit}: the path of its class, {path}, is not a folder")
    entry = str(folder)
    if entry in sys.path:
        sys.path.remove(entry)
    sys.path.insert(0, entry)
    importlib.invalidate_caches()
    top = module_name.split(".")[0]
    known = sys.modules.get(top)
    if known is not None and _offers(folder, top) and not _is_from(known, folder):
        if not any(_is_users(place) for place in _places_of(known)):
            taken = f"unit {unit}: the name of its module, {top}, is taken by an installed or built-in module"
            raise LoadError(f"{taken}; give it another name")
        for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
            del sys.modules[name]


def _offers(folder: Path, top: str) -> bool:
    return (folder / f"{top}.py").exists() or (folder / top).is_dir()


def _is_from(module: ModuleType, folder: Path) -> bool:
    return any(Path(place).resolve().is_relative_to(folder) for place in _places_of(module))


def _places_of(module: ModuleType) -> list[str]:
    """Its file and, of a package, its folders; nothing for a module that is built in."""
    return [place for place in (getattr(module, "__file__", None), *getattr(module, "__path__", ())) if place]


def _class_in(module: ModuleType, name: str, *, unit: str) -> type:
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]  # a function serves as well as a class
    classes = [
        key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    offered = f"it has {', '.join(sorted(classes))}" if classes else "it has no class"
    raise LoadError(f"unit {unit}: module {module.__name__} has no class {name}; {offered}")


def find_target(folder: Path, env: Mapping[str, str]) -> str:
    """The class a folder is meant to run: MODEL_NAME of the environment or of `.s2i/environment`, else the only
    module that has the name of a class in it."""
    named = env.get("MODEL_NAME") or _environment_file(folder / ".s2i" / "environment").get("MODEL_NAME")
    if named:
        return named
    modules = sorted(path for path in folder.glob("*.py") if f"class {path.stem}" in path.read_text(errors="replace"))
    if len(modules) == 1:
        return modules[0].stem
    found = ", ".join(path.stem for path in modules) or "none"
    raise LoadError(
        f"{folder}: which class to run? Set MODEL_NAME (also read from .s2i/environment) or name it; "
        f"modules with a class of their own name: {found}"
    )


def _environment_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.strip().partition("=") for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def failure_of(error: Exception, what: str) -> LoadError:
    """A `LoadError` that ends like the traceback does and names the user's line."""
    line = traceback.format_exception_only(error)[-1].strip()
    place = _place_of(error)
    return LoadError(f"{what}: {line}{f' ({place})' if place else ''}")


def _place_of(error: Exception) -> str:
    """`file:line` of the innermost frame that is neither ours nor an installed library's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _is_users(filename: str) -> bool:
    libraries = ("<frozen", "site-packages", "dist-packages", f"lib/python{sys.version_info[0]}.")
    return not filename.startswith(_OURS) and not any(part in filename for part in libraries)
