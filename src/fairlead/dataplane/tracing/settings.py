"""What an environment asks of tracing: OpenTelemetry's own variables, and those of the Jaeger client that Seldon's
manifests have (specs/seldon 3.11). Nothing is imported here that a worker without tracing would not have.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from fairlead.protocols.trace_context import USUAL, Propagator

log = logging.getLogger(__name__)

_TRUE = frozenset(("1", "true", "yes", "on", "t"))
_OTLP_PORT = 4318
_LOCAL = f"http://localhost:{_OTLP_PORT}"
_RATIO = {"always_on": 1.0, "always_off": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingSettings:
    """`endpoint` is the whole URL that spans are posted to. `ratio` of the traces that begin here are recorded; those
    that began elsewhere as it was decided there, unless `obeys_parent` is false."""

    endpoint: str
    service: str
    ratio: float = 1.0
    obeys_parent: bool = True
    propagators: tuple[Propagator, ...] = USUAL
    headers: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


def settings_of(env: Mapping[str, str], *, service: str) -> TracingSettings | None:
    """`None` when nobody asks for tracing. `service` is the name if nothing else is said."""
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true" or env.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return None
    endpoint = _endpoint(env)
    if not endpoint:
        return None
    ratio, obeys_parent = _sampling(env)
    attributes = dict(_pairs(env.get("OTEL_RESOURCE_ATTRIBUTES", "")))
    named = env.get("OTEL_SERVICE_NAME") or attributes.get("service.name") or env.get("JAEGER_SERVICE_NAME") or service
    given = env.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or env.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    return TracingSettings(
        endpoint=endpoint,
        service=named,
        ratio=ratio,
        obeys_parent=obeys_parent,
        propagators=_propagators(env),
        headers=_pairs(given),
        attributes=tuple(attributes.items()),
    )


def _endpoint(env: Mapping[str, str]) -> str:
    own = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if own:
        return own
    base = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not base and env.get("TRACING", "").lower() in _TRUE:
        base = _of_jaeger(env)
    return f"{base.rstrip('/')}/v1/traces" if base else ""


def _of_jaeger(env: Mapping[str, str]) -> str:
    """Jaeger's own formats are gone from Jaeger itself, which takes OTLP at the same host."""
    host = env.get("JAEGER_AGENT_HOST", "")
    told = env.get("JAEGER_ENDPOINT", "")
    if told:
        host = urlsplit(told).hostname or host
    return f"http://{host}:{_OTLP_PORT}" if host else _LOCAL


def _sampling(env: Mapping[str, str]) -> tuple[float, bool]:
    name = env.get("OTEL_TRACES_SAMPLER", "")
    if name:
        plain = name.removeprefix("parentbased_")
        ratio = _RATIO.get(plain)
        if ratio is None:
            if plain != "traceidratio":
                log.warning("OTEL_TRACES_SAMPLER=%s is not known; every trace is recorded", name)
            ratio = _number(env, "OTEL_TRACES_SAMPLER_ARG", 1.0)
        return ratio, plain != name
    kind = env.get("JAEGER_SAMPLER_TYPE", "")
    if kind and kind not in ("const", "probabilistic"):
        log.warning(
            "JAEGER_SAMPLER_TYPE=%s is not supported, const and probabilistic are; every trace is recorded", kind
        )
        return 1.0, True
    return (_number(env, "JAEGER_SAMPLER_PARAM", 1.0) if kind else 1.0), True


def _number(env: Mapping[str, str], name: str, usual: float) -> float:
    text = env.get(name, "")
    try:
        return min(1.0, max(0.0, float(text))) if text else usual
    except ValueError:
        log.warning("%s=%s is no number; %g counts", name, text, usual)
        return usual


def _propagators(env: Mapping[str, str]) -> tuple[Propagator, ...]:
    if env.get("JAEGER_TRACE_PROPAGATION_TYPE", "").lower() == "b3" and not env.get("OTEL_PROPAGATORS"):
        return (Propagator.B3_MULTI,)
    found = []
    for name in filter(None, re.split(r"[,\s]+", env.get("OTEL_PROPAGATORS", ""))):
        if name in tuple(Propagator):
            found.append(Propagator(name))
        elif name not in ("baggage", "none"):  # baggage passes through untouched, as every header does
            log.warning("OTEL_PROPAGATORS: %s is not known; %s are", name, ", ".join(Propagator))
    return tuple(dict.fromkeys(found)) or USUAL


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    parts = (part.partition("=") for part in text.split(",") if "=" in part)
    return tuple((unquote(name.strip()), unquote(value.strip())) for name, _, value in parts)
