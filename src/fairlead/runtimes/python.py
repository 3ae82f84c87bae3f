"""Users' own classes and functions: found by the name a manifest or a command line gives, made once, loaded once.

What goes wrong here is nearly always in the user's file, so every failure names its line. Which convention a class
follows is `conventions`' to say, and requests are the business of the conventions' modules; nothing here runs after
`load` but the class's own `custom_service`.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import LoadError
from fairlead.plan.model import UserCode
from fairlead.runtimes import kserve_model, kserve_script, mlserver_model, plain, seldon_shim, stand_in
from fairlead.runtimes.answers import as_array
from fairlead.runtimes.base import LoadContext, Servable
from fairlead.runtimes.component import Component, class_names_of
from fairlead.runtimes.conventions import Convention, convention_of
from fairlead.runtimes.failures import is_not_implemented
from fairlead.runtimes.operations import Operation, own_method
from fairlead.runtimes.parameters import Scalar, as_arguments, parse_parameters
from fairlead.runtimes.row_wise import RowFunction
from fairlead.runtimes.user_code import failure_of, find_target, import_target

__all__ = ["load", "parse_parameters"]

_log = logging.getLogger(__name__)


def load(context: LoadContext) -> Servable:
    """Import what the unit names, make it with the unit's parameters, and load it by its own convention."""
    unit = context.unit
    seldon_shim.install()
    stand_in.install()
    # A nursery has imported numpy before the fork: without this every replica would draw the same numbers.
    np.random.seed()
    code = _settled(context)
    if (script := kserve_script.script_of(code)) is not None:
        return kserve_script.load(context, script)
    return _loaded(import_target(code, unit=unit.name), context)


def _loaded(found: Any, context: LoadContext) -> Servable:
    arguments = _arguments(context)
    if not isinstance(found, type):
        if not plain.is_factory(found, arguments):
            return plain.loaded(found, context, arguments)
        return _of_object(_construct(found, arguments, unit=context.unit.name), context)
    convention = convention_of(found)
    if convention is Convention.MLSERVER:
        return mlserver_model.loaded(found, context)
    if convention is Convention.KSERVE:
        arguments = kserve_model.arguments(found, context.unit.name, context.folder) | kserve_model.wanted(
            found, arguments
        )
    return _of_object(_construct(found, arguments, unit=context.unit.name), context)


def _of_object(target: Any, context: LoadContext) -> Servable:
    """A unit around an object that was made, by the convention of its class."""
    convention = convention_of(type(target))
    if convention is Convention.KSERVE:
        return kserve_model.loaded(target, context)
    unit = context.unit
    _call_load(target, unit=unit.name)
    if convention is Convention.PLAIN:
        return plain.loaded(target, context, {})
    _warn_of_ignored(target, unit=unit.name)
    component = Component(target, unit, env=context.env or None, rows=_rows_of(target, unit=unit.name))
    _start_custom_service(target, unit=unit.name)
    return component


def _settled(context: LoadContext) -> UserCode:
    """What to run: as the unit says, or as its folder does."""
    code, folder = context.unit.code, context.folder
    if code is None:
        found = None if folder is None else mlserver_model.code_of(folder)
        if found is None:
            raise LoadError(f"unit {context.unit.name}: no Python class is named for it")
        return found
    return (
        code
        if code.target
        else UserCode(target=find_target(Path(code.path or "."), context.env), path=code.path or ".")
    )


def _arguments(context: LoadContext) -> dict[str, Scalar]:
    """The constructor's arguments, with the mount the manifest believes in replaced by where the files are."""
    arguments = as_arguments(context.unit)
    artifact, folder = context.unit.artifact, context.folder
    if artifact is None or folder is None:
        return arguments
    mount = artifact.mount.rstrip("/")
    for name, value in arguments.items():
        if isinstance(value, str) and (value == mount or value.startswith(f"{mount}/")):
            arguments[name] = f"{folder}{value[len(mount) :]}"
    return arguments


def _construct(kind: Callable[..., object], arguments: dict[str, Scalar], *, unit: str) -> object:
    try:
        return kind(**arguments)
    except Exception as error:
        given = ", ".join(arguments) or "no parameters"
        name = getattr(kind, "__name__", type(kind).__name__)
        raise failure_of(error, f"unit {unit}: {name}({given}) failed") from error


def _call_load(target: object, *, unit: str) -> None:
    load_method = own_method(target, "load")
    if load_method is None:
        return
    try:
        load_method()
    except (NotImplementedError, AttributeError) as error:
        # The convention takes these for "there is no load()"; one from inside a real load() should not go unseen.
        _log.warning("unit %s: load() was skipped after %s", unit, type(error).__name__, exc_info=error)
    except Exception as error:
        if not is_not_implemented(error):
            raise failure_of(error, f"unit {unit}: load() failed") from error


def _warn_of_ignored(target: object, *, unit: str) -> None:
    if getattr(target, "model_error_handler", None) is not None:
        _log.warning("unit %s: model_error_handler is ignored; raise SeldonMicroserviceException instead", unit)


def _start_custom_service(target: object, *, unit: str) -> None:
    """Beside the model for as long as the process lives. A thread, so that it sees the loaded model."""
    service = own_method(target, "custom_service")
    if service is None:
        return

    def run() -> None:
        try:
            service()
        except Exception as error:
            if not is_not_implemented(error):
                _log.error("unit %s: custom_service() ended", unit, exc_info=error)

    threading.Thread(target=run, name=f"custom-service-{unit}", daemon=True).start()


def _rows_of(target: object, *, unit: str) -> RowFunction | None:
    """Row-wise prediction for a class that says `fairlead_rowwise = True` and reports nothing per request."""
    if getattr(target, "fairlead_rowwise", False) is not True:
        return None
    per_request = [name for name in ("tags", "metrics", "predict_raw", "predict_rest") if own_method(target, name)]
    if per_request or own_method(target, "predict") is None:
        _log.warning(
            "unit %s: fairlead_rowwise is ignored, because the class %s",
            unit,
            f"has {', '.join(per_request)}" if per_request else "has no predict",
        )
        return None
    predict = Operation(target, "predict")
    names = class_names_of(target)
    given = None if names is None else names()

    def answer(rows: np.ndarray[Any, Any]) -> Any:
        value = predict.call_with_meta(rows, [], None)
        return as_array(value) if isinstance(value, list) else value

    return RowFunction(answer, None if given is None else list(given))
