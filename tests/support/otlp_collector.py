"""A small OTLP/HTTP collector: it takes spans as OpenTelemetry's exporters post them and remembers them."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from support.instance import until
from support.loopback_server import loopback_server


@dataclass(frozen=True)
class Collected:
    """One span, ids as the hex digits of headers."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    is_failure: bool
    attributes: dict[str, Any]


@dataclass
class Collector:
    """Where it listens and what it has got."""

    port: int = 0
    spans: list[Collected] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, *names: str, timeout_s: float = 20) -> dict[str, Collected]:
        """Spans by name, once all of these are here."""
        until(lambda: {span.name for span in self.spans} >= set(names), timeout_s=timeout_s, what=f"spans {names}")
        return {span.name: span for span in self.spans}


@contextmanager
def collector(port: int = 0) -> Iterator[Collector]:
    """One for a test, on a free port unless one is named."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="not run: no OpenTelemetry here")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    made = Collector()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                made.headers.append({name.lower(): value for name, value in self.headers.items()})
                made.spans += _spans(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with loopback_server(Taking, port) as bound:
        made.port = bound
        yield made


def _spans(request: Any) -> Iterator[Collected]:
    for resource in request.resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Collected(
                    service=service,
                    name=span.name,
                    kind=span.DESCRIPTOR.enum_types_by_name["SpanKind"].values_by_number[span.kind].name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    is_failure=span.status.code == 2,
                    attributes=_values(span.attributes),
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
