"""PyTorch models on the CPU: TorchScript files, and weights with the Python class they belong to.

Neither file says what the model's tensors are, so inputs go by the names and the order of `forward`, or by what the
parameters `inputs` and `outputs` declare. A file that pickles a whole module is refused: it runs code of its own when
it is read, and only beside the very source it was made from.
"""

import inspect
import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, LoadError, UnitFailed
from fairlead.plan.model import UserCode
from fairlead.protocols.message import Asked
from fairlead.protocols.tensors import BYTES, Tensor, tensor
from fairlead.runtimes.artifact import find_file, listing, unreadable
from fairlead.runtimes.base import LoadContext, TensorSpec
from fairlead.runtimes.failures import BadParameter
from fairlead.runtimes.libraries import need
from fairlead.runtimes.model_archive import find_archive, unpacked
from fairlead.runtimes.model_settings import read_specs
from fairlead.runtimes.parameters import as_arguments, flag, threads_of
from fairlead.runtimes.tensor_checks import chosen, fitted
from fairlead.runtimes.tensor_unit import TensorUnit
from fairlead.runtimes.user_code import failure_of, import_target

_NAMES = ("model.pt", "model.pth", "model.safetensors")
_SUFFIXES = (".pt", ".pth", ".safetensors")
_CLASS_KEYS = ("model_class", "modelClassName", "model_class_name")
_DEFAULT_CLASS = "PyTorchModel"
_WEIGHT_KEYS = ("state_dict", "model_state_dict")
_INDEX_LAYERS = frozenset(("Embedding", "EmbeddingBag"))


def load(context: LoadContext) -> TensorUnit:
    """Load the model, which may be in an archive of TorchServe. Parameters: `model_class` (or `modelClassName`) for
    weights; `inputs` and `outputs`, JSON lists of name, datatype and shape; `row_wise` when the rows of several
    requests may share a call; `nthread`."""
    unit = context.unit
    need("torch", extra="pytorch")
    arguments = as_arguments(unit)
    found = find_archive(context.folder)
    archive = None if found is None else unpacked(found, context.workdir, unit=unit.name)
    if archive is not None:
        path, own_class = archive.path, archive.model_class
    else:
        path, own_class = find_file(context.folder, names=_NAMES, suffixes=_SUFFIXES, unit=unit.name), ""
    model = open_model(
        path,
        name=unit.name,
        threads=threads_of(context),
        inputs=_declared(arguments.get("inputs"), "inputs", unit.name),
        outputs=_declared(arguments.get("outputs"), "outputs", unit.name),
        model_class=next((str(arguments[key]) for key in _CLASS_KEYS if arguments.get(key)), own_class),
    )
    model.is_row_wise = flag(unit, "row_wise", default=False)
    if archive is None:
        return TensorUnit(model, unit, env=context.env)
    model.version = archive.version
    made = TensorUnit(model, unit, env=context.env)
    made.called = archive.name
    return made


def open_model(
    path: Path,
    *,
    name: str,
    threads: int = 1,
    inputs: Sequence[TensorSpec] = (),
    outputs: Sequence[TensorSpec] = (),
    model_class: str = "",
) -> "PyTorchModel":
    """The model in a file; `name` is what messages call it. Raises `LoadError`. The number of threads is the whole
    process's: the last model loaded says."""
    torch = need("torch", extra="pytorch")
    torch.set_num_threads(threads)
    module = _script(torch, path, unit=name) if _is_script(path) else _with_class(torch, path, model_class, unit=name)
    module.eval()
    return PyTorchModel(torch, module, name=name, inputs=tuple(inputs), outputs=tuple(outputs))


