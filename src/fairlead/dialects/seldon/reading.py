"""From a parsed document to a typed SeldonDeployment."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.reading import Identity, problem, read_as
from fairlead.dialects.seldon.schema import GROUP, KIND, MAX_DEPTH, VERSIONS, SeldonDeployment
from fairlead.errors import Problem

_IDENTITY = Identity(GROUP, VERSIONS, KIND)


def read(doc: Document) -> SeldonDeployment:
    """The typed document. Raises `InvalidManifest` with every field of the wrong type."""
    return read_as(SeldonDeployment, doc, _IDENTITY, _depth_problems(doc))


def _depth_problems(doc: Document) -> list[Problem]:
    """A graph nested deeper than the schema knows. A cluster drops what is deeper without a word; we refuse it."""
    spec = doc.get("spec")
    predictors = spec.get("predictors") if isinstance(spec, Mapping) else None
    if not isinstance(predictors, list):
        return []
    return [
        problem(
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
