"""Reading `seldon.io/*` annotations: where each is looked up and how its text is read.

A text that cannot be read is a warning and the annotation has no effect, as upstream; it never stops a manifest.
"""

import difflib
import re
from collections.abc import Mapping

from fairlead.dialects import access
from fairlead.dialects.findings import Findings
from fairlead.dialects.seldon.schema import PredictorSpec, SeldonDeployment
from fairlead.plan.model import Batching, HeaderMatch, Limits

REST_TIMEOUT, GRPC_TIMEOUT = "seldon.io/rest-timeout", "seldon.io/grpc-timeout"
SERVICE_NAME, HEADER = "seldon.io/ambassador-service-name", "seldon.io/ambassador-header"
REGEX_HEADER = "seldon.io/ambassador-regex-header"
ISTIO_HOST, ISTIO_RETRIES, RETRIES = "seldon.io/istio-host", "seldon.io/istio-retries", "seldon.io/ambassador-retries"
ENVIRONMENT = "fairlead.dev/environment"
LOG_REDACT = "fairlead.dev/log-redact"
BATCH_SIZE, BATCH_LATENCY = "fairlead.dev/batch-size", "fairlead.dev/batch-latency-ms"
CONCURRENCY, QUEUE = "fairlead.dev/max-concurrency", "fairlead.dev/max-queue"
FUSE = "fairlead.dev/fuse"
_OURS = "fairlead.dev/"
_KNOWN = (ENVIRONMENT, LOG_REDACT, BATCH_SIZE, BATCH_LATENCY, CONCURRENCY, QUEUE, FUSE, *access.ANNOTATIONS)
MESSAGE_SIZE = "seldon.io/grpc-max-message-size"
ENGINE_PREFIX, SEPARATE_ENGINE = "seldon.io/engine-", "seldon.io/engine-separate-pod"

_WORKER = frozenset(
    {
        ENVIRONMENT,
        GRPC_TIMEOUT,
        REST_TIMEOUT,
        "seldon.io/executor-logger-queue-size",
        "seldon.io/executor-logger-write-timeout-ms",
        MESSAGE_SIZE,
    }
)
_CLUSTER_ONLY = ("seldon.io/ambassador-config",)
"""Annotations whose loss their author should hear about."""


def of_deployment(sdep: SeldonDeployment) -> Mapping[str, str]:
    """Settings of the whole deployment: `spec.annotations` win over the object's own."""
    return {**sdep.metadata.annotations, **sdep.spec.annotations}


def of_predictor(sdep: SeldonDeployment, predictor: PredictorSpec) -> dict[str, str]:
    """Settings of a predictor, as its pod would carry them; the object's own annotations come last."""
    pod = predictor.component_specs[0].metadata.annotations if predictor.component_specs else {}
    return {**sdep.metadata.annotations, **sdep.spec.annotations, **predictor.annotations, **pod}


def of_worker(settings: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The settings that a running worker reads; a change of any other restarts nothing."""
    return tuple(sorted((key, value) for key, value in settings.items() if key in _WORKER))


def timeout_s(annotations: Mapping[str, str], name: str, findings: Findings) -> float | None:
    """Milliseconds in the annotation, seconds here; `None` when absent."""
    milliseconds = number(annotations, name, findings)
    return milliseconds / 1000 if milliseconds else None


def number(annotations: Mapping[str, str], name: str, findings: Findings) -> int | None:
    """A whole number that is not negative."""
    text = annotations.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text):
        findings.warn(f"annotation {name} is ignored: {text!r} is not a whole number of 0 or more")
        return None
    return int(text)


def redacted_fields(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Paths of JSON fields whose values no payload log may hold, from a list with commas."""
    return tuple(path.strip() for path in annotations.get(LOG_REDACT, "").split(",") if path.strip())


def batching(annotations: Mapping[str, str], findings: Findings) -> Batching | None:
    """How requests are gathered; `None` when neither annotation asks for it."""
    rows, milliseconds = number(annotations, BATCH_SIZE, findings), number(annotations, BATCH_LATENCY, findings)
    if not rows and not milliseconds:
        return None
    default = Batching()
    return Batching(
        max_rows=rows or default.max_rows,
        max_latency_s=milliseconds / 1000 if milliseconds else default.max_latency_s,
    )


def limits(annotations: Mapping[str, str], findings: Findings) -> Limits:
    """How much a replica takes at once."""
    queue = number(annotations, QUEUE, findings)
    return Limits(
        concurrency=number(annotations, CONCURRENCY, findings) or 0,
        waiting=Limits().waiting if queue is None else queue,
    )


def headers(annotations: Mapping[str, str], findings: Findings) -> tuple[HeaderMatch, ...]:
    """The headers that requests must carry, exact ones first."""
    found = []
    for name, is_regex in ((HEADER, False), (REGEX_HEADER, True)):
        text = annotations.get(name, "").strip()
        if not text:
            continue
        key, colon, value = (part.strip() for part in text.partition(":"))
        if not colon or not key:
            findings.warn(f"annotation {name} is ignored: {text!r} is not written as `header: value`")
            continue
        if is_regex and not _is_regex(value):
            findings.warn(f"annotation {name} is ignored: {value!r} is not a regular expression")
            continue
        found.append(HeaderMatch(name=key.lower(), value=value.strip("\"'"), is_regex=is_regex))
    return tuple(found)


def istio_hosts(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """The hosts that requests must name; the empty one stands for any."""
    hosts = [host.strip().lower() for host in annotations.get(ISTIO_HOST, "*").split(",")]
    wanted = tuple(dict.fromkeys(host for host in hosts if host))
    return ("",) if "*" in wanted or not wanted else wanted


def engine_env(sdep: SeldonDeployment) -> dict[str, str]:
    """`seldon.io/engine-some-name` of the spec is the orchestrator's variable `SOME_NAME`."""
    return {
        key.removeprefix(ENGINE_PREFIX).replace("-", "_").upper(): value
        for key, value in sdep.spec.annotations.items()
        if key.startswith(ENGINE_PREFIX) and key != SEPARATE_ENGINE
    }


def warn_of_ignored(sdep: SeldonDeployment, findings: Findings) -> None:
    """Annotations that shape a gateway we do not have, and those that mean nothing anywhere."""
    for name in _CLUSTER_ONLY:
        if name in of_deployment(sdep):
            findings.warn(f"annotation {name} is ignored: there is no Ambassador to configure")
    warn_of_unknown(sdep, findings)


def warn_of_unknown(sdep: SeldonDeployment, findings: Findings) -> None:
    """Names of ours that mean nothing, and texts that cannot be read."""
    given = {name: value for predictor in sdep.spec.predictors for name, value in of_predictor(sdep, predictor).items()}
    number(given, MESSAGE_SIZE, findings)
    for name in sorted(given):
        if name.startswith(_OURS) and name not in _KNOWN:
            known = {text.removeprefix(_OURS): text for text in _KNOWN}
            near = difflib.get_close_matches(name.removeprefix(_OURS), known, n=1)
            hint = f"did you mean {known[near[0]]}?" if near else f"there are {', '.join(_KNOWN)}"
            findings.warn(f"annotation {name} is not known; {hint}")


def _is_regex(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True
