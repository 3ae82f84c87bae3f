"""Triton's Python back-end: a `model.py` with `TritonPythonModel`, asked through `execute`."""

import importlib.util
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairlead.errors import BadRequest, FairleadError, LoadError, NotFound, Overloaded, UnitFailed
from fairlead.protocols.message import Asked
from fairlead.protocols.tensors import Tensor, tensor
from fairlead.runtimes import stand_in
from fairlead.runtimes import triton_utils_shim as utils
from fairlead.runtimes.base import TensorModel, TensorSpec
from fairlead.runtimes.loop_thread import LoopThread
from fairlead.runtimes.triton.config import ModelConfig
from fairlead.runtimes.user_code import failure_of

Find = Callable[[str, str], TensorModel]

_FACES: dict[int, type[FairleadError]] = {
    utils.TritonError.INVALID_ARG: BadRequest,
    utils.TritonError.UNSUPPORTED: BadRequest,
    utils.TritonError.NOT_FOUND: NotFound,
    utils.TritonError.UNAVAILABLE: Overloaded,
}


def open_model(path: Path, config: ModelConfig, version: str, find: Find, *, repository: Path) -> "PythonModel":
    """Import the file, make its model and initialize it. `find` gives other models of the repository."""
    if config.said.get("model_transaction_policy", {}).get("decoupled"):
        raise LoadError(f"model {config.name}: decoupled models, which answer several times, are not served here")
    kind = _class_in(path, config.name, version)
    loop = LoopThread(f"triton-{config.name}")
    said = _completed(kind, dict(config.said), config.name)
    arguments = {
        "model_config": json.dumps(said),
        "model_instance_kind": "CPU",
        "model_instance_name": f"{config.name}_0",
        "model_instance_device_id": "0",
        "model_repository": str(repository / config.name),
        "model_version": version,
        "model_name": config.name,
    }
    try:
        model = kind()
        if hasattr(model, "initialize"):
            loop.settled(model.initialize(arguments))
    except Exception as error:
        loop.close()
        raise failure_of(error, f"model {config.name}: initialize() failed") from error
    return PythonModel(model, config, find, loop)


class PythonModel:
    """A `TensorModel` around a `TritonPythonModel`."""

    platform = "python"
    is_row_wise = False
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, model: Any, config: ModelConfig, find: Find, loop: LoopThread) -> None:
        self._model = model
        self._config = config
        self._find = find
        self._loop = loop

    def infer(self, tensors: list[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]:
        """One request, one response."""
        request = utils.InferenceRequest(
            request_id=asked.id,
            model_name=self._config.name,
            requested_output_names=wanted or [port.spec.name for port in self._config.outputs],
            inputs=[utils.Tensor(one.name, one.array) for one in tensors],
            parameters=asked.parameters,
        )
        token = utils.ASK.set(self._ask)
        try:
            responses = self._loop.settled(self._model.execute([request]))
        except FairleadError:
            raise
        except Exception as error:
            raise UnitFailed(f"{type(error).__name__}: {error}") from error
        finally:
            utils.ASK.reset(token)
        if not isinstance(responses, list) or len(responses) != 1 or responses[0] is None:
            raise UnitFailed(f"execute() of model {self._config.name} must return a list with one InferenceResponse")
        return _tensors(responses[0])

    def close(self) -> None:
        """Tell the model."""
        finalize = getattr(self._model, "finalize", None)
        if finalize is not None:
            self._loop.settled(finalize())
        self._loop.close()

    def _ask(self, request: utils.InferenceRequest) -> utils.InferenceResponse:
        """A request that the model makes itself."""
        version = str(request.model_version()) if request.model_version() > 0 else ""
        given = [tensor(one.name(), one.as_numpy()) for one in request.inputs()]
        try:
            answer = self._find(request.model_name(), version).infer(given, request.requested_output_names(), Asked())
        except FairleadError as error:
            return utils.InferenceResponse(error=utils.TritonError(str(error)))
        return utils.InferenceResponse([utils.Tensor(one.name, one.array) for one in answer])


def _tensors(response: utils.InferenceResponse) -> list[Tensor]:
    error = response.error()
    if error is not None:
        raise _FACES.get(error.code(), UnitFailed)(error.message())
    return [tensor(one.name(), one.as_numpy()) for one in response.output_tensors()]


def _completed(kind: type, said: dict[str, Any], name: str) -> dict[str, Any]:
    """The configuration with what the model adds to one that names no tensors."""
    complete = getattr(kind, "auto_complete_config", None)
    if complete is None or said.get("input"):
        return said
    try:
        complete(utils.ModelConfig(said))
    except Exception as error:
        raise failure_of(error, f"model {name}: auto_complete_config() failed") from error
    return said


def _class_in(path: Path, name: str, version: str) -> type:
    """`TritonPythonModel` of the file, imported under a name of its own: every model's file is called model.py."""
    stand_in.install()
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(f"triton_model_{name}_{version}", path)
    assert spec is not None  # the file is there and its name ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise failure_of(error, f"model {name}: cannot import {path.name}") from error
    kind = getattr(module, "TritonPythonModel", None)
    if not inspect.isclass(kind):
        raise LoadError(f"model {name}: {path.name} has no class TritonPythonModel")
    return kind
