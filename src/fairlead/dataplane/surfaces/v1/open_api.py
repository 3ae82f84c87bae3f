"""The OpenAPI description of KServe's V1 protocol, for the page at `/docs/`; where KServe's servers have theirs."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fairlead.dataplane.surfaces.open_api import (
    TEXT,
    YES_OR_NO,
    Json,
    binary,
    content,
    document,
    list_of,
    operation,
    schema,
    text,
)

_ABOUT = "KServe protocol version 1. A request may be a CloudEvent; its answer is one then."
_EVENTS = "application/cloudevents+json"
_ERROR = content("Error")


def describe(title: str, *, prefix: str, models: Sequence[str], rows: list[Any], explains: bool) -> bytes:
    """The description of these models at the paths that start with `prefix`. `rows` is a request they take."""
    paths: dict[str, Json] = {
        f"{prefix}/": {"get": operation("Alive", "Whether the server runs.", content("Alive"), error=_ERROR)},
        f"{prefix}/v1/models": {"get": operation("Models", "The models' names.", content("Models"), error=_ERROR)},
    }
    for name in models:
        path = f"{prefix}/v1/models/{quote(name, safe='')}"
        ready = operation(f"Ready_{name}", f"Whether {name} answers.", content("Ready"), error=_ERROR)
        paths[path] = {"get": ready}
        paths[f"{path}:predict"] = {"post": _ask(f"Predict_{name}", "A prediction for each row.", "Predictions", rows)}
        if explains:
            paths[f"{path}:explain"] = {"post": _ask(f"Explain_{name}", "Why a model says so.", "Explanations", rows)}
    return document(title, "1.0", _ABOUT, paths, _SCHEMAS)


def _ask(name: str, summary: str, answer: str, rows: list[Any]) -> Json:
    asked = {"instances": rows}
    event = {"specversion": "1.0", "id": "1", "source": "docs", "type": "request", "data": asked}
    body = content("Request", asked) | content("Event", event, kind=_EVENTS)
    # Code that answers with text or bytes has them sent as they are.
    answers = content(answer) | content("Event", kind=_EVENTS) | text("text/plain") | binary("application/octet-stream")
    return operation(name, summary, answers, error=_ERROR, body=body)


_SCHEMAS: dict[str, Any] = {
    "Request": schema(("instances",), instances=list_of({})),
    "Predictions": schema(("predictions",), predictions={}),
    "Explanations": schema(("explanations",), explanations={}),
    "Event": schema(
        ("specversion", "id", "source", "type"), specversion=TEXT, id=TEXT, source=TEXT, type=TEXT, data={}
    ),
    "Alive": schema(("status",), status=TEXT),
    "Models": schema(("models",), models=list_of(TEXT)),
    "Ready": schema(("name", "ready"), name=TEXT, ready=YES_OR_NO),
    "Error": {"anyOf": [schema(("error",), error=TEXT), schema(("detail",), detail=TEXT)]},
}
