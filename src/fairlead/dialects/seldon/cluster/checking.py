"""Whether a user's pods are such that something can be added to them: every field is of its type, and every container
has a name of its own. What is allowed in a field, the API server knows.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.inline_pods import InlineContainer, InlinePod
from fairlead.dialects.reading import type_problems

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""What names of objects and containers are made of."""


def check_pods(doc: Document, findings: Findings) -> None:
    """Find every such mistake of a document whose known fields are right."""
    for path, spec in _pods(doc):
        _check_types(InlinePod, spec, path, findings)
        for field in ("containers", "initContainers"):
            for index, container in enumerate(spec.get(field) or []):
                _check_types(InlineContainer, container, f"{path}.{field}[{index}]", findings)
        for index, secret in enumerate(spec.get("imagePullSecrets") or []):
            if not isinstance(secret, Mapping) or not isinstance(secret.get("name", ""), str):
                findings.refuse(f"{path}.imagePullSecrets[{index}]", "must be an object with the name of a Secret")
        _check_names([str(item.get("name") or "") for item in spec["containers"]], f"{path}.containers", findings)
    for index, predictor in enumerate(doc["spec"]["predictors"]):
        container = (predictor.get("explainer") or {}).get("containerSpec") or {}
        _check_types(InlineContainer, container, f"spec.predictors[{index}].explainer.containerSpec", findings)


def _pods(doc: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Specs of pods, by their paths."""
    for index, predictor in enumerate(doc["spec"]["predictors"]):
        for number, pod in enumerate(predictor.get("componentSpecs") or []):
            yield f"spec.predictors[{index}].componentSpecs[{number}].spec", pod["spec"]


def _check_types(model: type[BaseModel], value: Mapping[str, Any], path: str, findings: Findings) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        for problem in type_problems(error.errors(include_url=False)):
            findings.refuse(f"{path}.{problem.field}", problem.message)


def _check_names(names: list[str], path: str, findings: Findings) -> None:
    for position, name in enumerate(names):
        if not NAME.fullmatch(name):
            message = f"{name!r} is no name of a container: those have lower-case letters, digits and '-'"
            findings.refuse(f"{path}[{position}].name", message)
        elif name in names[:position]:
            findings.refuse(f"{path}[{position}].name", f"{name!r} is the name of another container here")
