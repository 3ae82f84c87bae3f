"""The OpenAPI description of TensorFlow Serving's REST, for the page at `/docs/`. ModelServer has none of its own."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fairlead.dataplane.surfaces.open_api import (
    TEXT,
    Json,
    content,
    document,
    example_rows,
    list_of,
    operation,
    schema,
)
from fairlead.runtimes.base import Signature

_ABOUT = "TensorFlow Serving's REST API, version 1."
_ERROR = content("Error")
_CLASSIFY, _REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def describe(
    title: str, *, prefix: str, name: str, versions: Sequence[str], signatures: Mapping[str, Signature], default: str
) -> bytes:
    """The description of one model at the paths that start with `prefix`. `default` is the signature of requests that
    name none."""
    base = f"{prefix}/v1/models/{quote(name, safe='')}"
    paths: dict[str, Json] = {}
    for number, path in (("", base), *((version, f"{base}/versions/{version}") for version in versions)):
        paths |= _of_version(path, f"_{number}" if number else "", signatures, default)
    return document(title, "1.0", _ABOUT, paths, _SCHEMAS)


def _of_version(path: str, suffix: str, signatures: Mapping[str, Signature], default: str) -> dict[str, Json]:
    usual = signatures.get(default)
    rows = example_rows(() if usual is None else usual.inputs)
    asked = content("PredictRequest", {"instances": rows})
    found: dict[str, Json] = {
        path: {"get": _look(f"ModelState{suffix}", "The state of the model's versions.", "ModelState")},
        f"{path}/metadata": {"get": _look(f"ModelMetadata{suffix}", "The model's signatures.", "ModelMetadata")},
        f"{path}:predict": {
            "post": operation(
                f"Predict{suffix}",
                "A prediction for each row (`instances`), or by column (`inputs`).",
                content("PredictAnswer"),
                error=_ERROR,
                body=asked,
            )
        },
    }
    for verb, method in (("classify", _CLASSIFY), ("regress", _REGRESS)):
        name = next((name for name, one in signatures.items() if one.method == method), None)
        if name is not None:
            words = f"`{verb}` for each example."
            body = content("Examples")
            made = operation(f"{verb.capitalize()}{suffix}", words, content("Results"), error=_ERROR, body=body)
            found[f"{path}:{verb}"] = {"post": made}
    return found


def _look(name: str, summary: str, answer: str) -> Json:
    return operation(name, summary, content(answer), error=_ERROR)


_SCHEMAS: dict[str, Any] = {
    "PredictRequest": schema((), signature_name=TEXT, instances=list_of({}), inputs={}),
    "PredictAnswer": schema((), predictions={}, outputs={}),
    "Examples": schema(
        ("examples",), signature_name=TEXT, context={"type": "object"}, examples=list_of({"type": "object"})
    ),
    "Results": schema(("results",), results=list_of({})),
    "ModelState": schema(("model_version_status",), model_version_status=list_of({"type": "object"})),
    "ModelMetadata": schema(("model_spec", "metadata"), model_spec={"type": "object"}, metadata={"type": "object"}),
    "Error": schema(("error",), error=TEXT),
}
