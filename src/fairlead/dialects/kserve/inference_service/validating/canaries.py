"""Canaries of Standard mode."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from fairlead.dialects.kserve.inference_service.canaries import effective
from fairlead.dialects.kserve.inference_service.schema import Canary, InferenceServiceSpec, Predictor
from fairlead.dialects.kserve.inference_service.validating.components import component_problems
from fairlead.dialects.kserve.inference_service.validating.implementations import predictor_problems
from fairlead.dialects.kserve.inference_service.validating.storage import predictor_storage_problems
from fairlead.dialects.kserve.problems import go_quoted, problem
from fairlead.dialects.kserve.trained_model.parents import holds_models
from fairlead.errors import Problem

ALL = 100
_FIXED = {
    "max_replicas": "maxReplicas",
    "scale_target": "scaleTarget",
    "scale_metric": "scaleMetric",
    "auto_scaling": "autoScaling",
}


def canary_problems(spec: InferenceServiceSpec, raw: Mapping[str, Any], *, is_standard: bool) -> Iterator[Problem]:
    """Of all canaries. `raw` is the spec as JSON."""
    if not spec.canary:
        return
    if not is_standard:
        yield problem("spec.canary", "canary is only supported in Standard deployment mode")
    if holds_models({"spec": raw}):
        text = "canary requires a stable predictor with a model (multi-model serving is not supported with canary)"
        yield problem("spec.canary", text)
    yield from _name_problems(spec)
    for index, canary in enumerate(spec.canary):
        yield from _own_problems(canary, spec.predictor, f"spec.canary[{index}]")
        yield from _effective_problems(canary, raw["predictor"], raw["canary"][index], f"spec.canary[{index}]")
    total = sum(canary.traffic_percent for canary in spec.canary)
    if total > ALL:
        yield problem("spec.canary", f"sum of canary trafficPercent values ({total}) must be <= 100")


def _name_problems(spec: InferenceServiceSpec) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, canary in enumerate(spec.canary):
        name, path = canary.predictor.name, f"spec.canary[{index}].predictor.name"
        if not name:
            yield problem(path, f"canary[{index}] predictor.name is required")
        elif name in seen:
            yield problem(path, f"canary predictor.name {go_quoted(name)} is duplicated")
        elif name == spec.predictor.name:
            yield problem(path, f"canary predictor.name {go_quoted(name)} conflicts with stable predictor name")
        seen.add(name)


def _own_problems(canary: Canary, stable: Predictor, path: str) -> Iterator[Problem]:
    predictor, label = canary.predictor, f"canary {go_quoted(canary.predictor.name)}"
    if not 0 <= canary.traffic_percent <= ALL:
        text = f"{label} trafficPercent must be between 0 and 100, got {canary.traffic_percent}"
        yield problem(f"{path}.trafficPercent", text)
    if predictor.worker_spec is not None:
        text = f"{label} must not set workerSpec (multi-node is not yet supported for canary)"
        yield problem(f"{path}.predictor.workerSpec", text)
    for attribute, name in _FIXED.items():
        if getattr(predictor, attribute):
            text = f"{label} must not set {name} (canary uses fixed replicas)"
            yield problem(f"{path}.predictor.{name}", text)
    least, most = predictor.min_replicas or 0, 1 if stable.min_replicas is None else stable.min_replicas
    if least > most:
        text = f"{label} minReplicas ({least}) must not exceed stable predictor minReplicas ({most})"
        yield problem(f"{path}.predictor.minReplicas", text)


def _effective_problems(
    canary: Canary, stable: Mapping[str, Any], raw: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    """What is wrong with the predictor that the canary makes of the stable one, and not with the stable one itself."""
    place = f"{path}.predictor"
    try:
        predictor = Predictor.model_validate(effective(stable, raw["predictor"]))
        before = {item.message for item in _problems(Predictor.model_validate(dict(stable)), place)}
    except ValidationError:
        return
    for found in _problems(predictor, place):
        if found.message not in before:
            yield problem(found.field, f"canary {go_quoted(canary.predictor.name)} predictor: {found.message}")


def _problems(predictor: Predictor, path: str) -> Sequence[Problem]:
    return [
        *predictor_problems(predictor, path),
        *component_problems(predictor, path),
        *predictor_storage_problems(predictor, path),
    ]
