"""TensorFlow models: SavedModel folders as TensorFlow Serving lays them out, and Keras files.

Of the folders with a number for a name the highest is served, as there; a folder with `saved_model.pb` in it is a model
without a version. A request may choose a signature; inputs and outputs go by the names the signature gives them.
What examples of `classify` and `regress` mean on the wire is the business of whoever speaks TensorFlow's protocol.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, LoadError, UnitFailed
from fairlead.plan.model import Protocol
from fairlead.protocols.message import Asked
from fairlead.protocols.tensors import BYTES, Tensor, tensor
from fairlead.runtimes.artifact import find_file, listing, unreadable
from fairlead.runtimes.base import LoadContext, Signature, TensorSpec
from fairlead.runtimes.libraries import need
from fairlead.runtimes.parameters import as_arguments, flag, threads_of
from fairlead.runtimes.tensor_checks import chosen, fitted
from fairlead.runtimes.tensor_unit import TensorUnit
from fairlead.runtimes.tensorflow_proxy import TensorflowProxy

DEFAULT_SIGNATURE = "serving_default"
_PREDICT = "tensorflow/serving/predict"
_SAVED = ("saved_model.pb", "saved_model.pbtxt")
_KERAS_NAMES = ("model.keras", "model.h5")
_KERAS_SUFFIXES = (".keras", ".h5")
_DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "bfloat16": "FP32",
    "float32": "FP32",
    "float64": "FP64",
    "string": BYTES,
}
_CALLERS_FAULT = frozenset(("InvalidArgumentError", "OutOfRangeError", "FailedPreconditionError"))


def load(context: LoadContext) -> TensorUnit:
    """Load the model. `signature_name` is the signature of requests that name none; `row_wise` says that the rows of
    several requests may share a call; `nthread` how many threads one call may use."""
    unit = context.unit
    need("tensorflow", extra="tensorflow")
    if context.folder is None:
        raise LoadError(f"unit {unit.name}: no model to load: modelUri is not set; {_EXPECTED}")
    model = open_model(
        context.folder,
        name=unit.name,
        threads=threads_of(context),
        signature=str(as_arguments(unit).get("signature_name") or DEFAULT_SIGNATURE),
    )
    model.is_row_wise = flag(unit, "row_wise", default=False)
    kind = TensorflowProxy if context.protocol is Protocol.SELDON else TensorUnit
    return kind(model, unit, env=context.env)


_EXPECTED = (
    "its folder should hold saved_model.pb, folders named by version numbers with that file (1/saved_model.pb), or a "
    "single *.keras or *.h5"
)


def open_model(folder: Path, *, name: str, threads: int = 1, signature: str = DEFAULT_SIGNATURE) -> "TensorFlowModel":
    """The model in a folder; `name` is what messages call it. Raises `LoadError`."""
    library = need("tensorflow", extra="tensorflow")
    logging.getLogger("absl").setLevel(logging.ERROR)
    _limit_threads(library, threads)
    version, place = newest_version(folder)
    if any((place / file).is_file() for file in _SAVED):
        loaded, functions = _saved_model(library, place, unit=name)
    elif version:
        raise LoadError(f"unit {name}: version {version} holds {listing(place)}; expected {_SAVED[0]}")
    else:
        loaded, functions = _keras_model(library, place, unit=name)
    if signature not in functions:
        if signature != DEFAULT_SIGNATURE or not functions:
            offered = ", ".join(functions) or "none"
            raise LoadError(f"unit {name}: the model has no signature {signature!r}; it has: {offered}")
        signature = next(iter(functions))  # a model saved with names of its own
    return TensorFlowModel(library, loaded, functions, name=name, version=version, default=signature)


def newest_version(folder: Path) -> tuple[str, Path]:
    """The highest version's number and folder; the folder itself, without a number, when it has none."""
    versions = [path for path in folder.iterdir() if path.is_dir() and path.name.isdigit() and path.name.isascii()]
    if not versions or any((folder / file).is_file() for file in _SAVED):
        return "", folder
    newest = max(versions, key=lambda path: int(path.name))
    return str(int(newest.name)), newest


class _Function:
    """One signature: what it takes and gives, and the function itself."""

    def __init__(self, call: Any, signature: Signature, types: Mapping[str, Any]) -> None:
        self.call = call
        self.signature = signature
        self.types = types


