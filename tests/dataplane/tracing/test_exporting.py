"""A collector that is down costs two lines of the log and nothing else."""

import logging
from collections.abc import Callable

import pytest
from bench.ports import free_ports

from fairlead.dataplane.tracing.settings import settings_of
from support.otlp_collector import collector

pytestmark = pytest.mark.slow


def sender(endpoint: str) -> Callable[[], None]:
    """Sends one span at each call."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="not run: no OpenTelemetry here")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from fairlead.dataplane.tracing.exporting import Exporter

    settings = settings_of({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, service="test")
    assert settings is not None
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Exporter(settings.endpoint, {}, timeout_s=3)))
    return lambda: provider.get_tracer("test").start_span("one").end()


def test_a_collector_that_is_gone_and_comes_back_is_said_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (port,) = free_ports(1)
    send = sender(f"http://user:secret@127.0.0.1:{port}")

    send()
    send()
    with collector(port) as taking:
        send()
        send()

    where = f"the collector at http://127.0.0.1:{port}/v1/traces"
    assert [record.getMessage() for record in caplog.records] == [
        f"{where} takes no spans: [Errno 111] Connection refused; they are dropped until it does",
        f"{where} takes spans again",
    ]
    assert len(taking.spans) == 2
