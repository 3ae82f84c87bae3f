"""The OpenAPI description of the API, made of the same table as its routes."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from fairlead.registry.api.errors import REFUSALS, Refusal
from fairlead.registry.api.routing import Operation

TITLE = "yatai api server"
"""What tools that know Yatai's description look for."""
_JSON = "application/json"
_REFERENCE = "#/components/schemas/{name}"
_VARIABLE = re.compile(r"\{(\w+)\}")


def describe(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The whole description (OpenAPI 3.1)."""
    shapes = [shape for each in operations for shape in (each.takes, each.gives) if shape is not None]
    shapes.append(Refusal)
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCE)
    by_shape = {repr(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, by_shape)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version, "description": "The registry of Fairlead."},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
        "security": [{name: []} for name in _SCHEMES],
    }


_SCHEMES = {
    "ApiToken": {"type": "apiKey", "in": "header", "name": "X-YATAI-API-TOKEN"},
    "Bearer": {"type": "http", "scheme": "bearer"},
}


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.about,
        "tags": [operation.tag],
        "parameters": [*_variables(operation.path), *_query(operation)],
        "responses": {
            **{str(status): _success(operation, schemas) for status in operation.statuses},
            **{str(status): _refusal(status, schemas) for status in (*REFUSALS, *operation.refuses)},
        },
    }
    if operation.takes is not None:
        described["requestBody"] = _body(_JSON, schemas[repr(operation.takes)])
    elif operation.takes_bytes:
        described["requestBody"] = _body("application/octet-stream", {})
    if operation.is_public:
        described["security"] = []
    return described


def _variables(path: str) -> Iterable[dict[str, Any]]:
    for name in _VARIABLE.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query(operation: Operation) -> Iterable[dict[str, Any]]:
    for parameter in operation.query:
        yield {
            "name": parameter.name,
            "in": "query",
            "description": parameter.about,
            "schema": dict(parameter.schema),
        }


def _body(media: str, schema: Any) -> dict[str, Any]:
    return {"required": True, "content": {media: {"schema": schema}}}


def _success(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": "Done."}
    if operation.gives is not None:
        described["content"] = {_JSON: {"schema": schemas[repr(operation.gives)]}}
    elif operation.media:
        described["content"] = {operation.media: {"schema": {}}}
    return described


def _refusal(status: int, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": _WORDS[status],
        "content": {_JSON: {"schema": schemas[repr(Refusal)]}},
    }


_WORDS = {
    400: "The request cannot be used; or, for clients that know no other way to say it, there is no such thing.",
    401: "Nobody known asks.",
    403: "Whoever asks may not.",
    404: "There is no such thing.",
    409: "Something stands against it.",
    413: "The body is too large.",
    416: "The range is none of the body's.",
    429: "Too many have been tried; later again.",
    500: "It failed.",
    503: "It may work later.",
}
