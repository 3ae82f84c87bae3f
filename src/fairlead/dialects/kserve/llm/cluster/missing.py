"""What an LLMInferenceService may ask for that is not done in a cluster. What a model could not run without is refused;
the rest is said in sentences that end up in a condition and in Events, and the service runs without."""

from collections.abc import Iterator

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.llm.schema import LlmSpec


def find_missing(spec: LlmSpec, findings: Findings) -> None:
    """Refuse and warn."""
    for path, message in _refused(spec):
        findings.lack(path, message)
    for sentence in _unused(spec):
        findings.warn(sentence)


def _refused(spec: LlmSpec) -> Iterator[tuple[str, str]]:
    if spec.worker is not None:
        yield (
            "spec.worker",
            "a model is not spread over several nodes; give one pod enough devices by parallelism.tensor",
        )
    parallelism = spec.parallelism
    if parallelism is None:
        return
    for name in ("pipeline", "data"):
        if (getattr(parallelism, name) or 1) > 1:
            yield (
                f"spec.parallelism.{name}",
                "needs pods that work together, which are not made; use parallelism.tensor",
            )
    if parallelism.expert:
        yield "spec.parallelism.expert", "needs pods that work together, which are not made; use parallelism.tensor"


def _unused(spec: LlmSpec) -> Iterator[str]:
    router = spec.router
    if router is not None:
        if router.scheduler is not None:
            yield (
                "spec.router.scheduler is not used: there is no InferencePool and no endpoint picker; the Service "
                "shares connections among the replicas"
            )
        http = router.route.http if router.route is not None else None
        if http is not None and http.spec is not None:
            yield "spec.router.route.http.spec is not used: the route is our own; name one of yours in refs instead"
        if router.ingress is not None and router.ingress.refs:
            yield "spec.router.ingress.refs are not used: requests come by a route of Gateway API"
    if spec.prefill is not None:
        yield "spec.prefill is not used: each replica reads its prompts itself"
    if spec.tracing is not None:
        yield "spec.tracing is not used: traces are variables of the container main"
    if spec.kv_cache_offloading is not None:
        yield "spec.kvCacheOffloading is not used: the cache of keys and values has one tier"
    scaling = spec.scaling
    if scaling is not None:
        if scaling.wva is not None or scaling.keda is not None:
            yield (
                "spec.scaling: the Workload Variant Autoscaler and KEDA are not used: the share of the processor that "
                "replicas use decides"
            )
        if scaling.min_replicas == 0:
            yield "spec.scaling.minReplicas: 0 is taken for 1: nothing would wake the service again"
