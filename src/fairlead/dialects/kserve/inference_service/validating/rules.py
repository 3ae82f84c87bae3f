"""All rules over one InferenceService. `tests/golden/kserve/validation` has a folder for each text."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.kserve.config import LEGACY_MODES, MODES, InferenceServiceConfig
from fairlead.dialects.kserve.inference_service.defaults import DEPLOYMENT_MODE
from fairlead.dialects.kserve.inference_service.schema import InferenceService
from fairlead.dialects.kserve.inference_service.validating.canaries import canary_problems
from fairlead.dialects.kserve.inference_service.validating.components import component_problems
from fairlead.dialects.kserve.inference_service.validating.implementations import implementation_problems
from fairlead.dialects.kserve.inference_service.validating.scaling import autoscaler_problems, scaling_problems
from fairlead.dialects.kserve.inference_service.validating.storage import (
    explainer_storage_problems,
    predictor_storage_problems,
)
from fairlead.dialects.kserve.inference_service.validating.updates import update_problems
from fairlead.dialects.kserve.inference_service.validating.walking import components_of
from fairlead.dialects.kserve.inference_service.validating.workers import worker_problems
from fairlead.dialects.kserve.problems import go_quoted, problem, refuse
from fairlead.errors import Problem

_NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"


def validate(
    isvc: InferenceService, raw: Mapping[str, Any], old: InferenceService | None, config: InferenceServiceConfig
) -> None:
    """Raise `InvalidManifest` with every broken rule. `raw` is the document as JSON, `old` what it replaces."""
    problems = list(_problems(isvc, raw, config))
    if old is not None:
        problems += update_problems(isvc, old)
    refuse(problems)


def _problems(isvc: InferenceService, raw: Mapping[str, Any], config: InferenceServiceConfig) -> Iterator[Problem]:
    annotations, spec, name = isvc.metadata.annotations, isvc.spec, isvc.metadata.name
    mode = annotations.get(DEPLOYMENT_MODE, "")
    is_standard = LEGACY_MODES.get(mode, mode) == "Standard"
    yield from _name_problems(name)
    yield from _mode_problems(mode)
    yield from autoscaler_problems(annotations)
    yield from implementation_problems(name, spec)
    for path, component in components_of(spec):
        yield from component_problems(component, path)
        yield from scaling_problems(component, path, annotations, is_standard=is_standard)
    yield from predictor_storage_problems(spec.predictor, "spec.predictor")
    if spec.explainer is not None:
        yield from explainer_storage_problems(spec.explainer)
    yield from worker_problems(name, spec.predictor, annotations, config.multi_node.custom_gpu_resource_type_list)
    yield from canary_problems(spec, raw["spec"], is_standard=is_standard)


def _mode_problems(mode: str) -> Iterator[Problem]:
    """KServe takes any word, and runs what it does not know as in Standard mode without saying so."""
    if mode and LEGACY_MODES.get(mode, mode) not in MODES:
        text = f'Unsupported value: "{mode}": supported values: {", ".join(go_quoted(known) for known in MODES)}'
        yield problem(f"metadata.annotations.{DEPLOYMENT_MODE}", text)


def _name_problems(name: str) -> Iterator[Problem]:
    """A service's name is part of its host names."""
    if not re.fullmatch(_NAME, name):
        text = (
            f'the InferenceService "{name}" is invalid: a InferenceService name must consist of lower case '
            f"alphanumeric characters or '-', and must start with alphabetical character. "
            f'(e.g. "my-name" or "abc-123", regex used for validation is \'{_NAME}\')'
        )
        yield problem("metadata.name", text)
