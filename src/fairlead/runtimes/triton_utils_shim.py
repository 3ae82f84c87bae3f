"""`triton_python_backend_utils`, which model.py files of Triton's Python back-end import: the types they are asked with
and answer with. Triton gives it to its own processes alone, so there is no package to install."""

import json
import logging
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from fairlead.protocols.tensors import BYTES, DTYPES

TRITON_STRING_TO_NUMPY = {
    ("TYPE_STRING" if name == BYTES else f"TYPE_{name}"): dtype.type for name, dtype in DTYPES.items()
}
_NAMES = {np.dtype(dtype): name for name, dtype in TRITON_STRING_TO_NUMPY.items()}

ASK: ContextVar[Callable[["InferenceRequest"], "InferenceResponse"]] = ContextVar("ask")
"""How a request of a model's own reaches another model of its repository; set while a model executes."""


class TritonModelException(Exception):
    """Raised by a model."""


class TritonError:
    """What went wrong with one request."""

    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG, UNAVAILABLE, UNSUPPORTED, ALREADY_EXISTS, CANCELLED = range(8)

    def __init__(self, message: str = "", code: int = 1) -> None:
        self._message = message
        self._code = code

    def message(self) -> str:
        """The words."""
        return self._message

    def code(self) -> int:
        """The kind."""
        return self._code


class Tensor:
    """A named array."""

    def __init__(self, name: str, numpy_array: Any) -> None:
        self._name = name
        self._array = np.asarray(numpy_array)

    def name(self) -> str:
        """Its name."""
        return self._name

    def as_numpy(self) -> Any:
        """Its values; BYTES are an array of `bytes` objects."""
        return self._array

    def triton_dtype(self) -> str:
        """Its type, in the configuration's words."""
        return _NAMES.get(self._array.dtype, "TYPE_STRING")

    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self._array.shape

    def is_cpu(self) -> bool:
        """Whether it is in ordinary memory: always, here."""
        return True


class InferenceRequest:
    """A request for one model; of a client, or of another model that then calls `exec`."""

    def __init__(
        self,
        request_id: str = "",
        correlation_id: int | str = 0,
        requested_output_names: Sequence[str] = (),
        model_name: str = "",
        model_version: int = -1,
        inputs: Sequence[Tensor] = (),
        parameters: dict[str, Any] | str | None = None,
        **_: Any,
    ) -> None:
        self._id = request_id
        self._correlation_id = correlation_id
        self._wanted = list(requested_output_names)
        self._model = model_name
        self._version = model_version
        self._inputs = list(inputs)
        self._parameters = parameters if isinstance(parameters, str) else json.dumps(parameters or {})

    def inputs(self) -> list[Tensor]:
        """Its tensors."""
        return self._inputs

    def request_id(self) -> str:
        """Its id, empty for none."""
        return self._id

    def correlation_id(self) -> int | str:
        """Its sequence: 0, as there are none here."""
        return self._correlation_id

    def requested_output_names(self) -> list[str]:
        """The outputs it asks for."""
        return self._wanted

    def model_name(self) -> str:
        """The model it is for."""
        return self._model

    def model_version(self) -> int:
        """The version it is for; -1 for the newest."""
        return self._version

    def parameters(self) -> str:
        """Its parameters as JSON."""
        return self._parameters

    def is_cancelled(self) -> bool:
        """Whether nobody waits any more: never, here."""
        return False

    def exec(self, decoupled: bool = False) -> "InferenceResponse":
        """Ask another model of the repository."""
        if decoupled:
            raise TritonModelException("decoupled requests are not served here")
        return ASK.get()(self)

    async def async_exec(self, decoupled: bool = False) -> "InferenceResponse":
        """Ask another model of the repository."""
        return self.exec(decoupled)


class InferenceResponse:
    """The answer to one request: tensors, or an error."""

    def __init__(self, output_tensors: Sequence[Tensor] = (), error: TritonError | None = None, **_: Any) -> None:
        self._outputs = list(output_tensors)
        self._error = error

    def output_tensors(self) -> list[Tensor]:
        """Its tensors."""
        return self._outputs

    def has_error(self) -> bool:
        """Whether it is an error."""
        return self._error is not None

    def error(self) -> TritonError | None:
        """The error."""
        return self._error


class ModelConfig:
    """What `auto_complete_config` may add to a configuration that says little."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._said = said

    def as_dict(self) -> dict[str, Any]:
        """The configuration so far."""
        return self._said

    def add_input(self, properties: dict[str, Any]) -> None:
        """Declare an input."""
        self._said.setdefault("input", []).append(properties)

    def add_output(self, properties: dict[str, Any]) -> None:
        """Declare an output."""
        self._said.setdefault("output", []).append(properties)

    def set_max_batch_size(self, size: int) -> None:
        """Say how many rows a call may have."""
        self._said["max_batch_size"] = size

    def set_dynamic_batching(self) -> None:
        """Say that requests may share a call."""
        self._said["dynamic_batching"] = {}


class Logger:
    """Triton's log, which is the worker's."""

    _log = logging.getLogger("triton")

    @classmethod
    def log_info(cls, message: str) -> None:
        """A line."""
        cls._log.info("%s", message)

    @classmethod
    def log_warn(cls, message: str) -> None:
        """A warning."""
        cls._log.warning("%s", message)

    @classmethod
    def log_error(cls, message: str) -> None:
        """An error."""
        cls._log.error("%s", message)

    @classmethod
    def log_verbose(cls, message: str) -> None:
        """Something for who looks closely."""
        cls._log.debug("%s", message)


def get_input_tensor_by_name(inference_request: InferenceRequest, name: str) -> Tensor | None:
    """The input of that name."""
    return next((one for one in inference_request.inputs() if one.name() == name), None)


def get_output_tensor_by_name(inference_response: InferenceResponse, name: str) -> Tensor | None:
    """The output of that name."""
    return next((one for one in inference_response.output_tensors() if one.name() == name), None)


def get_input_config_by_name(model_config: dict[str, Any], name: str) -> dict[str, Any] | None:
    """What the configuration says of an input."""
    return _named(model_config.get("input", ()), name)


def get_output_config_by_name(model_config: dict[str, Any], name: str) -> dict[str, Any] | None:
    """What the configuration says of an output."""
    return _named(model_config.get("output", ()), name)


def triton_string_to_numpy(triton_type_string: str) -> Any:
    """numpy's type for a type of the configuration."""
    return TRITON_STRING_TO_NUMPY.get(triton_type_string)


def using_decoupled_model_transaction_policy(model_config: dict[str, Any]) -> bool:
    """Whether a model answers when it likes."""
    return bool(model_config.get("model_transaction_policy", {}).get("decoupled", False))


def _named(entries: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((one for one in entries if one.get("name") == name), None)
