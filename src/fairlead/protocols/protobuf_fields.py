"""Protobuf's wire format by hand, for what is written often: tags, lengths and bytes.

Answers are arrays in a thin wrapping. Joined from bytes they are written without an object per field, and an array is
copied once. Measured for one row of three numbers as a SeldonMessage: 1.4 us against 5.0 us through message classes;
for 250 rows of four: 12 us against 390 us. Messages are read with protobuf itself, whose parser is C. The encoding is
https://protobuf.dev/programming-guides/encoding; the tests read everything back with protobuf's own classes.
"""

import struct
from collections.abc import Iterable, Iterator

from fairlead.errors import BadRequest

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SMALL = [bytes((value,)) for value in range(128)]
_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")
_64_BITS = (1 << 64) - 1


def varint(value: int) -> bytes:
    """A whole number; a negative one as its two's complement of 64 bits."""
    if 0 <= value < 128:
        return _SMALL[value]
    value = int(value) & _64_BITS
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def tag(number: int, kind: int = BYTES) -> bytes:
    """What stands in front of a field."""
    return varint(number << 3 | kind)


def nested(start: bytes, content: bytes) -> bytes:
    """A field of bytes: a message, a string, packed numbers. `start` is its tag."""
    return start + varint(len(content)) + content


def text(start: bytes, value: str) -> bytes:
    """A field of text, nothing when it is empty, as proto3 has it."""
    return nested(start, value.encode("utf-8", "replace")) if value else b""


def whole(start: bytes, value: int) -> bytes:
    """A field of a whole number, nothing for zero."""
    return start + varint(value) if value else b""


def double(start: bytes, value: float) -> bytes:
    """A field of a 64-bit number; also when it is zero, for members of a oneof."""
    return start + _DOUBLE.pack(value)


def single(start: bytes, value: float) -> bytes:
    """A field of a 32-bit number, nothing for zero. What has no room in one is an infinity."""
    if not value:
        return b""
    try:
        return start + _FLOAT.pack(value)
    except OverflowError:
        return start + _FLOAT.pack(float("inf") if value > 0 else float("-inf"))


def packed(values: Iterable[int]) -> bytes:
    """Whole numbers one after the other."""
    return b"".join([varint(value) for value in values])


def entry(start: bytes, key: str, value: bytes) -> bytes:
    """One entry of a map whose keys are text; `value` is its whole second field, with tag."""
    return nested(start, nested(b"\x0a", key.encode("utf-8", "replace")) + value)


def top_level(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: number, where the field starts, where its value starts, where it ends. Raises
    `BadRequest` for bytes that are no message."""
    position, size = 0, len(data)
    while position < size:
        start = position
        head, position = _read_varint(data, position)
        kind = head & 7
        value = position
        if kind == BYTES:
            length, value = _read_varint(data, position)
            position = value + length
        elif kind == VARINT:
            _, position = _read_varint(data, position)
        elif kind in (FIXED64, FIXED32):
            position += 8 if kind == FIXED64 else 4
        else:
            raise BadRequest(f"the message holds a field of kind {kind}, which is not in use")
        if position > size:
            raise BadRequest("the message ends in the middle of a field")
        yield head >> 3, start, value, position


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if position >= len(data):
            raise BadRequest("the message ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    raise BadRequest("the message holds a number of more than ten bytes")
