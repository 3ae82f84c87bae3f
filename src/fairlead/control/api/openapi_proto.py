"""An OpenAPI 2 document in the protobuf form that kubectl before 1.27 insists on.

The messages are those of OpenAPIv2.proto (github.com/google/gnostic, Apache-2.0): only the fields that our documents
have are written. Encoding by hand is a page of code; the generated classes would be a hundred times that.
"""

import json
import struct
from collections.abc import Callable, Iterable
from typing import Any

Write = Callable[[Any], bytes]

_LENGTH, _VARINT, _DOUBLE = 2, 0, 1


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _part(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH) + _varint(len(content)) + content


def _text(number: int, value: str) -> bytes:
    return _part(number, value.encode())


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(_text(number, value) for value in values)


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | _DOUBLE) + struct.pack("<d", value)


def _any(value: Any) -> bytes:
    """`Any`: kubectl reads its `yaml` member; JSON is YAML."""
    return _text(2, json.dumps(value))


def _named(number: int, members: dict[str, Any], write: Write) -> bytes:
    return b"".join(_part(number, _text(1, name) + _part(2, write(value))) for name, value in members.items())


def _extensions(number: int, members: dict[str, Any]) -> bytes:
    return _named(number, {key: value for key, value in members.items() if key.startswith("x-")}, _any)


def _object(fields: dict[str, tuple[int, Callable[[int, Any], bytes]]], value: dict[str, Any]) -> bytes:
    return b"".join(write(number, value[key]) for key, (number, write) in fields.items() if key in value)


def _inside(write: Write) -> Callable[[int, Any], bytes]:
    return lambda number, value: _part(number, write(value))


def _additional(value: Any) -> bytes:
    return _integer(2, int(value)) if isinstance(value, bool) else _part(1, _schema(value))


def _schema(value: dict[str, Any]) -> bytes:
    return _object(_SCHEMA, value) + _extensions(31, value)


_SCHEMA: dict[str, tuple[int, Callable[[int, Any], bytes]]] = {
    "$ref": (1, _text),
    "format": (2, _text),
    "title": (3, _text),
    "description": (4, _text),
    "default": (5, _inside(_any)),
    "maximum": (7, _double),
    "minimum": (9, _double),
    "maxLength": (11, _integer),
    "minLength": (12, _integer),
    "pattern": (13, _text),
    "maxItems": (14, _integer),
    "minItems": (15, _integer),
    "required": (19, _texts),
    "enum": (20, lambda number, values: b"".join(_part(number, _any(value)) for value in values)),
    "additionalProperties": (21, _inside(_additional)),
    "type": (22, _inside(lambda value: _text(1, value))),
    "items": (23, _inside(lambda value: _part(1, _schema(value)))),
    "properties": (25, _inside(lambda members: _named(1, members, _schema))),
}


def _parameter(value: dict[str, Any]) -> bytes:
    """Query parameters only: ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema."""
    query = _text(2, value["in"]) + _text(4, value["name"]) + _text(6, value["type"])
    return _part(1, _part(2, _part(3, query)))


def _responses(value: dict[str, Any]) -> bytes:
    return _named(1, value, lambda response: _part(1, _text(1, response["description"])))


def _operation(value: dict[str, Any]) -> bytes:
    return _object(_OPERATION, value) + _extensions(13, value)


_OPERATION: dict[str, tuple[int, Callable[[int, Any], bytes]]] = {
    "operationId": (5, _text),
    "produces": (6, _texts),
    "consumes": (7, _texts),
    "parameters": (8, lambda number, items: b"".join(_part(number, _parameter(item)) for item in items)),
    "responses": (9, _inside(_responses)),
}
_PATH: dict[str, tuple[int, Callable[[int, Any], bytes]]] = {
    "get": (2, _inside(_operation)),
    "put": (3, _inside(_operation)),
    "post": (4, _inside(_operation)),
    "delete": (5, _inside(_operation)),
    "patch": (8, _inside(_operation)),
}
_DOCUMENT: dict[str, tuple[int, Callable[[int, Any], bytes]]] = {
    "swagger": (1, _text),
    "info": (2, _inside(lambda info: _text(1, info["title"]) + _text(2, info["version"]))),
    "paths": (8, _inside(lambda paths: _named(2, paths, lambda path: _object(_PATH, path)))),
    "definitions": (9, _inside(lambda schemas: _named(1, schemas, _schema))),
}


def encode(document: dict[str, Any]) -> bytes:
    """The `Document` message."""
    return _object(_DOCUMENT, document)
