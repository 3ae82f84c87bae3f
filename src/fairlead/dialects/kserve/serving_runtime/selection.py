"""Which runtime serves a model.

A model that names its runtime gets that one or none. For the others a runtime of the namespace comes before any of the
cluster, whatever their priorities; within each the priority decides, then the protocols, then who is newest.
Texts are those of KServe's controller, as Events, conditions and `modelStatus` show them.
`tests/dialects/kserve/serving_runtime/test_selection.py` holds the order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.kserve.serving_runtime import hints
from fairlead.dialects.kserve.serving_runtime.reading import Runtimes
from fairlead.dialects.kserve.serving_runtime.schema import SERVER_TYPE, ServingRuntime
from fairlead.errors import Problem, UnrunnableManifest, Where

PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")
"""By rank, the best first."""
DEFAULT_PROTOCOL = "v1"


class NoRuntime(UnrunnableManifest):
    """No runtime serves a model. `failure` is the reason of `modelStatus.lastFailureInfo` and `told` its message; the
    text of the error is the controller's own, and after it what would be served."""

    def __init__(self, text: str, *, failure: str, told: str, hint: str = "") -> None:
        text = f"{text}; {hint}" if hint else text
        super().__init__([Problem(where=Where(path="spec.predictor.model"), message=text)], message=text)
        self.failure = failure
        self.told = told

    def located(self, problems: Sequence[Problem]) -> UnrunnableManifest:
        """The same refusal with its problems as they are found in a file."""
        return UnrunnableManifest(problems, message=str(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a model asks of a runtime. `version` and `protocol` are `None` when it does not say."""

    format: str
    version: str | None = None
    protocol: str | None = None
    runtime: str = ""
    is_multi_node: bool = False


@dataclass(frozen=True, slots=True)
class Selected:
    """The runtime, and the protocol that the model is served by."""

    runtime: ServingRuntime
    protocol: str | None

    def resolved(self) -> dict[str, Any]:
        """The runtime as JSON, with what its annotation says of its server: `{kind, name, spec, serverType}`."""
        spec, annotations = self.runtime.spec, self.runtime.metadata.annotations
        return {
            "kind": self.runtime.kind,
            "name": self.runtime.metadata.name,
            "spec": spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
            "serverType": annotations.get(SERVER_TYPE) or spec.annotations.get(SERVER_TYPE, ""),
        }


def select(request: Request, runtimes: Runtimes) -> Selected:
    """The runtime for a model. Raises `NoRuntime`."""
    runtime = _named(request, runtimes) if request.runtime else _best(request, runtimes)
    return Selected(runtime, request.protocol or _best_protocol(runtime))


def supports_format(runtime: ServingRuntime, request: Request, *, only_auto: bool) -> bool:
    """Whether a runtime serves a format. A version is text: `1.0` is not `1`, and no entry without one serves it."""
    entries = [entry for entry in runtime.spec.supported_model_formats if entry.auto_select or not only_auto]
    if request.version is None:
        return any(entry.name == request.format for entry in entries)
    return any((entry.name, entry.version) == (request.format, request.version) for entry in entries)


def supports_protocol(runtime: ServingRuntime, protocol: str) -> bool:
    """Whether a runtime speaks a protocol; one that lists none speaks them all."""
    return not runtime.spec.protocol_versions or protocol in runtime.spec.protocol_versions


def _named(request: Request, runtimes: Runtimes) -> ServingRuntime:
    name = request.runtime
    everyone = (*runtimes.namespaced, *runtimes.cluster)
    runtime = next((item for item in everyone if item.metadata.name == name), None)
    if runtime is None:
        raise NoRuntime(
            f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}",
            failure="RuntimeNotRecognized",
            told="Waiting for runtime to become available",
            hint=hints.near(name, (item.metadata.name for item in everyone), "the runtimes are"),
        )
    if runtime.spec.disabled:
        raise NoRuntime(
            f"specified runtime {name} is disabled",
            failure="RuntimeDisabled",
            told="Specified runtime is disabled",
            hint=f"take `disabled` out of the {runtime.kind}, or `runtime` out of the model",
        )
    if request.protocol and not supports_protocol(runtime, request.protocol):
        raise _unfit(name, "protocol version", hints.of_protocol(runtime))
    if not supports_format(runtime, request, only_auto=False):
        raise _unfit(name, "framework/version", hints.of_server(runtime))
    return runtime


def _unfit(name: str, what: str, hint: str) -> NoRuntime:
    return NoRuntime(
        f"specified runtime {name} does not support specified {what}",
        failure="NoSupportingRuntime",
        told=f"Specified runtime does not support specified {what}",
        hint=hint,
    )


def _best(request: Request, runtimes: Runtimes) -> ServingRuntime:
    for scope in (runtimes.namespaced, runtimes.cluster):
        candidates = ordered((item for item in scope if _may_serve(item, request)), request.format)
        if candidates:
            return candidates[0]
    raise NoRuntime(
        f"no runtime found to support predictor with model type: {{{request.format} {request.version or '<nil>'}}}",
        failure="NoSupportingRuntime",
        told="No runtime found to support specified framework/version",
        hint=_hint(request, runtimes),
    )


def _hint(request: Request, runtimes: Runtimes) -> str:
    everyone = [item for item in (*runtimes.namespaced, *runtimes.cluster) if _is_offered(item, request)]
    return hints.of_format(request.format, request.version, request.protocol or DEFAULT_PROTOCOL, everyone)


def _is_offered(runtime: ServingRuntime, request: Request) -> bool:
    spec = runtime.spec
    return not spec.disabled and not spec.multi_model and (spec.worker_spec is not None) == request.is_multi_node


def _may_serve(runtime: ServingRuntime, request: Request) -> bool:
    return (
        _is_offered(runtime, request)
        and supports_format(runtime, request, only_auto=True)
        and supports_protocol(runtime, request.protocol or DEFAULT_PROTOCOL)
    )


def ordered(runtimes: Iterable[ServingRuntime], model_format: str) -> list[ServingRuntime]:
    """The runtimes of one scope, the best first. Sorts are stable: the last one decides first."""
    result = sorted(runtimes, key=lambda item: item.metadata.name)
    result.sort(key=lambda item: item.metadata.creation_timestamp, reverse=True)
    result.sort(key=_protocol_rank)
    result.sort(key=lambda item: -(_priority(item, model_format) or 0))
    return result


def _priority(runtime: ServingRuntime, model_format: str) -> int | None:
    """Of the first entry of that name, whatever its version; `None` comes after every number."""
    entries = runtime.spec.supported_model_formats
    return next((entry.priority for entry in entries if entry.name == model_format), None)


def _protocol_rank(runtime: ServingRuntime) -> int:
    best = _best_protocol(runtime)
    return PROTOCOLS.index(best) if best else len(PROTOCOLS)


def _best_protocol(runtime: ServingRuntime) -> str | None:
    return next((protocol for protocol in PROTOCOLS if protocol in runtime.spec.protocol_versions), None)
