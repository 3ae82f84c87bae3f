"""`decode_args`: a `predict` whose arguments are a request's inputs by name, decoded as their type hints say."""

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

from fairlead.runtimes.mlserver_shim.codecs.base import InputCodec
from fairlead.runtimes.mlserver_shim.codecs.choosing import INPUT_CODECS, input_codec_for
from fairlead.runtimes.mlserver_shim.codecs.requests import PandasCodec
from fairlead.runtimes.mlserver_shim.types import InferenceRequest, InferenceResponse, ResponseOutput


def decode_args(predict: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a `predict(self, name: kind, …)`: it gets values and gives one value or a tuple of them; clients see
    `InferenceRequest` and `InferenceResponse`."""
    hints = typing.get_type_hints(predict)
    hints.pop("return", None)
    codecs = {name: _codec_of(name, hint) for name, hint in hints.items()}

    def arguments(request: InferenceRequest) -> dict[str, Any]:
        given = {one.name: one for one in request.inputs}
        known = {name: codec for name, codec in codecs.items() if name in given}
        if not known and len(codecs) == 1 and len(given) == 1:  # one argument, one input: names do not matter
            (name, codec), one = next(iter(codecs.items())), request.inputs[0]
            return {name: codec.decode_input(one)}
        return {name: codec.decode_input(given[name]) for name, codec in known.items()}

    if inspect.iscoroutinefunction(predict):

        @functools.wraps(predict)
        async def predict_later(self: Any, request: InferenceRequest) -> InferenceResponse:
            return _response(self, request, await predict(self, **arguments(request)))

        return predict_later

    @functools.wraps(predict)
    def predict_now(self: Any, request: InferenceRequest) -> InferenceResponse:
        return _response(self, request, predict(self, **arguments(request)))

    return predict_now


def _codec_of(name: str, hint: Any) -> type[InputCodec]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is np.ndarray:
        hint = np.ndarray
    elif origin is list and len(inner) == 1:
        hint = list[inner[0]]  # type: ignore[valid-type]  # a value: List[str] and list[str] are not equal
    found = next((codec for codec in INPUT_CODECS if codec.TypeHint == hint), None)
    if found is None:
        kinds = ", ".join(str(codec.TypeHint) for codec in INPUT_CODECS)
        raise TypeError(f"decode_args: the argument {name} has the type hint {hint}; known: {kinds}")
    return found


def _response(model: Any, request: InferenceRequest, value: Any) -> InferenceResponse:
    if isinstance(value, InferenceResponse):
        return value
    values = value if isinstance(value, tuple) else (value,)
    outputs: list[ResponseOutput] = []
    for one in values:
        outputs += _outputs(len(outputs), one)
    return InferenceResponse(model_name=model.name, model_version=model.version, id=request.id, outputs=outputs)


def _outputs(index: int, value: Any) -> list[ResponseOutput]:
    if PandasCodec.can_encode(value):
        return PandasCodec.encode_outputs(value)
    codec = input_codec_for(value)
    if codec is None:
        raise TypeError(f"decode_args: predict returned a value of the type {type(value).__name__}")
    return [codec.encode_output(f"output-{index}", value)]
