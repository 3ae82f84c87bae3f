"""Whether the tensors of a request are what a model takes, and the only casts that are made for them.

Every format's module asks here before its library sees anything, so that a wrong request is one sentence with the
tensor's name, what was wanted and what came, whatever the library would have said. JSON has one kind of number, so
numbers change their datatype where nothing but precision is lost: a float never becomes an integer by losing its
fraction, and a value that does not fit is refused rather than wrapped around.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from fairlead.errors import BadRequest
from fairlead.protocols.tensors import BYTES, DTYPES, Array, Tensor
from fairlead.runtimes.base import TensorSpec


def fitted(tensors: Sequence[Tensor], specs: Sequence[TensorSpec]) -> list[Tensor]:
    """The tensors a model takes, in the order of its inputs, each of its datatype; what they are when `specs` is empty.
    A lone tensor of a model of one input may have any name. Raises `BadRequest`."""
    if not specs:
        return list(tensors)
    if len(specs) == 1 and len(tensors) == 1:
        return [_fitting(tensors[0], specs[0])]
    given: dict[str, Tensor] = {}
    for one in tensors:
        if one.name in given:
            raise BadRequest(f"input {one.name!r} is given twice")
        given[one.name] = one
    known = {spec.name for spec in specs}
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise BadRequest(f"unknown input {unknown!r}; this model takes {described(specs)}")
    missing = [spec for spec in specs if spec.name not in given]
    if missing:
        raise BadRequest(f"missing input {described(missing)}; this model takes {described(specs)}")
    return [_fitting(given[spec.name], spec) for spec in specs]


def cast(one: Tensor, spec: TensorSpec) -> Tensor:
    """The tensor in the input's datatype, whatever its shape. Raises `BadRequest` when that would change a value."""
    if one.datatype == spec.datatype:
        return one
    if BYTES in (one.datatype, spec.datatype):
        raise _refused(one, spec)
    array = _converted(one.array, DTYPES[spec.datatype])
    if array is None:
        raise _refused(one, spec, f": its values are not all {spec.datatype}")
    return Tensor(spec.name, array, spec.datatype, one.parameters)


def chosen(wanted: Iterable[str], known: Sequence[str], *, model: str) -> list[str]:
    """The outputs to answer with: those wanted, or all of them. Raises `BadRequest` for one that there is not."""
    names = list(wanted) or list(known)
    for name in names:
        if name not in known:
            raise BadRequest(f"Unexpected inference output '{name}' for model '{model}'")
    return names


def described(specs: Iterable[TensorSpec]) -> str:
    """Inputs or outputs as a message shows them: `'x' (FP32 [-1, 4])`."""
    return ", ".join(f"{spec.name!r} ({_kind(spec)})" for spec in specs)


def texts(one: Tensor) -> Array:
    """An array of `str` of BYTES, for libraries that have text where the protocol has bytes. Raises `BadRequest` when
    they are not UTF-8."""
    decoded = np.empty(one.array.shape, dtype=np.object_)
    flat = decoded.reshape(-1)
    for index, value in enumerate(one.array.reshape(-1).tolist()):
        try:
            flat[index] = value.decode() if isinstance(value, bytes) else str(value)
        except UnicodeDecodeError as error:
            raise BadRequest(f"input {one.name!r}: element {index} is not UTF-8 text") from error
    return decoded


def _fitting(one: Tensor, spec: TensorSpec) -> Tensor:
    shape = one.array.shape
    # A spec without dimensions is of a model that does not tell its rank, or wants a scalar: the library knows which.
    if spec.shape and (
        len(shape) != len(spec.shape) or any(want not in (-1, got) for want, got in zip(spec.shape, shape, strict=True))
    ):
        raise _refused(one, spec)
    return cast(one, spec)


def _converted(array: Array, dtype: np.dtype[np.generic]) -> Array | None:
    """The array in another numeric type, `None` when a value would change by more than its precision."""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(dtype)
    if dtype.kind == "f":
        overflows = array.dtype.kind == "f" and bool((np.isinf(converted) & ~np.isinf(array)).any())
        overflows = overflows or (array.dtype.kind in "iu" and bool(np.isinf(converted).any()))
        return None if overflows else converted
    if array.size == 0 or array.dtype.kind == "b":
        return converted
    lowest, highest = array.min(), array.max()
    if array.dtype.kind == "f" and not (np.isfinite(lowest) and np.isfinite(highest)):
        return None
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)  # type: ignore[type-var]  # the kind is checked
    # As Python's numbers, which compare integers and floats exactly.
    if lowest.item() < least or highest.item() > most or bool((converted != array).any()):
        return None
    return converted


def _refused(one: Tensor, spec: TensorSpec, why: str = "") -> BadRequest:
    shape = list(one.array.shape)
    return BadRequest(f"input {spec.name!r}: expected {_kind(spec)}, got {one.datatype} {shape}{why}")


def _kind(spec: TensorSpec) -> str:
    return f"{spec.datatype} {list(spec.shape)}" if spec.shape else spec.datatype
