"""Examples of TensorFlow's `classify` and `regress` requests as `tf.train.Example` messages, which is what models of
these signatures take.

A feature is a list of one kind: whole numbers, numbers, or bytes (text is UTF-8). A single value is a list of one.
"""

import struct
from typing import Any

import numpy as np

from fairlead.errors import BadRequest
from fairlead.protocols.json_tensors import with_bytes
from fairlead.protocols.protobuf_fields import entry, nested, packed, tag

_FIRST, _SECOND = tag(1), tag(2)
_KINDS = {bytes: tag(1), float: tag(2), int: tag(3)}
_INT64 = range(-(2**63), 2**63)


def serialized(examples: Any, context: Any) -> np.ndarray[Any, Any]:
    """One serialized message for each example, the features of the context among its own. Raises `BadRequest`."""
    if not isinstance(examples, list) or not examples:
        raise BadRequest("When method is classify or regress, key 'examples' must be a list of objects with features")
    if context is not None and not isinstance(context, dict):
        raise BadRequest("'context' must be an object with features")
    array = np.empty(len(examples), dtype=np.object_)
    for index, example in enumerate(examples):
        array[index] = _example(example, context or {}, index)
    return array


def _example(example: Any, context: dict[str, Any], index: int) -> bytes:
    if not isinstance(example, dict):
        raise BadRequest(f"Example {index} must be an object with features, got {type(example).__name__}")
    shared = sorted(example.keys() & context.keys())
    if shared:
        raise BadRequest(f"Example {index} has the feature {shared[0]!r} of the context too")
    features = [
        entry(_FIRST, name, nested(_SECOND, _feature(name, value, index)))
        for name, value in {**context, **example}.items()
    ]
    return nested(_FIRST, b"".join(features))


def _feature(name: str, value: Any, index: int) -> bytes:
    values = with_bytes(value if isinstance(value, list) else [value])
    kinds = {type(item) for item in values}
    if not kinds:
        return b""
    if kinds <= {str, bytes}:
        data = b"".join(nested(_FIRST, _as_bytes(item)) for item in values)
        return nested(_KINDS[bytes], data)
    if kinds <= {int, bool} and all(item in _INT64 for item in values):
        return nested(_KINDS[int], nested(_FIRST, packed(values)))
    if kinds <= {int, float, bool}:
        try:
            data = struct.pack(f"<{len(values)}f", *values)
        except (OverflowError, struct.error):
            raise BadRequest(f"Example {index}, feature {name!r}: a number is too large for 32 bits") from None
        return nested(_KINDS[float], nested(_FIRST, data))
    raise BadRequest(f"Example {index}, feature {name!r}: expected numbers or strings, all of one kind")


def _as_bytes(item: str | bytes) -> bytes:
    return item if isinstance(item, bytes) else item.encode("utf-8", "replace")
