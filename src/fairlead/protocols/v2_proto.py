"""The Open Inference Protocol (V2) over gRPC: `ModelInferRequest` and `ModelInferResponse`.

Values come typed (a repeated field per kind) or raw (the bytes of the binary extension); a request with raw contents is
answered with raw contents, and so is one whose answer holds FP16, which has no typed field. Fields 1 to 5 of a request
and an answer have the same numbers, so an answer becomes the next unit's request by a change of the tags alone.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.plan.model import Protocol
from fairlead.protocols import protos
from fairlead.protocols.message import Asked, Form, Message, Meta, Output, Payload
from fairlead.protocols.protobuf_fields import BYTES as BYTES_KIND
from fairlead.protocols.protobuf_fields import double, entry, nested, packed, tag, text, top_level, varint
from fairlead.protocols.tensor_messages import read_numbers
from fairlead.protocols.tensors import BYTES, DEFAULT_INPUT, DEFAULT_OUTPUT, DTYPES, Array, Tensor, as_tensors
from fairlead.protocols.v2_binary import read_raw, write_raw
from fairlead.protocols.v2_data import checked_datatype, checked_shape
from fairlead.protocols.v2_json import decode_contents, encoded_contents, wanted_tensors
from fairlead.protocols.wire import Body

REQUEST, ANSWER = "inference.ModelInferRequest", "inference.ModelInferResponse"
GRPC = b"application/grpc"
_RAW_INPUTS, _RAW_OUTPUTS = b"\x3a", b"\x32"
_RAW_INPUT_NUMBER, _RAW_OUTPUT_NUMBER = 7, 6
_NOTHING = Asked()
_LARGE_BYTES = 32 * 1024
"""From this size on raw contents are cut out before protobuf reads the rest, which would copy them twice."""

_FIELDS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
_NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            "bool_contents", "int_contents", "int64_contents", "uint_contents", "uint64_contents", "fp32_contents",
            "fp64_contents", "bytes_contents",
        ),
        start=1,
    )
}  # fmt: skip
_WIDE = {
    name: np.dtype(dtype)
    for name, dtype in (
        ("bool_contents", "?"), ("int_contents", "<i4"), ("int64_contents", "<i8"), ("uint_contents", "<u4"),
        ("uint64_contents", "<u8"), ("fp32_contents", "<f4"), ("fp64_contents", "<f8"),
    )
}  # fmt: skip


class V2Proto:
    """Messages of `inference.GRPCInferenceService/ModelInfer`."""

    name = Protocol.V2
    is_grpc = True
    is_symmetric = False

    def read_request(self, body: Body) -> Message:
        """What a client asks."""
        return read_request(body.data)

    def read_answer(self, body: Body) -> Message:
        """What a unit answered. Its parameters are tags of the message, and those of the request it may become."""
        rest, raw = _without_raw(body.data, _RAW_OUTPUT_NUMBER)
        proto = protos.parse(ANSWER, rest)
        raw = raw or list(proto.raw_output_contents)
        tensors = _tensors(proto.outputs, raw, "output", proto.model_name)
        parameters = _read_parameters(proto.parameters)
        decode_contents(tensors, parameters)
        asked = Asked(id=proto.id, parameters=parameters, is_binary=bool(raw))
        return Message(Payload(Form.TENSORS, tensors), Meta(tags=dict(parameters)), asked=asked)

    def write_request(self, message: Message) -> Body:
        """A message for a unit: raw when the client's was, or when typed fields could not hold it."""
        asked = message.asked or _NOTHING
        tensors = as_tensors(message.payload, name=DEFAULT_INPUT)
        parts = [_identity(asked), _write_parameters(b"\x22", asked.parameters)]
        raw = _write_tensors(parts, tensors, is_raw=asked.is_binary, start=_RAW_INPUTS, before_raw=_outputs(asked))
        return Body(b"".join([*parts, *raw]), GRPC)

    def write_answer(self, message: Message, asked: Asked | None) -> Body:
        """The answer to a client. `asked.model`, `asked.version` and `asked.id` are put into it."""
        asked = asked or _NOTHING
        try:
            tensors = as_tensors(message.payload, name=DEFAULT_OUTPUT)
        except BadRequest as error:  # what the unit gave is not the client's mistake
            raise UnitFailed(str(error)) from error
        parts = [_identity(asked), _write_parameters(b"\x22", message.meta.tags)]
        wanted = wanted_tensors(tensors, asked) if asked.outputs else tensors
        raw = _write_tensors(parts, wanted, is_raw=asked.is_binary, start=_RAW_OUTPUTS)
        return Body(b"".join([*parts, *raw]), GRPC)

    def failure(self, error: FairleadError) -> tuple[int, bytes]:
        """Errors have no body over gRPC."""
        return error.http, b""


