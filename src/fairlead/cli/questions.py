"""Where a resource's model is asked and how a question to it is written: each dialect's own path and protocol."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.cli.exits import UsageError

Body = dict[str, Any]
_V2_RUNTIMES = ("kserve-mlserver", "kserve-tritonserver")
_BENTO_API = "Service APIs"
"""The tag that BentoML gives what clients may ask for."""
_EXAMPLE = "'{\"instances\": [[1,2]]}'"


@dataclass(frozen=True, slots=True)
class Question:
    """The path of a model behind the gateway, and what a person's rows or text become there."""

    path: str
    write: Callable[[Any], Body]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Other paths, for requests that have these fields."""

    def path_for(self, body: Body) -> str:
        """Where a request goes."""
        return next((path for name, path in self.elsewhere.items() if name in body), self.path)

    def body(self, text: str) -> Body:
        """A request from what somebody typed. Raises `UsageError` for what is none."""
        value = json_of(text)
        if isinstance(value, dict):
            return value
        if isinstance(value, str | list):
            return self.write(value)
        raise UsageError(f"--data: a request is a JSON object or rows of numbers, not {json.dumps(value)}")


def question_of(doc: Mapping[str, Any], *, explains: bool = False) -> Question:
    """How an object of one of the kinds that serve is asked."""
    metadata, spec = doc["metadata"], doc.get("spec") or {}
    place = metadata["namespace"], metadata["name"]
    match doc["kind"]:
        case "SeldonDeployment":
            if explains:
                raise UsageError("a SeldonDeployment is not asked for explanations here")
            return _seldon(spec, *place)
        case "InferenceGraph":
            return Question("/serving/{}/{}/".format(*place), instances)
        case "LLMInferenceService":
            if explains:
                raise UsageError("an LLMInferenceService is not asked for explanations")
            base = "/{}/{}/v1".format(*place)
            others = {"prompt": "completions", "input": "embeddings", "documents": "rerank"}
            elsewhere = {name: f"{base}/{end}" for name, end in others.items()}
            return Question(f"{base}/chat/completions", messages, elsewhere)
        case _:
            return _inference_service(doc, spec, *place, verb="explain" if explains else "predict")


def _seldon(spec: Mapping[str, Any], namespace: str, name: str) -> Question:
    base = f"/seldon/{namespace}/{name}"
    predictors = spec.get("predictors") or [{}]
    model = (predictors[0].get("graph") or {}).get("name", "")
    match spec.get("protocol"):
        case "v2" | "kfserving":
            return Question(f"{base}/v2/models/{model}/infer", tensors)
        case "tensorflow":
            return Question(f"{base}/v1/models/{model}:predict", instances)
        case _:
            return Question(f"{base}/api/v1.0/predictions", ndarray)


def _inference_service(
    doc: Mapping[str, Any], spec: Mapping[str, Any], namespace: str, name: str, *, verb: str
) -> Question:
    base = f"/serving/{namespace}/{name}"
    model = (spec.get("predictor") or {}).get("model") or {}
    status = doc.get("status") or {}
    runtime = status.get("clusterServingRuntimeName") or status.get("servingRuntimeName") or ""
    asked = str(model.get("protocolVersion") or ("v2" if runtime in _V2_RUNTIMES else "v1"))
    if asked.endswith("v2") and not spec.get("transformer"):
        word = "infer" if verb == "predict" else verb
        return Question(f"{base}/v2/models/{name}/{word}", tensors)
    return Question(f"{base}/v1/models/{name}:{verb}", instances)


def json_of(text: str) -> Any:
    """What somebody typed. Raises `UsageError` for what is no JSON."""
    try:
        return json.loads(text)
    except ValueError as problem:
        raise UsageError(f"--data is not JSON: {problem}; for example {_EXAMPLE} or '[[1,2]]'") from None


def only_api(described: str) -> str:
    """The path of the one API that a bento's OpenAPI description tells of. Raises `UsageError` naming them when there
    are several."""
    try:
        paths = json.loads(described)["paths"]
        found = sorted(path for path, methods in paths.items() if _BENTO_API in methods.get("post", {}).get("tags", ()))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UsageError("the bento does not describe its APIs as BentoML does; --path says which is asked") from None
    # What a task is asked besides lies below it.
    apis: list[str] = [path for path in found if path.rpartition("/")[0] not in found]
    if len(apis) == 1:
        return apis[0]
    listed = ", ".join(path.lstrip("/") for path in apis)
    raise UsageError(f"the bento has several APIs; say which: --path {listed}" if apis else "the bento has no API")


def ndarray(value: Any) -> Body:
    """Rows, or one row, or a text, for Seldon's protocol."""
    return {"strData": value} if isinstance(value, str) else {"data": {"ndarray": _rows(value)}}


def instances(value: Any) -> Body:
    """The same for V1, and TensorFlow Serving."""
    return {"instances": [value] if isinstance(value, str) else _rows(value)}


def messages(value: Any) -> Body:
    """A talk: its messages, or the one that a text is."""
    return {"messages": [{"role": "user", "content": value}] if isinstance(value, str) else value}


def tensors(value: Any) -> Body:
    """The same for V2: one tensor of whole numbers, of numbers, or of texts."""
    rows = [value] if isinstance(value, str) else _rows(value)
    cells = [cell for row in rows for cell in (row if isinstance(row, list) else [row])]
    shape = [len(rows), len(rows[0])] if rows and isinstance(rows[0], list) else [len(rows)]
    if len(cells) != (shape[0] * shape[1] if len(shape) > 1 else shape[0]):
        raise UsageError("--data: the rows are not of one length")
    return {"inputs": [{"name": "input-0", "shape": shape, "datatype": _datatype(cells), "data": cells}]}


def _rows(value: list[Any]) -> list[Any]:
    """A list of rows as it is; one row as a list of it; a list of texts or objects as the instances that they are."""
    if value and all(isinstance(row, list) for row in value):
        return value
    return value if value and all(isinstance(row, str | dict) for row in value) else [value]


def _datatype(cells: list[Any]) -> str:
    if all(isinstance(cell, str) for cell in cells):
        return "BYTES"
    if all(isinstance(cell, bool) for cell in cells):
        return "BOOL"
    return "INT64" if all(isinstance(cell, int) for cell in cells) else "FP64"
