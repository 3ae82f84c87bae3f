"""From a parsed document to typed values, with every mistake of type at once.

Texts follow the API server's for the same mistakes (`Required value`, `Unsupported value`, `Invalid value`), since
this is what a cluster checks before any webhook sees the object.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fairlead.dialects.base import Document
from fairlead.dialects.document import render_path
from fairlead.dialects.seldon.schema import GROUP, KIND, MAX_DEPTH, VERSIONS, SeldonDeployment
from fairlead.errors import InvalidManifest, Problem, Where

_TYPE_NAMES = {
    "string_type": "string",
    "int_type": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "bool_type": "boolean",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
}
# pydantic names the tried member of a union in an error's place; these are not part of the document's path.
_UNION_MEMBERS = frozenset({"str", "int", "float"})


def read(doc: Document) -> SeldonDeployment:
    """The typed document. Raises `InvalidManifest` with every field of the wrong type."""
    problems = [*_identity_problems(doc), *_depth_problems(doc)]
    if not problems:
        try:
            return SeldonDeployment.model_validate(dict(doc))
        except ValidationError as error:
            problems = _type_problems(error.errors(include_url=False, include_context=True))
    raise InvalidManifest(problems, message=_summary(doc, problems))


def _identity_problems(doc: Document) -> list[Problem]:
    problems = []
    if doc.get("kind") != KIND:
        problems.append(_problem("kind", f"Invalid value: {_quoted(doc.get('kind'))}: must be {KIND}"))
    supported = [f"{GROUP}/{version}" for version in VERSIONS]
    if doc.get("apiVersion") not in supported:
        known = ", ".join(_quoted(version) for version in supported)
        got = _quoted(doc.get("apiVersion"))
        problems.append(_problem("apiVersion", f"Unsupported value: {got}: supported values: {known}"))
    return problems


def _depth_problems(doc: Document) -> list[Problem]:
    """A graph nested deeper than the schema knows. A cluster drops what is deeper without a word; we refuse it."""
    spec = doc.get("spec")
    predictors = spec.get("predictors") if isinstance(spec, Mapping) else None
    if not isinstance(predictors, list):
        return []
    return [
        _problem(
            f"spec.predictors[{index}].graph",
            f"Invalid value: nested too deep: a graph has at most {MAX_DEPTH} levels of children",
        )
        for index, predictor in enumerate(predictors)
        if isinstance(predictor, Mapping) and _is_too_deep(predictor.get("graph"))
    ]


def _is_too_deep(graph: Any) -> bool:
    level = [graph]
    for _ in range(MAX_DEPTH + 1):
        children = [node.get("children") for node in level if isinstance(node, Mapping)]
        level = [child for group in children if isinstance(group, list) for child in group]
    return bool(level)


def _type_problems(details: Sequence[ErrorDetails]) -> list[Problem]:
    problems: dict[str, Problem] = {}
    for detail in details:
        parts = [part for part in detail["loc"] if part not in _UNION_MEMBERS]
        path = render_path(parts)
        if path not in problems:
            problems[path] = _problem(path, _message(detail))
    return list(problems.values())


def _message(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "missing":
        return "Required value"
    got = _quoted(detail["input"])
    if kind == "literal_error":
        expected = str(detail.get("ctx", {}).get("expected", "")).replace("'", '"').replace(' or ""', "")
        return f"Unsupported value: {got}: supported values: {expected.replace(' or ', ', ')}"
    if kind == "greater_than_equal":
        return f"Invalid value: {got}: must be greater than or equal to {detail['ctx']['ge']}"
    if kind in _TYPE_NAMES:
        return f"Invalid value: {got}: must be of type {_TYPE_NAMES[kind]}, not {_json_type(detail['input'])}"
    return f"Invalid value: {got}: {detail['msg']}"


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names: tuple[tuple[type, str], ...] = (
        (str, "string"),
        (int, "integer"),
        (float, "number"),
        (Mapping, "object"),
        (list, "array"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _quoted(value: Any) -> str:
    """A scalar as JSON; of an object or array only its type, since it may be long and hold a secret."""
    if isinstance(value, str | int | float) or value is None:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(_json_type(value))


def _problem(path: str, message: str) -> Problem:
    return Problem(where=Where(path=path), message=message, field=path)


def _summary(doc: Document, problems: Sequence[Problem]) -> str:
    metadata = doc.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, Mapping) else ""
    texts = [f"{problem.field}: {problem.message}" for problem in problems]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return f'{KIND}.{GROUP} "{name}" is invalid: {listed}'