def read_request(data: bytes) -> Message:
    """What a client asks; raises `BadRequest`."""
    rest, raw = _without_raw(data, _RAW_INPUT_NUMBER)
    proto = protos.parse(REQUEST, rest)
    raw = raw or list(proto.raw_input_contents)
    asked = Asked(
        model=proto.model_name,
        version=proto.model_version,
        id=proto.id,
        parameters=_read_parameters(proto.parameters) if proto.parameters else {},
        outputs=[Output(one.name, _read_parameters(one.parameters)) for one in proto.outputs] if proto.outputs else [],
        is_binary=bool(raw),
    )
    tensors = _tensors(proto.inputs, raw, "input", asked.model)
    decode_contents(tensors, asked.parameters)
    return Message(Payload(Form.TENSORS, tensors), asked=asked)


def read_rows(request: Any) -> tuple[Array, bool] | None:
    """The rows of a request that asks for nothing but one table of numbers, and whether they came raw; `None` for any
    other. Raises `BadRequest`."""
    inputs = request.inputs
    if len(inputs) != 1 or request.outputs:
        return None
    item = inputs[0]
    dtype = DTYPES.get(item.datatype)
    shape = list(item.shape)
    if dtype is None or dtype.kind not in "iuf" or len(shape) < 2 or min(shape) < 1:
        return None
    raw = request.raw_input_contents
    if not raw:
        return _typed(item.contents, item.datatype, shape, "input", item.name), False
    if len(raw) != 1 or item.HasField("contents"):
        return None
    return read_raw(raw[0], item.datatype, shape, f"input {item.name!r}"), True


def as_request(answer: bytes, *, model: str) -> bytes:
    """A unit's answer as the request to the next one, which is called `model`: tensors and their parameters, typed or
    raw, as they are. Raises `BadRequest` for bytes that are no answer."""
    parts = [text(b"\x0a", model)]
    for number, start, value, end in top_level(answer):
        if number == _RAW_OUTPUT_NUMBER:
            parts += (_RAW_INPUTS, varint(end - value), answer[value:end])
        elif number in (3, 4, 5):
            parts.append(answer[start:end])
    return b"".join(parts)


def _without_raw(data: bytes, number: int) -> tuple[bytes, list[bytes | memoryview]]:
    """A large message without its raw contents, and those as views of its bytes."""
    if len(data) < _LARGE_BYTES:
        return data, []
    view = memoryview(data)
    raw: list[bytes | memoryview] = []
    kept: list[memoryview] = []
    for found, start, value, end in top_level(data):
        if len(kept) > _MOST_PIECES:
            return data, []
        if found == number:
            raw.append(view[value:end])
        else:
            kept.append(view[start:end])
    return b"".join(kept), raw


_MOST_PIECES = 256
"""A message of more fields is not one of a few large tensors; protobuf reads it as a whole."""


def _tensors(items: Any, raw: list[Any], kind: str, model: str) -> list[Tensor]:
    if raw and len(raw) != len(items):
        raise BadRequest(
            f"the number of {kind}s ({len(items)}) does not match the expected number of raw {kind} contents "
            f"({len(raw)}) for model {model!r}."
        )
    if not items and kind == "input":
        raise BadRequest(f"the request for model {model!r} has no inputs; expected at least one tensor")
    return [_tensor(item, raw[index] if raw else None, kind, model) for index, item in enumerate(items)]


def _tensor(item: Any, raw: Any, kind: str, model: str) -> Tensor:
    name, datatype = item.name, item.datatype
    shape = list(item.shape)
    if datatype not in DTYPES or not shape or min(shape) < 0:
        what = f"{kind} {name!r}"
        checked_datatype(datatype or None, what)
        checked_shape(shape, what)
    if raw is None:
        array = _typed(item.contents, datatype, shape, kind, name)
    elif item.HasField("contents"):
        raise BadRequest(
            f"contents field must not be specified when using raw_{kind}_contents for {kind} {name!r} "
            f"for model {model!r}"
        )
    else:
        array = read_raw(raw, datatype, shape, f"{kind} {name!r}")
    return Tensor(name, array, datatype, _read_parameters(item.parameters) if item.parameters else {})


