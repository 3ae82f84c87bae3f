"""OpenAPI descriptions in few words, for the surfaces that publish one. What is said here is held against the servers
themselves (tests/conformance/test_open_api.py), so a description promises nothing that is not so."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from fairlead.runtimes.base import TensorSpec

JSON = "application/json"
Json = dict[str, Any]
TEXT: Json = {"type": "string"}
YES_OR_NO: Json = {"type": "boolean"}
ANY_OBJECT: Json = {"type": "object", "additionalProperties": True}
_MOST_VALUES = 10_000
_ROW = [1.0, 2.0, 3.0, 4.0]


def document(title: str, version: str, about: str, paths: Mapping[str, Json], schemas: Mapping[str, Json]) -> bytes:
    """A whole description. `paths` holds the verbs of each path."""
    whole = {
        "openapi": "3.0.3",
        "info": {"title": title, "version": version, "description": about},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    return orjson.dumps(whole)


def operation(
    name: str,
    summary: str,
    answer: Json,
    *,
    error: Json,
    body: Json | None = None,
    parameters: Sequence[Json] = (),
) -> Json:
    """One verb of a path. `answer`, `error` and `body` are contents: schemas by media type, empty for no body."""
    made: Json = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": _response("The answer", answer),
            "default": _response("What went wrong", error),
        },
    }
    if parameters:
        made["parameters"] = list(parameters)
    if body is not None:
        made["requestBody"] = {"required": True, "content": body}
    return made


def content(schema: str, example: Any = None, *, kind: str = JSON) -> Json:
    """Bodies of one of the description's schemas."""
    said: Json = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {kind: said if example is None else said | {"example": example}}


def text(kind: str) -> Json:
    """Bodies that are no JSON."""
    return {kind: {"schema": TEXT}}


def binary(kind: str) -> Json:
    """Bodies of any bytes."""
    return {kind: {"schema": {"type": "string", "format": "binary"}}}


def schema(required: Sequence[str], **properties: Json) -> Json:
    """An object of these properties, and of others."""
    made: Json = {"type": "object", "properties": properties}
    return made | {"required": list(required)} if required else made


def list_of(items: Json) -> Json:
    """A list."""
    return {"type": "array", "items": items}


def header(name: str, about: str, of: Json) -> Json:
    """A request header that may be left out."""
    return {"name": name, "in": "header", "required": False, "description": about, "schema": of}


def example_values(spec: TensorSpec) -> tuple[list[int], list[Any]]:
    """A shape with one of everything that may vary, and values to fill it; none when they would be too many."""
    sizes = [size if size > 0 else 1 for size in spec.shape]
    count = math.prod(sizes)
    value: Any = 1.0 if spec.datatype.startswith("FP") else 1
    value = {"BYTES": "text", "BOOL": True}.get(spec.datatype, value)
    return sizes, [value] * count if count <= _MOST_VALUES else []


def example_rows(inputs: Sequence[TensorSpec]) -> list[Any]:
    """One row of a model with these inputs as protocols without datatypes have it."""
    rows = [_row(spec) for spec in inputs]
    if not rows or any(row is None for row in rows):
        return [_ROW]
    return rows if len(rows) == 1 else [{spec.name: row for spec, row in zip(inputs, rows, strict=True)}]


def _row(spec: TensorSpec) -> Any:
    sizes, values = example_values(spec)
    if not values:
        return None
    nested: list[Any] = values
    for size in reversed(sizes[1:]):
        nested = [nested[start : start + size] for start in range(0, len(nested), size)]
    return nested[0]


def _response(words: str, said: Json) -> Json:
    return {"description": words, "content": said} if said else {"description": words}
