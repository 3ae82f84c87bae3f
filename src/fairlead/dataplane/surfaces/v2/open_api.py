"""The OpenAPI description of one deployment's V2 API, for the page at `/v2/docs/`. JSON is YAML, so the file keeps the
name that clients of Seldon's orchestrator know, `dataplane.yaml`."""

from typing import Any
from urllib.parse import quote

import orjson

from fairlead.dataplane.surfaces.models import Described

DESCRIPTION = "dataplane.yaml"
_MOST_VALUES = 10_000
_USUAL = {"name": "input-0", "shape": [1, 4], "datatype": "FP64", "data": [1.0, 2.0, 3.0, 4.0]}


def describe(title: str, *, prefix: str, model: Described) -> bytes:
    """The description of `model` as it is read at the paths that start with `prefix`."""
    base = f"{prefix}/v2/models/{quote(model.name, safe='')}"
    return orjson.dumps(
        {
            "openapi": "3.0.3",
            "info": {"title": title, "version": "2.0", "description": "Open Inference Protocol, version 2."},
            "paths": {
                f"{base}/infer": {"post": _infer(model)},
                base: {"get": _operation("ModelMetadata", "What the model takes and gives.", "ModelMetadata")},
                f"{base}/ready": {"get": _operation("ModelReady", "Whether the model answers.", "Ready")},
                f"{prefix}/v2": {"get": _operation("ServerMetadata", "Which server this is.", "ServerMetadata")},
                f"{prefix}/v2/health/live": {"get": _operation("ServerLive", "Whether the server runs.", "Live")},
                f"{prefix}/v2/health/ready": {"get": _operation("ServerReady", "Whether all models answer.", "Ready")},
            },
            "components": {"schemas": _SCHEMAS},
        }
    )


def example_request(model: Described) -> dict[str, Any]:
    """A request with one value, or one row, for each input."""
    items = [_example_tensor(spec.name, spec.datatype, spec.shape) for spec in model.inputs]
    if not items or sum(len(item["data"]) for item in items) > _MOST_VALUES:
        items = [_USUAL]
    return {"inputs": items}


def _example_tensor(name: str, datatype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    sizes = [size if size > 0 else 1 for size in shape]
    count = 1
    for size in sizes:
        count *= size
    value: Any = float(1) if datatype.startswith("FP") else 1
    value = {"BYTES": "text", "BOOL": True}.get(datatype, value)
    return {"name": name, "shape": sizes, "datatype": datatype, "data": [value] * min(count, _MOST_VALUES + 1)}


def _infer(model: Described) -> dict[str, Any]:
    operation = _operation("ModelInfer", "What the model makes of some tensors.", "InferenceResponse")
    content = _content("InferenceRequest")
    content["application/json"]["example"] = example_request(model)
    return operation | {"requestBody": {"required": True, "content": content}}


def _operation(name: str, summary: str, schema: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "The answer", "content": _content(schema)},
            "default": {"description": "What went wrong", "content": _content("Error")},
        },
    }


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _schema(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT = {"type": "string"}
_YES_OR_NO = {"type": "boolean"}
_SHAPE = _list_of({"type": "integer"})
_PARAMETERS = {"type": "object", "additionalProperties": True}
_TENSOR = {"name": _TEXT, "shape": _SHAPE, "datatype": _TEXT, "parameters": _PARAMETERS, "data": _list_of({})}
_SPEC = _schema((), name=_TEXT, datatype=_TEXT, shape=_SHAPE)
_SCHEMAS: dict[str, Any] = {
    "InferenceRequest": _schema(
        ("inputs",),
        id=_TEXT,
        parameters=_PARAMETERS,
        inputs=_list_of(_schema(("name", "shape", "datatype"), **_TENSOR)),
        outputs=_list_of(_schema(("name",), name=_TEXT, parameters=_PARAMETERS)),
    ),
    "InferenceResponse": _schema(
        (),
        model_name=_TEXT,
        model_version={"type": "string", "nullable": True},
        id=_TEXT,
        parameters=_PARAMETERS,
        outputs=_list_of(_schema((), **_TENSOR)),
    ),
    "ModelMetadata": _schema(
        (), name=_TEXT, versions=_list_of(_TEXT), platform=_TEXT, inputs=_list_of(_SPEC), outputs=_list_of(_SPEC)
    ),
    "ServerMetadata": _schema((), name=_TEXT, version=_TEXT, extensions=_list_of(_TEXT)),
    "Ready": _schema((), name=_TEXT, ready=_YES_OR_NO),
    "Live": _schema((), live=_YES_OR_NO),
    "Error": _schema((), error=_TEXT),
}