class TensorFlowModel:
    """A loaded model as a `TensorModel`. Its `inputs` and `outputs` are those of the default signature."""

    platform = "tensorflow_savedmodel"
    is_row_wise = False

    def __init__(
        self, library: Any, loaded: Any, functions: Mapping[str, _Function], *, name: str, version: str, default: str
    ) -> None:
        self._library = library
        self._loaded = loaded  # its variables live as long as it does
        self._functions = functions
        self._name = name
        self._default = default
        self.version = version
        self.inputs = functions[default].signature.inputs
        self.outputs = functions[default].signature.outputs

    def signatures(self) -> Mapping[str, Signature]:
        """Every function of the model by name."""
        return {name: function.signature for name, function in self._functions.items()}

    def infer(self, tensors: list[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]:
        """The outputs asked for, of the signature asked for."""
        function = self._functions.get(asked.signature or self._default)
        if function is None:
            offered = ", ".join(self._functions)
            raise BadRequest(f"this model has no signature {asked.signature!r}; it has: {offered}")
        signature = function.signature
        names = chosen(wanted, [spec.name for spec in signature.outputs], model=asked.model or self._name)
        given = {
            spec.name: self._given(one, function.types[spec.name])
            for spec, one in zip(signature.inputs, self._fitted(tensors, signature.inputs), strict=True)
        }
        try:
            answers = function.call(**given)
        except Exception as error:
            raise _translated(error) from error
        return [_tensor(name, answers[name]) for name in names]

    def close(self) -> None:
        """The model ends with the process."""

    def _fitted(self, tensors: list[Tensor], specs: Sequence[TensorSpec]) -> list[Tensor]:
        if not specs and tensors:
            raise BadRequest(f"this signature takes no inputs, got {', '.join(repr(one.name) for one in tensors)}")
        return fitted(tensors, specs)

    def _given(self, one: Tensor, dtype: Any) -> Any:
        return self._library.constant(one.array, dtype=dtype)


def _limit_threads(library: Any, threads: int) -> None:
    """Once for the process: TensorFlow refuses when it has computed something already."""
    try:
        library.config.threading.set_intra_op_parallelism_threads(threads)
        library.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        logging.getLogger(__name__).debug("the number of threads is settled already")


def _saved_model(library: Any, folder: Path, *, unit: str) -> tuple[Any, dict[str, _Function]]:
    file = next(folder / name for name in _SAVED if (folder / name).is_file())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = library.saved_model.load(str(folder))
        methods = _methods(file)
    except Exception as error:
        raise unreadable(file, _first_line(error), what="a SavedModel", unit=unit) from error
    functions = {
        name: _function(call, methods.get(name, _PREDICT), unit=unit) for name, call in loaded.signatures.items()
    }
    return loaded, functions


def _methods(file: Path) -> dict[str, str]:
    """What the file says each signature is for, which a loaded function does not."""
    if file.suffix != ".pb":
        return {}
    saved = need("tensorflow.core.protobuf.saved_model_pb2", extra="tensorflow").SavedModel()
    saved.ParseFromString(file.read_bytes())
    return {name: one.method_name for graph in saved.meta_graphs for name, one in graph.signature_def.items()}


def _keras_model(library: Any, folder: Path, *, unit: str) -> tuple[Any, dict[str, _Function]]:
    """A Keras model as a model of one signature."""
    try:
        path = find_file(folder, names=_KERAS_NAMES, suffixes=_KERAS_SUFFIXES, unit=unit)
    except LoadError as error:
        raise LoadError(f"unit {unit}: no TensorFlow model: found {listing(folder)}; {_EXPECTED}") from error
    try:
        model = library.keras.models.load_model(path, compile=False)
    except Exception as error:
        raise unreadable(path, _first_line(error), what="a Keras model", unit=unit) from error
    inputs = [library.TensorSpec(one.shape, one.dtype, name=_plain(one.name)) for one in model.inputs]
    names = list(getattr(model, "output_names", None) or [f"output_{index}" for index in range(len(model.outputs))])

    def call(**given: Any) -> dict[str, Any]:
        listed = [given[spec.name] for spec in inputs]
        answer = model(listed if len(listed) > 1 else listed[0], training=False)
        parts = list(answer.values()) if isinstance(answer, dict) else answer
        return dict(zip(names, parts if isinstance(parts, list | tuple) else [parts], strict=True))

    traced = library.function(call).get_concrete_function(**{spec.name: spec for spec in inputs})
    return model, {DEFAULT_SIGNATURE: _function(traced, _PREDICT, unit=unit)}


def _plain(name: str) -> str:
    """A tensor's name as an argument's: Keras' may have a path in it."""
    return name.partition(":")[0].rpartition("/")[2].replace(".", "_").replace("-", "_")


def _function(call: Any, method: str, *, unit: str) -> _Function:
    _, given = call.structured_input_signature
    types = {name: spec.dtype for name, spec in given.items()}
    signature = Signature(
        inputs=tuple(_spec(name, spec, unit) for name, spec in sorted(given.items())),
        outputs=tuple(_spec(name, spec, unit) for name, spec in sorted(call.structured_outputs.items())),
        method=method,
    )
    return _Function(call, signature, types)


def _spec(name: str, spec: Any, unit: str) -> TensorSpec:
    datatype = _DATATYPES.get(spec.dtype.name)
    if datatype is None:
        raise LoadError(
            f"unit {unit}: tensor {name!r} is {spec.dtype.name}, which cannot be served; known: {', '.join(_DATATYPES)}"
        )
    sizes = [] if spec.shape.rank is None else spec.shape.as_list()
    return TensorSpec(name=name, datatype=datatype, shape=tuple(-1 if size is None else size for size in sizes))


def _tensor(name: str, value: Any) -> Tensor:
    """An output as a tensor. Strings come as `bytes`; bfloat16, which no datatype names, as FP32."""
    array = value.numpy()
    return tensor(name, array.astype(np.float32) if value.dtype.name == "bfloat16" else np.asarray(array))


def _translated(error: Exception) -> Exception:
    """What the graph itself refuses is the caller's: sizes that must agree, a value out of a range."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Graph execution", "Detected at", "<stack", "[[{{"))]
    words = said[0] if said else type(error).__name__
    return BadRequest(words) if type(error).__name__ in _CALLERS_FAULT else UnitFailed(words)


def _first_line(error: Exception) -> Exception:
    text = str(error).strip()
    return ValueError(text.splitlines()[0]) if text else error
