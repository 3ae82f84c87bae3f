"""What an LLMInferenceService may ask for that takes a cluster, GPUs or vLLM's own server: said once, in sentences that
end up in a condition and in Events. The service runs without."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.kserve.llm.schema import LlmSpec, Parallelism, Workload

_ONE = "there is one machine"


def missing(spec: LlmSpec) -> Iterator[str]:
    """A sentence for each thing that is not there."""
    router = spec.router
    if router is not None:
        if router.scheduler is not None:
            yield (
                "spec.router.scheduler is not used: there is no InferencePool and no endpoint picker; the replica with "
                "the fewest requests gets the next"
            )
        if _names_others(router.model_dump(exclude={"scheduler"}, exclude_defaults=True)):
            yield "spec.router: refs and specs of routes, gateways and ingresses are not used: there is one gateway"
    if spec.prefill is not None:
        yield f"spec.prefill is not used: {_ONE}, and each replica reads its prompts itself"
    if spec.tracing is not None:
        yield "spec.tracing is not used: traces are a setting of the installation"
    yield from _of_workload(spec)


def _of_workload(workload: Workload) -> Iterator[str]:
    if workload.worker is not None:
        yield f"spec.worker is not used: {_ONE}, and a model is not spread over several"
    if workload.parallelism is not None and _is_parallel(workload.parallelism):
        yield f"spec.parallelism is not used: {_ONE}, and each replica holds the whole model"
    if workload.kv_cache_offloading is not None:
        yield "spec.kvCacheOffloading is not used: the cache of keys and values has one tier, in memory"
    scaling = workload.scaling
    if scaling is not None and (scaling.wva is not None or scaling.keda is not None):
        yield (
            "spec.scaling: the Workload Variant Autoscaler and KEDA are not used: the number of requests under way "
            "decides, by Knative's rule"
        )


def _is_parallel(parallelism: Parallelism) -> bool:
    sizes = (parallelism.tensor, parallelism.pipeline, parallelism.data, parallelism.data_local)
    return parallelism.expert or any((size or 1) > 1 for size in sizes)


def _names_others(router: Mapping[str, Any]) -> bool:
    return any(
        key in ("refs", "spec") or (isinstance(value, Mapping) and _names_others(value))
        for key, value in router.items()
        if value
    )
