"""The rules that an LLMInferenceService and a configuration must keep."""

import re
from collections.abc import Iterator, Sequence

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.llm.schema import GROUP, VERSIONS, LlmSpec, Workload
from fairlead.dialects.kserve.storage_uris import supported_scheme, unsupported
from fairlead.dialects.reading import Identity, problem, quoted
from fairlead.errors import InvalidManifest, Problem

_NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"
_LONGEST = 53  # what a cluster's objects add to it must fit into a label


def validate(doc: Document, spec: LlmSpec) -> None:
    """Raise `InvalidManifest` with every broken rule of one document. What it lacks may be in another."""
    _refuse(doc, [*_of_name(doc["metadata"].get("name", "")), *_of_spec(spec)])


def whole(doc: Document, spec: LlmSpec) -> None:
    """Raise `InvalidManifest` for what a service with all its configurations gets wrong, or lacks."""
    _refuse(doc, [*_of_spec(spec), *_needed(spec)])


def _refuse(doc: Document, problems: Sequence[Problem]) -> None:
    if problems:
        identity = Identity(GROUP, VERSIONS, str(doc.get("kind", "")))
        raise InvalidManifest(problems, message=identity.summary(doc, problems))


def _of_name(name: str) -> Iterator[Problem]:
    if not re.fullmatch(_NAME, name) or len(name) > _LONGEST:
        text = (
            f"Invalid value: {quoted(name)}: must be at most {_LONGEST} lower case letters, digits or '-', and begin "
            "with a letter"
        )
        yield problem("metadata.name", text)


def _needed(spec: LlmSpec) -> Iterator[Problem]:
    if spec.model is None or not spec.model.uri:
        yield problem("spec.model.uri", "Required value: where the model is, for example hf://org/name")


def _of_spec(spec: LlmSpec) -> Iterator[Problem]:
    yield from _of_workload("spec", spec)
    if spec.prefill is not None:
        yield from _of_workload("spec.prefill", spec.prefill)
    model = spec.model
    if model is None:
        return
    if model.uri and not supported_scheme(model.uri):
        yield problem("spec.model.uri", unsupported(model.uri))
    if model.lora is not None and model.lora.adapters:
        text = (
            "LoRA adapters are not served here: they are vLLM's. Merge an adapter into its "
            "model (peft's merge_and_unload) and serve that, or run vLLM itself as a container under another image name"
        )
        yield problem("spec.model.lora.adapters", text)


def _of_workload(path: str, workload: Workload) -> Iterator[Problem]:
    if workload.replicas is not None and workload.scaling is not None:
        text = (
            "replicas and scaling are mutually exclusive; use scaling for autoscaled deployments or replicas for "
            "static deployments"
        )
        yield problem(path, text)
    scaling = workload.scaling
    if scaling is not None and (scaling.min_replicas or 0) > scaling.max_replicas:
        yield problem(f"{path}.scaling", "minReplicas cannot exceed maxReplicas")