def _typed(contents: Any, datatype: str, shape: list[int], kind: str, name: str) -> Array:
    field = _FIELDS.get(datatype)
    if field is None:
        raise BadRequest(
            f"Receiving {datatype} data as typed contents is not supported. Please use raw_{kind}_contents for {kind} "
            f"{name!r}"
        )
    values = getattr(contents, field)
    if len(values) != math.prod(shape):
        raise BadRequest(
            f"{kind} {name!r}: shape {shape} needs {math.prod(shape)} values of {datatype}; {field} holds {len(values)}"
        )
    if datatype == BYTES:
        array = np.empty(len(values), dtype=np.object_)
        array[:] = list(values)
        return array.reshape(shape)
    read = read_numbers(values, _WIDE[field])
    dtype = DTYPES[datatype]
    if read.dtype != dtype:
        cast = read.astype(dtype)
        if (cast != read).any():
            raise BadRequest(f"{kind} {name!r}: {field} holds numbers that are none of {datatype}")
        read = cast
    return read.reshape(shape)


def _read_parameters(parameters: Any) -> dict[str, Any]:
    return {
        key: None if (kind := value.WhichOneof("parameter_choice")) is None else getattr(value, kind)
        for key, value in parameters.items()
    }


def _write_parameters(start: bytes, parameters: Mapping[str, Any]) -> bytes:
    if not parameters:
        return b""
    return b"".join(
        [
            entry(start, str(key), nested(b"\x12", _write_parameter(value)))
            for key, value in parameters.items()
            if value is not None
        ]
    )


def _write_parameter(value: Any) -> bytes:
    if isinstance(value, bool | np.bool_):
        return b"\x08" + varint(int(value))
    if isinstance(value, int | np.integer):
        if -(1 << 63) <= value < 1 << 63:
            return b"\x10" + varint(int(value))
        return b"\x28" + varint(int(value)) if 0 <= value < 1 << 64 else double(b"\x21", float(value))
    if isinstance(value, float | np.floating):
        return double(b"\x21", float(value))
    if isinstance(value, str):
        return nested(b"\x1a", value.encode("utf-8", "replace"))
    from fairlead.protocols import jsontext

    return nested(b"\x1a", jsontext.compact(value))


def _identity(asked: Asked) -> bytes:
    return text(b"\x0a", asked.model) + text(b"\x12", asked.version) + text(b"\x1a", asked.id)


def _outputs(asked: Asked) -> list[bytes]:
    return [
        nested(b"\x32", text(b"\x0a", one.name) + _write_parameters(b"\x12", one.parameters)) for one in asked.outputs
    ]


def _write_tensors(
    parts: list[bytes], tensors: list[Tensor], *, is_raw: bool, start: bytes, before_raw: list[bytes] | None = None
) -> list[bytes]:
    """Put the tensors' fields behind `parts`; gives what comes after all of them. Raw contents are all or none."""
    is_raw = is_raw or any(one.datatype not in _FIELDS for one in tensors)
    after = [] if before_raw is None else before_raw
    for one in tensors:
        one = encoded_contents(one, is_binary=True)
        head = b"".join(
            (
                text(b"\x0a", one.name),
                nested(b"\x12", one.datatype.encode()),
                nested(b"\x1a", packed(one.array.shape)) if one.array.ndim else b"",
                _write_parameters(b"\x22", one.parameters),
            )
        )
        if is_raw:
            raw = write_raw(one.array, one.datatype)
            after += (start, varint(len(raw)), raw)
            parts.append(nested(b"\x2a", head))
        else:
            parts.append(nested(b"\x2a", head + nested(b"\x2a", _contents(one.array, one.datatype))))
    return after


def _contents(array: Array, datatype: str) -> bytes:
    """The bytes of an InferTensorContents. Floats and booleans are packed as they are in memory."""
    field = _FIELDS[datatype]
    start = tag(_NUMBERS[field], BYTES_KIND)
    if not array.size:
        return b""
    if datatype == BYTES:
        return b"".join([nested(start, value) for value in array.reshape(-1).tolist()])
    if array.dtype.kind in "fb":
        return nested(start, array.tobytes())
    return nested(start, packed(array.reshape(-1).tolist()))


V2_PROTO = V2Proto()
