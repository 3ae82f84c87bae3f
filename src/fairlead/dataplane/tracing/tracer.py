"""Spans, made and exported by the OpenTelemetry SDK on a thread of its own with a bounded queue: when the collector is
slow or gone, spans are dropped and requests go on.

Imported only where tracing is on. Which span is the parent is always said, never taken from a context: one thread here
works on many requests in turns.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from fairlead.dataplane.tracing.exporting import Exporter
from fairlead.dataplane.tracing.kinds import Kind
from fairlead.dataplane.tracing.settings import TracingSettings
from fairlead.protocols import trace_context
from fairlead.protocols.exchange import Headers
from fairlead.protocols.trace_context import Parent

_QUEUED = 4096
_FLUSH_MS = 2000
Attributes = Mapping[str, str | int | float | bool]


class Span:
    """One piece of work. Call `end` once."""

    __slots__ = ("_span", "context")

    def __init__(self, span: Any, state: str) -> None:
        self._span = span
        given = span.get_span_context()
        self.context = Parent(given.trace_id, given.span_id, bool(given.trace_flags & 1), state)

    def set(self, attributes: Attributes) -> None:
        """Say more about it."""
        self._span.set_attributes(dict(attributes))

    def end(self, problem: str = "", *, at_ns: int | None = None) -> None:
        """It is over; `problem` says what went wrong, if something did."""
        if problem:
            self._span.set_status(Status(StatusCode.ERROR, problem))
        self._span.end(end_time=at_ns)


class Tracer:
    """Makes the spans of one process."""

    def __init__(self, settings: TracingSettings, *, about: Mapping[str, str] | None = None) -> None:
        sampler: Sampler = TraceIdRatioBased(settings.ratio)
        if settings.obeys_parent:
            sampler = ParentBased(sampler)
        told = {**dict(settings.attributes), **(about or {}), "service.name": settings.service}
        self._provider = TracerProvider(sampler=sampler, resource=Resource.create(told), shutdown_on_exit=False)
        exporter = Exporter(settings.endpoint, dict(settings.headers))
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=_QUEUED, schedule_delay_millis=1000, export_timeout_millis=5000)
        )
        self._tracer = self._provider.get_tracer("fairlead")
        self._kinds = {kind: SpanKind[kind.value] for kind in Kind}
        self._propagators = settings.propagators

    def start(
        self,
        name: str,
        parent: Parent | None,
        kind: Kind,
        attributes: Attributes | None = None,
        *,
        at_ns: int | None = None,
    ) -> Span:
        """Begin a span, a new trace without a parent."""
        context = Context()
        if parent is not None:
            # A sender that leaves it open wants the trace unless somebody says no, and nobody did.
            flags = TraceFlags(parent.is_sampled is not False)
            given = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
            context = set_span_in_context(NonRecordingSpan(given), context)
        span = self._tracer.start_span(
            name, context, self._kinds[kind], attributes=dict(attributes or {}), start_time=at_ns
        )
        return Span(span, parent.state if parent is not None else "")

    def parent_of(self, headers: Headers) -> Parent | None:
        """The span that a request comes from, in any of the forms."""
        return trace_context.read(headers, (*self._propagators, *trace_context.Propagator))

    def carried(self, headers: Headers, span: Span) -> Headers:
        """The headers with this span as the parent."""
        kept = [pair for pair in headers if pair[0] not in trace_context.HEADERS]
        return kept + trace_context.write(span.context, self._propagators)

    def lines(self, span: Span) -> Headers:
        """The headers that carry this span alone."""
        return trace_context.write(span.context, self._propagators)

    def close(self) -> None:
        """Send what is left, within two seconds."""
        self._provider.force_flush(_FLUSH_MS)
        self._provider.shutdown()
