"""The methods of a user's object: which one answers an operation, and how it wants to be called.

By Seldon's convention an operation X is tried as `X_rest` (for gRPC `X_grpc`; both deprecated), `X_raw` and X, and a
method that says "not implemented" counts as absent. Everything that can be found out about a method is found out once,
when the unit is loaded.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from fairlead.runtimes.failures import is_not_implemented

ABSENT: Any = object()
"""What a call gives when no method answered it."""

Function = Callable[..., Any]


def own_method(target: object, name: str) -> Function | None:
    """A method that the user wrote: not there, or merely inherited from SeldonComponent, is `None`."""
    function: Function | None = getattr(target, name, None)
    if not callable(function):
        return None
    is_of_instance = name in getattr(target, "__dict__", ())
    return function if is_of_instance or not _is_default(type(target), name) else None


def _is_default(kind: type, name: str) -> bool:
    definer = next((base for base in kind.__mro__ if name in vars(base)), None)
    return definer is not None and is_component_base(definer)


def is_component_base(kind: type) -> bool:
    """Whether this is `SeldonComponent` itself, ours or that of an installed `seldon_core`."""
    return kind.__name__ == "SeldonComponent" and "seldon" in kind.__module__


class Operation:
    """One operation of one object."""

    __slots__ = ("_plain", "_protos", "_raws", "exists", "has_raw", "name", "takes_meta")

    def __init__(self, target: object, name: str) -> None:
        self.name = name
        self._raws = _methods(target, name, ("_rest", "_raw"))
        self._protos = _methods(target, name, ("_grpc", "_raw"))
        self._plain = own_method(target, name)
        self.takes_meta = self._plain is not None and _takes_keyword(self._plain, "meta")
        # Whether a method wants the whole message, as JSON or as protobuf.
        self.has_raw = bool(self._raws or self._protos)
        self.exists = self.has_raw or self._plain is not None

    def call_raw(self, message: dict[str, Any]) -> Any:
        """The first answer of the methods that take the whole message."""
        return first_answer(self._raws, message)

    def call_proto(self, message: Any) -> Any:
        """The same for a message that came over gRPC."""
        return first_answer(self._protos, message)

    def call(self, *arguments: Any, **keywords: Any) -> Any:
        """The plain method with these arguments, or `ABSENT`."""
        if self._plain is None:
            return ABSENT
        try:
            return self._plain(*arguments, **keywords)
        except Exception as error:
            if not is_not_implemented(error):
                raise
            return ABSENT

    def call_with_meta(self, features: Any, names: Any, meta: dict[str, Any] | None) -> Any:
        """The plain method, with `meta` if it `takes_meta`, or `ABSENT`."""
        plain = self._plain
        if plain is None:
            return ABSENT
        try:
            return plain(features, names, meta=meta) if self.takes_meta else plain(features, names)
        except TypeError as error:
            if not self.takes_meta or "unexpected keyword argument 'meta'" not in str(error):
                raise
            # A decorator took **kwargs on behalf of a function without `meta`: no signature could tell.
            self.takes_meta = False
            return plain(features, names)
        except Exception as error:
            if is_not_implemented(error):
                return ABSENT
            raise


def _methods(target: object, name: str, suffixes: tuple[str, ...]) -> list[Function]:
    found = (own_method(target, name + suffix) for suffix in suffixes)
    return [method for method in found if method is not None]


def first_answer(functions: Iterable[Function], *arguments: Any, **keywords: Any) -> Any:
    """What the first function that is implemented gives, or `ABSENT`."""
    for function in functions:
        try:
            return function(*arguments, **keywords)
        except Exception as error:
            if not is_not_implemented(error):
                raise
    return ABSENT


def _takes_keyword(function: Function, name: str) -> bool:
    """Whether a call with this keyword binds. Inspected rather than tried, so that a TypeError from inside the
    function is never mistaken for a wrong signature and the function never runs twice."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return True
    wanted = parameters.get(name)
    return wanted is not None and wanted.kind is not wanted.POSITIONAL_ONLY and wanted.kind is not wanted.VAR_POSITIONAL
