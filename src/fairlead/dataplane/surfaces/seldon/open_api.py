"""The OpenAPI descriptions of Seldon's protocol: of a graph at its orchestrator's paths, and of a bare unit at the
paths that an orchestrator asks."""

from collections.abc import Sequence
from typing import Any

from fairlead.dataplane.surfaces.open_api import (
    ANY_OBJECT,
    TEXT,
    Json,
    content,
    document,
    header,
    list_of,
    operation,
    schema,
    text,
)

_ABOUT = "Seldon protocol version 1. A message holds one of `data`, `strData`, `binData` and `jsonData`."
_FORM = "application/x-www-form-urlencoded"
_METRICS = "text/plain"
_PUID = header(
    "Seldon-Puid", "The request's id; one is made for requests without.", {"type": "string", "pattern": "^[!-~]{1,40}$"}
)
_ERROR = content("Failure")


def describe_graph(title: str, *, prefix: str, version: str, units: Sequence[str], example: Json) -> bytes:
    """What the orchestrator of a graph answers. `version` is the start of its paths, such as `/api/v1.0`."""
    base = prefix + version
    paths = {
        f"{base}/predictions": {"post": _ask("Predict", "What the graph makes of a message.", example, by_form=True)},
        f"{base}/feedback": {"post": _tell("SendFeedback", example)},
    }
    if version == "/api/v1.0":
        paths |= {
            f"{base}/status": {"get": _empty("Status", "Whether every unit answers.")},
            f"{base}/metadata": {"get": _look("Metadata", "The graph and its units.", content("Metadata"))},
        }
    for unit in units:
        status = _look(f"Status_{unit}", f"What {unit} says of its health.", content("SeldonMessage"))
        paths[f"{base}/status/{unit}"] = {"get": status}
        metadata = _look(f"Metadata_{unit}", f"What {unit} says of itself.", content("Metadata"))
        paths[f"{base}/metadata/{unit}"] = {"get": metadata}
    paths |= _process(prefix)
    return document(title, "1.0", _ABOUT, paths, _SCHEMAS)


def describe_unit(title: str, *, prefix: str, has_graph_paths: bool, combines: bool, example: Json) -> bytes:
    """What one unit answers. With `has_graph_paths` it takes predictions at the paths of a graph too. `combines` says
    that it can make one message of several."""
    paths: dict[str, Json] = {}
    if has_graph_paths:
        paths |= {
            f"{prefix}/api/v1.0/predictions": {"post": _ask("Predict", "What the unit makes of a message.", example)},
            f"{prefix}/api/v1.0/feedback": {"post": _tell("SendFeedback", example)},
        }
    for path, words in _METHODS.items():
        name = "".join(part.capitalize() for part in path.split("-"))
        paths[f"{prefix}/{path}"] = {
            "post": _ask(f"Unit{name}", words, example, by_form=True),
            "get": _look(f"Unit{name}ByQuery", words, content("SeldonMessage")) | {"parameters": [_QUERY]},
        }
    several = content("SeldonMessageList", {"seldonMessages": [example]} if combines else None)
    combined = operation(
        "UnitAggregate", "One message of several.", content("SeldonMessage"), error=_ERROR, body=several
    )
    paths[f"{prefix}/aggregate"] = {"post": combined}
    paths[f"{prefix}/send-feedback"] = {"post": _tell("UnitSendFeedback", example)}
    paths |= {
        f"{prefix}/health/ping": {"get": _look("Ping", "Whether the process answers.", text("text/html"))},
        f"{prefix}/health/status": {
            "get": _look("Health", "What the unit's own check says.", content("SeldonMessage"))
        },
        f"{prefix}/metadata": {"get": _look("UnitMetadata", "What the unit says of itself.", content("Metadata"))},
        **_process(prefix),
    }
    return document(title, "1.0", _ABOUT, paths, _SCHEMAS)


_METHODS = {
    "predict": "A prediction.",
    "transform-input": "What the next unit is asked.",
    "transform-output": "What the unit before is answered with.",
    "route": "The number of a child.",
}
_QUERY: Json = {"name": "json", "in": "query", "required": True, "description": "A message as JSON.", "schema": TEXT}


def _ask(name: str, summary: str, example: Json, *, by_form: bool = False) -> Json:
    body = content("SeldonMessage", example)
    if by_form:
        body |= {_FORM: {"schema": schema(("json",), json=TEXT)}}
    return operation(name, summary, content("SeldonMessage"), error=_ERROR, body=body, parameters=(_PUID,))


def _tell(name: str, example: Json) -> Json:
    body = content("Feedback", {"request": example, "reward": 1.0})
    answer = content("SeldonMessage")
    return operation(name, "Tell how good an answer was.", answer, error=_ERROR, body=body, parameters=(_PUID,))


def _look(name: str, summary: str, answer: Json) -> Json:
    return operation(name, summary, answer, error=_ERROR)


def _empty(name: str, summary: str) -> Json:
    return operation(name, summary, {}, error={})


def _process(prefix: str) -> dict[str, Json]:
    return {
        f"{prefix}/ready": {"get": _empty("Ready", "Whether every unit answers.")},
        f"{prefix}/live": {"get": _empty("Live", "Whether the process answers.")},
        f"{prefix}/prometheus": {"get": operation("Metrics", "Metrics.", text(_METRICS), error={})},
    }


_NUMBER: Json = {"type": "number"}
_WHOLE: Json = {"type": "integer"}
_MESSAGE: Json = {"$ref": "#/components/schemas/SeldonMessage"}
_SCHEMAS: dict[str, Any] = {
    "SeldonMessage": schema(
        (),
        status={"$ref": "#/components/schemas/Status"},
        meta={"$ref": "#/components/schemas/Meta"},
        data={"$ref": "#/components/schemas/Data"},
        strData=TEXT,
        binData={"type": "string", "format": "byte"},
        jsonData={},
    ),
    "SeldonMessageList": schema(("seldonMessages",), seldonMessages=list_of(_MESSAGE)),
    "Data": schema(
        (),
        names=list_of(TEXT),
        ndarray={"description": "Nested lists; a single value from a model that gives one"},
        tensor=schema((), shape=list_of(_WHOLE), values=list_of(_NUMBER)),
        tftensor={"type": "object"},
    ),
    "Meta": schema(
        (),
        puid=TEXT,
        tags=ANY_OBJECT,
        routing={"type": "object", "additionalProperties": _WHOLE},
        requestPath={"type": "object", "additionalProperties": TEXT},
        metrics=list_of({"$ref": "#/components/schemas/Metric"}),
    ),
    "Metric": schema(
        (),
        key=TEXT,
        type={"type": "string", "enum": ["COUNTER", "GAUGE", "TIMER"]},
        value=_NUMBER,
        tags={"type": "object", "additionalProperties": TEXT},
    ),
    "Status": schema(
        (), code=_WHOLE, info=TEXT, reason=TEXT, status={"description": "SUCCESS, FAILURE or their numbers"}
    ),
    "Feedback": schema((), request=_MESSAGE, response=_MESSAGE, reward=_NUMBER, truth=_MESSAGE),
    "Failure": schema(("status",), status={"$ref": "#/components/schemas/Status"}),
    "Metadata": ANY_OBJECT,
}
