"""The OpenAPI description of one deployment's V2 API, for the page at `/v2/docs/`. JSON is YAML, so the file keeps the
name that clients of Seldon's orchestrator know, `dataplane.yaml`."""

from typing import Any
from urllib.parse import quote

from fairlead.dataplane.surfaces.models import Described
from fairlead.dataplane.surfaces.open_api import (
    ANY_OBJECT,
    TEXT,
    YES_OR_NO,
    Json,
    binary,
    content,
    document,
    example_values,
    header,
    list_of,
    operation,
    schema,
)

DESCRIPTION = "dataplane.yaml"
_OCTETS = "application/octet-stream"
_USUAL = {"name": "input-0", "shape": [1, 4], "datatype": "FP64", "data": [1.0, 2.0, 3.0, 4.0]}
_ERROR = content("Error")


def describe(title: str, *, prefix: str, model: Described) -> bytes:
    """The description of `model` as it is read at the paths that start with `prefix`."""
    name = quote(model.name, safe="")
    base = f"{prefix}/v2/models/{name}"
    paths: dict[str, Json] = _of_version(base, "", model)
    for version in model.versions:
        paths |= _of_version(f"{base}/versions/{quote(version, safe='')}", f"_{version}", model)
    stored = f"{prefix}/v2/repository/models/{name}"
    index = content("IndexRequest", {"ready": True})
    paths |= {
        f"{prefix}/v2": {"get": _look("ServerMetadata", "Which server this is.", "ServerMetadata")},
        f"{prefix}/v2/models": {"get": _look("Models", "The models' names.", "Models")},
        f"{prefix}/v2/health/live": {"get": _look("ServerLive", "Whether the server runs.", "Live")},
        f"{prefix}/v2/health/ready": {"get": _look("ServerReady", "Whether all models answer.", "Ready")},
        f"{prefix}/v2/repository/index": {
            "post": operation("RepositoryIndex", "Every model.", content("Index"), error=_ERROR, body=index)
        },
        f"{stored}/load": {"post": _look("ModelLoad", "Answer for a model again.", "Loaded")},
        f"{stored}/unload": {"post": _look("ModelUnload", "Answer for a model no more.", "Unloaded")},
    }
    return document(title, "2.0", "Open Inference Protocol, version 2.", paths, _SCHEMAS)


def example_request(model: Described) -> Json:
    """A request with one value, or one row, for each input."""
    items = []
    for spec in model.inputs:
        shape, values = example_values(spec)
        items.append({"name": spec.name, "shape": shape, "datatype": spec.datatype, "data": values})
    if not items or not all(item["data"] for item in items):
        items = [_USUAL]
    return {"inputs": items}


def _of_version(path: str, suffix: str, model: Described) -> dict[str, Json]:
    return {
        f"{path}/infer": {"post": _infer(suffix, model)},
        path: {"get": _look(f"ModelMetadata{suffix}", "What the model takes and gives.", "ModelMetadata")},
        f"{path}/ready": {"get": _look(f"ModelReady{suffix}", "Whether the model answers.", "Ready")},
    }


def _infer(suffix: str, model: Described) -> Json:
    # Tensors in binary come after the JSON, whose length the header says.
    length = header(
        "Inference-Header-Content-Length", "The bytes of JSON before binary tensors.", {"type": "integer", "minimum": 0}
    )
    return operation(
        f"ModelInfer{suffix}",
        "What the model makes of some tensors.",
        content("InferenceResponse") | binary(_OCTETS),
        error=_ERROR,
        body=content("InferenceRequest", example_request(model)) | binary(_OCTETS),
        parameters=(length,),
    )


def _look(name: str, summary: str, answer: str) -> Json:
    return operation(name, summary, content(answer), error=_ERROR)


_SHAPE = list_of({"type": "integer"})
_TENSOR: dict[str, Json] = {
    "name": TEXT,
    "shape": _SHAPE,
    "datatype": TEXT,
    "parameters": ANY_OBJECT,
    "data": list_of({}),
}
_SPEC = schema((), name=TEXT, datatype=TEXT, shape=_SHAPE)
_MODEL = schema(("name", "state"), name=TEXT, version=TEXT, state=TEXT, reason=TEXT)
_SCHEMAS: dict[str, Any] = {
    "InferenceRequest": schema(
        ("inputs",),
        id=TEXT,
        parameters=ANY_OBJECT,
        inputs=list_of(schema(("name", "shape", "datatype"), **_TENSOR)),
        outputs=list_of(schema(("name",), name=TEXT, parameters=ANY_OBJECT)),
    ),
    "InferenceResponse": schema(
        ("model_name", "outputs"),
        model_name=TEXT,
        model_version={"type": "string", "nullable": True},
        id=TEXT,
        parameters=ANY_OBJECT,
        outputs=list_of(schema(("name", "shape", "datatype"), **_TENSOR)),
    ),
    "ModelMetadata": schema(
        ("name",), name=TEXT, versions=list_of(TEXT), platform=TEXT, inputs=list_of(_SPEC), outputs=list_of(_SPEC)
    ),
    "ServerMetadata": schema(("name",), name=TEXT, version=TEXT, extensions=list_of(TEXT)),
    "Models": schema(("models",), models=list_of(TEXT)),
    "Ready": schema(("ready",), name=TEXT, ready=YES_OR_NO),
    "Live": schema(("live",), live=YES_OR_NO),
    "IndexRequest": schema((), ready=YES_OR_NO),
    "Index": list_of(_MODEL),
    "Loaded": schema(("name", "load"), name=TEXT, load=YES_OR_NO),
    "Unloaded": schema(("name", "unload"), name=TEXT, unload=YES_OR_NO),
    "Error": {"anyOf": [schema(("error",), error=TEXT), schema(("detail",), detail=TEXT)]},
}