class PyTorchModel:
    """A module as a `TensorModel`. It declares no inputs unless it was told them: a file does not know their types."""

    platform = "pytorch"
    version = ""
    is_row_wise = False

    def __init__(
        self, torch: Any, module: Any, *, name: str, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
    ) -> None:
        self._torch = torch
        self._module = module
        self._name = name
        self.inputs = inputs
        self.outputs = outputs
        self._arguments, self._needed = _arguments_of(module)
        self._floats = _float_type(torch, module)
        self._takes_indices = any(_layer(part) in _INDEX_LAYERS for part in module.modules())

    def infer(self, tensors: list[Tensor], wanted: list[str], asked: Asked) -> list[Tensor]:
        """The outputs asked for, of one call of `forward`."""
        model = asked.model or self._name
        if self.outputs:
            chosen(wanted, [spec.name for spec in self.outputs], model=model)
        given = [self._given(one) for one in self._ordered(fitted(tensors, self.inputs))]
        try:
            with self._torch.inference_mode():
                answer = self._module(*given)
        except self._torch.OutOfMemoryError:
            raise
        except (RuntimeError, IndexError) as error:
            raise self._translated(error) from error
        named = dict(_named(answer, [spec.name for spec in self.outputs]))
        return [self._tensor(name, named[name]) for name in chosen(wanted, list(named), model=model)]

    def close(self) -> None:
        """The module ends with the process."""

    def _ordered(self, tensors: list[Tensor]) -> list[Tensor]:
        """The tensors in the order of `forward`'s arguments: as declared, by the arguments' names, or by numbered names
        (`input-0`, `INPUT__0`)."""
        names, needed = self._arguments, self._needed
        if self.inputs or names is None:
            return tensors
        if not needed <= len(tensors) <= len(names):
            wants = str(needed) if needed == len(names) else f"{needed} to {len(names)}"
            raise BadRequest(f"this model takes {wants} inputs ({', '.join(names)}), got {len(tensors)}")
        if len(tensors) == 1:
            return tensors
        places: dict[int, Tensor] = {}
        for one in tensors:
            place = names.index(one.name) if one.name in names else _number(one.name)
            if place is None or place >= len(names):
                raise BadRequest(f"unknown input {one.name!r}; this model takes {', '.join(map(repr, names))}")
            if place in places:
                raise BadRequest(f"input {one.name!r} is given twice")
            places[place] = one
        missing = [names[place] for place in range(len(tensors)) if place not in places]
        if missing:
            raise BadRequest(f"missing input {', '.join(map(repr, missing))}")
        return [places[place] for place in sorted(places)]

    def _given(self, one: Tensor) -> Any:
        if one.datatype == BYTES:
            raise BadRequest(f"input {one.name!r}: PyTorch models take numbers, got BYTES {list(one.array.shape)}")
        # A tensor shares the array's memory, and an array of a request may be a view of what nobody may write to.
        value = self._torch.from_numpy(np.require(one.array, requirements=("C", "W")))
        if self.inputs:
            return value
        # Undeclared: floats are what the weights are, and integers too unless the model looks something up by them.
        is_number = value.is_floating_point() or (not self._takes_indices and value.dtype != self._torch.bool)
        return value.to(self._floats) if is_number else value

    def _tensor(self, name: str, value: Any) -> Tensor:
        if not isinstance(value, self._torch.Tensor):
            return tensor(name, np.asarray(value))
        if value.dtype == self._torch.bfloat16:
            value = value.float()
        return tensor(name, value.cpu().numpy())

    def _translated(self, error: Exception) -> Exception:
        """TorchScript tells a whole traceback; what went wrong is its last line. Tensors that nobody declared are most
        likely wrong themselves."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        words = lines[-1] if "Traceback" in str(error) else lines[0]
        return UnitFailed(words) if self.inputs else BadRequest(words.removeprefix("RuntimeError: "))


def _is_script(path: Path) -> bool:
    """Whether a file is TorchScript: a zip archive with code in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _script(torch: Any, path: Path, *, unit: str) -> Any:
    try:
        with _quietly():
            return torch.jit.load(str(path), map_location="cpu")
    except Exception as error:
        raise unreadable(path, _first_line(error), what="a TorchScript model", unit=unit) from error


def _with_class(torch: Any, path: Path, model_class: str, *, unit: str) -> Any:
    """An instance of the class in the folder, with the weights of the file."""
    weights = _weights(torch, path, unit=unit)
    target = _target(path.parent, model_class, unit=unit)
    made = import_target(UserCode(target=target, path=str(path.parent)), unit=unit)
    try:
        module = made()
    except Exception as error:
        raise failure_of(error, f"unit {unit}: {target}() failed") from error
    if not isinstance(module, torch.nn.Module):
        raise LoadError(f"unit {unit}: {target} gives a {type(module).__name__}, not a torch.nn.Module")
    try:
        module.load_state_dict(weights)
    except Exception as error:
        words = " ".join(str(error).split())
        raise LoadError(f"unit {unit}: the weights of {path.name} do not fit {target}: {words}") from error
    return module


