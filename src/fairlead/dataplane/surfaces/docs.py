"""The API page of a deployment: Swagger UI from files in this package, and an OpenAPI description made for the one
deployment and the one address it is read at. Nothing is read or built before somebody looks."""

from typing import Any
from urllib.parse import quote

import orjson

from fairlead.protocols.exchange import Request, Response
from fairlead.runtimes.base import Columns

_PAGE = "index.html"
_DESCRIPTION = "seldon.json"
_FILES = frozenset((_PAGE, "start.js", "swagger-ui.css", "swagger-ui-bundle.js"))
_NAMING = frozenset((_PAGE, "start.js"))
_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_USUAL = Columns(count=4)
_MOST_COLUMNS = 10_000


def page_file(name: str, description: str = _DESCRIPTION) -> Response | None:
    """One of the page's files; the page itself for an empty name. `description` is the file beside it that describes
    the API."""
    name = name or _PAGE
    if name not in _FILES:
        return None
    from importlib.resources import files  # 8 ms that a cold start need not pay

    kind = _KINDS[name.rpartition(".")[2]]
    age = "no-cache" if name == _PAGE else "max-age=3600"
    body = files("fairlead.dataplane").joinpath("static", "swagger", name).read_bytes()
    if name in _NAMING:
        body = body.replace(_DESCRIPTION.encode(), description.encode())
    return Response(200, f"Content-Type: {kind}; charset=utf-8\r\nCache-Control: {age}\r\n".encode(), body)


def prefix_of(request: Request) -> str:
    """The path in front of ours at the address the client used, as the gateway tells it. Only plain paths are
    taken, since the text goes back to a browser."""
    told = request.header(b"x-forwarded-prefix").decode("latin-1")
    prefix = "/" + told.strip("/") if told.strip("/") else ""
    return prefix if quote(prefix, safe="/-._~%") == prefix else ""


def open_api(title: str, *, prefix: str, predict_path: str, feedback_path: str, example: dict[str, Any]) -> bytes:
    """The OpenAPI 3 description. `example` is a request that the model accepts, as `example_request` gives it."""
    answer = {"data": {"names": ["t:0"], "ndarray": [[1.0]]}, "meta": {}}
    feedback = {"request": example, "response": answer, "reward": 1.0}
    return orjson.dumps(
        {
            "openapi": "3.0.3",
            "info": {"title": title, "version": "1.0", "description": _ABOUT},
            "paths": {
                prefix + predict_path: {
                    "post": _operation("Predict", "What the model makes of a message.", "SeldonMessage", example)
                },
                prefix + feedback_path: {
                    "post": _operation("SendFeedback", "Tell how good an answer was.", "Feedback", feedback)
                },
            },
            "components": {"schemas": _SCHEMAS},
        }
    )


def example_request(inputs: Any, columns: Columns | None) -> dict[str, Any]:
    """A message with one row: as the metadata somebody wrote has it, else as the model itself does, else of four
    numbers."""
    row = _described(inputs) or columns or _USUAL
    if row.count > _MOST_COLUMNS:
        row = _USUAL
    kind = int if row.whole else float
    data: dict[str, Any] = {"ndarray": [[kind(column % 10) for column in range(1, row.count + 1)]]}
    return {"data": {"names": list(row.names), **data} if row.names else data}


def _described(inputs: Any) -> Columns | None:
    """The row of the first of a model's `inputs` (specs 4.9), if it is one."""
    first = inputs[0] if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) else {}
    schema = first.get("schema")
    described = schema if isinstance(schema, dict) else first
    shape, names = described.get("shape"), described.get("names")
    if not isinstance(shape, list) or not shape or not isinstance(shape[-1], int):
        shape = [len(names)] if isinstance(names, list) and names else []
    width = shape[-1] if shape else 0
    if width <= 0 or len(shape) > 2:
        return None
    return Columns(count=width, names=tuple(names) if isinstance(names, list) and len(names) == width else ())


def _operation(name: str, summary: str, schema: str, example: dict[str, Any]) -> dict[str, Any]:
    def content(of: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{of}"}}}

    body = content(schema)
    body["application/json"]["example"] = example
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "The answer", "content": content("SeldonMessage")},
            "default": {"description": "What went wrong, in `status`", "content": content("SeldonMessage")},
        },
    }


_ABOUT = "Seldon protocol version 1. A message holds one of `data`, `strData`, `binData` and `jsonData`."

_NUMBERS = {"type": "array", "items": {"type": "number"}}
_SCHEMAS: dict[str, Any] = {
    "SeldonMessage": {
        "type": "object",
        "properties": {
            "status": {"$ref": "#/components/schemas/Status"},
            "meta": {"$ref": "#/components/schemas/Meta"},
            "data": {"$ref": "#/components/schemas/Data"},
            "strData": {"type": "string"},
            "binData": {"type": "string", "format": "byte"},
            "jsonData": {},
        },
    },
    "Data": {
        "type": "object",
        "properties": {
            "names": {"type": "array", "items": {"type": "string"}},
            "ndarray": {"type": "array", "items": {}},
            "tensor": {
                "type": "object",
                "properties": {"shape": {"type": "array", "items": {"type": "integer"}}, "values": _NUMBERS},
            },
            "tftensor": {"type": "object"},
        },
    },
    "Meta": {
        "type": "object",
        "properties": {
            "puid": {"type": "string"},
            "tags": {"type": "object", "additionalProperties": True},
            "routing": {"type": "object", "additionalProperties": {"type": "integer"}},
            "requestPath": {"type": "object", "additionalProperties": {"type": "string"}},
            "metrics": {"type": "array", "items": {"$ref": "#/components/schemas/Metric"}},
        },
    },
    "Metric": {
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "type": {"type": "string", "enum": ["COUNTER", "GAUGE", "TIMER"]},
            "value": {"type": "number"},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
    "Status": {
        "type": "object",
        "properties": {
            "code": {"type": "integer"},
            "info": {"type": "string"},
            "reason": {"type": "string"},
            "status": {"description": "SUCCESS, FAILURE or their numbers"},
        },
    },
    "Feedback": {
        "type": "object",
        "properties": {
            "request": {"$ref": "#/components/schemas/SeldonMessage"},
            "response": {"$ref": "#/components/schemas/SeldonMessage"},
            "reward": {"type": "number"},
            "truth": {"$ref": "#/components/schemas/SeldonMessage"},
        },
    },
}
