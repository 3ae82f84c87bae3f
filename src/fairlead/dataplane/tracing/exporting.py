"""Sends spans to the collector, and says in one line when it stops taking them and in one when it takes them again.

The exporter of OpenTelemetry writes lines for every attempt, which is most of a log while a collector is down.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

_log = logging.getLogger(__name__)
_CAUSE = re.compile(r"\[Errno -?\d+\] [^\"')]+")
# What it says when it gives up, whatever the reason was.
_GENERIC = "Failed to export spans batch due to"


class Exporter(SpanExporter):
    """An exporter over OTLP/HTTP."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], *, timeout_s: float = 5) -> None:
        self._inner = trace_exporter.OTLPSpanExporter(endpoint=endpoint, headers=dict(headers), timeout=timeout_s)
        self._heard = _Heard()
        logging.getLogger(trace_exporter.__name__).addFilter(self._heard)
        parts = urlsplit(endpoint)
        # Without the name and password that an address may hold.
        self._where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._is_taken = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, or drop them."""
        self._heard.words = ""
        result = self._inner.export(spans)
        is_taken = result is SpanExportResult.SUCCESS
        if is_taken != self._is_taken:
            self._is_taken = is_taken
            self._tell()
        return result

    def _tell(self) -> None:
        if self._is_taken:
            _log.info("the collector at %s takes spans again", self._where)
        else:
            why = self._heard.words or "no answer in time"
            _log.warning("the collector at %s takes no spans: %s; they are dropped until it does", self._where, why)

    def shutdown(self) -> None:
        """Send nothing more."""
        self._inner.shutdown()  # type: ignore[no-untyped-call]  # OpenTelemetry left it without types
        logging.getLogger(trace_exporter.__name__).removeFilter(self._heard)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Whether all was sent: nothing waits here."""
        return self._inner.force_flush(timeout_millis)


class _Heard(logging.Filter):
    """Keeps what the exporter says instead of writing it."""

    words = ""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if not text.startswith(_GENERIC):
            cause = _CAUSE.search(text)
            self.words = cause.group() if cause else text[:300]
        return False