def _weights(torch: Any, path: Path, *, unit: str) -> Mapping[str, Any]:
    what = "TorchScript, or the weights (state_dict) of a PyTorch model"
    try:
        if path.suffix == ".safetensors":
            weights = need("safetensors.torch", extra="pytorch").load_file(str(path))
        else:
            with _quietly():
                weights = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:
        hint = ""
        if "Unsupported" in str(error) or "GLOBAL" in str(error):
            hint = "a whole pickled module is not accepted: save torch.jit.script(model), or model.state_dict()"
        raise unreadable(path, _first_line(error), what=what, unit=unit, hint=hint) from error
    if isinstance(weights, Mapping):
        weights = next((weights[key] for key in _WEIGHT_KEYS if isinstance(weights.get(key), Mapping)), weights)
    if not isinstance(weights, Mapping) or not all(isinstance(key, str) for key in weights):
        raise LoadError(f"unit {unit}: {path.name} holds a {type(weights).__name__}; expected {what}")
    return weights


def _target(folder: Path, model_class: str, *, unit: str) -> str:
    """`module.Class` for the class of that name in the only Python file; the default is KServe's."""
    if "." in model_class:
        return model_class
    files = sorted(folder.glob("*.py"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or listing(folder)
        raise LoadError(
            f"unit {unit}: weights need the class they belong to: put one Python file beside them, or set the "
            f"parameter model_class to module.Class; found {found}"
        )
    return f"{files[0].stem}.{model_class or _DEFAULT_CLASS}"


def _declared(value: object, key: str, unit: str) -> tuple[TensorSpec, ...]:
    """Inputs or outputs from a parameter's JSON."""
    if not value:
        return ()
    try:
        entries = json.loads(str(value))
    except ValueError as error:
        raise BadParameter(f"unit {unit}: parameter {key} is not JSON: {error}") from error
    return read_specs(entries, f"unit {unit}: parameter {key}")


def _arguments_of(module: Any) -> tuple[list[str] | None, int]:
    """The names of `forward`'s arguments that may be tensors and how many it needs; `None` when it takes any number."""
    schema = getattr(module.forward, "schema", None)
    if schema is not None:
        arguments = [one for one in schema.arguments if one.name != "self" and "Tensor" in str(one.type)]
        return [one.name for one in arguments], sum(not one.has_default_value() for one in arguments)
    parameters = list(inspect.signature(module.forward).parameters.values())
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return None, 0
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return [one.name for one in positional], sum(one.default is one.empty for one in positional)


def _float_type(torch: Any, module: Any) -> Any:
    """The type of the weights, which is what floats must have; that of plain tensors for a model without any."""
    types = (weight.dtype for weight in module.parameters() if weight.is_floating_point())
    return next(types, torch.get_default_dtype())


def _layer(part: Any) -> str:
    return str(getattr(part, "original_name", type(part).__name__))


def _number(name: str) -> int | None:
    """The place in a numbered name."""
    digits = name.rpartition("__")[2] if "__" in name else name.rpartition("-")[2]
    return int(digits) if digits.isdigit() and digits.isascii() else None


def _named(answer: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The parts of an answer with their names: a dict's keys, a named tuple's fields, else by place."""
    if isinstance(answer, Mapping):
        yield from ((str(key), value) for key, value in answer.items() if value is not None)
        return
    parts = list(answer) if isinstance(answer, tuple | list) else [answer]
    fields = getattr(answer, "_fields", ()) if not names else ()
    for index, part in enumerate(parts):
        if part is not None:
            yield names[index] if index < len(names) else fields[index] if fields else f"output-{index}", part


def _first_line(error: Exception) -> Exception:
    """The same words without the pages that some of the library's messages go on for."""
    return type(error)(str(error).strip().splitlines()[0]) if str(error).strip() else error


@contextmanager
def _quietly() -> Iterator[None]:
    """Files of an older way to save models are no news to whoever serves them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
