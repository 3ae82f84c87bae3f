"""What variables ask of tracing."""

import pytest

from fairlead.dataplane.tracing.settings import settings_of
from fairlead.protocols.trace_context import Propagator

OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"JAEGER_AGENT_HOST": "jaeger"},
        {"TRACING": "0", "JAEGER_AGENT_HOST": "jaeger"},
        OTLP | {"OTEL_SDK_DISABLED": "true"},
        OTLP | {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_unless_somebody_asks(env: dict[str, str]) -> None:
    assert settings_of(env, service="s") is None


@pytest.mark.parametrize(
    ("env", "endpoint"),
    [
        (OTLP, "http://collector:4318/v1/traces"),
        (OTLP | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://other/spans"}, "http://other/spans"),
        ({"TRACING": "1"}, "http://localhost:4318/v1/traces"),
        ({"TRACING": "1", "JAEGER_AGENT_HOST": "jaeger"}, "http://jaeger:4318/v1/traces"),
        ({"TRACING": "1", "JAEGER_ENDPOINT": "http://in:14268/api/traces"}, "http://in:4318/v1/traces"),
        ({"TRACING": "1", "JAEGER_AGENT_HOST": "jaeger"} | OTLP, "http://collector:4318/v1/traces"),
    ],
)
def test_spans_go_where_the_variables_say(env: dict[str, str], endpoint: str) -> None:
    found = settings_of(env, service="s")

    assert found is not None
    assert found.endpoint == endpoint


@pytest.mark.parametrize(
    ("env", "ratio", "obeys_parent"),
    [
        ({}, 1.0, True),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0.0, False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, 0.0, True),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, 0.25, True),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "7"}, 1.0, False),
        ({"JAEGER_SAMPLER_TYPE": "const", "JAEGER_SAMPLER_PARAM": "0"}, 0.0, True),
        ({"JAEGER_SAMPLER_TYPE": "probabilistic", "JAEGER_SAMPLER_PARAM": "0.1"}, 0.1, True),
        ({"JAEGER_SAMPLER_TYPE": "ratelimiting", "JAEGER_SAMPLER_PARAM": "2"}, 1.0, True),
    ],
)
def test_sampling(env: dict[str, str], ratio: float, obeys_parent: bool) -> None:
    found = settings_of(OTLP | env, service="s")

    assert found is not None
    assert (found.ratio, found.obeys_parent) == (ratio, obeys_parent)


@pytest.mark.parametrize(
    ("env", "propagators"),
    [
        ({}, (Propagator.W3C,)),
        ({"JAEGER_TRACE_PROPAGATION_TYPE": "b3"}, (Propagator.B3_MULTI,)),
        ({"OTEL_PROPAGATORS": "b3"}, (Propagator.B3,)),
        ({"OTEL_PROPAGATORS": "tracecontext,baggage,b3multi"}, (Propagator.W3C, Propagator.B3_MULTI)),
        ({"OTEL_PROPAGATORS": "xray"}, (Propagator.W3C,)),
    ],
)
def test_propagators(env: dict[str, str], propagators: tuple[Propagator, ...]) -> None:
    found = settings_of(OTLP | env, service="s")

    assert found is not None
    assert found.propagators == propagators


def test_names_headers_and_attributes() -> None:
    env = OTLP | {
        "JAEGER_SERVICE_NAME": "old",
        "OTEL_RESOURCE_ATTRIBUTES": "team=ml,zone=a%20b",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=se%3Dcret",
    }
    found = settings_of(env, service="s")

    assert found is not None
    assert found.service == "old"
    assert found.headers == (("api-key", "se=cret"),)
    assert found.attributes == (("team", "ml"), ("zone", "a b"))
    named = settings_of(env | {"OTEL_SERVICE_NAME": "new"}, service="s")
    assert named is not None
    assert named.service == "new"
