"""A worker's handler with an access log and traces around it. Where neither is wanted it is not there at all.

Both look at the same moment: a request comes in, its answer is out.
"""

from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from fairlead.dataplane.access_log import AccessLog, puid_of, status_of
from fairlead.dataplane.net.watched_reply import Outcome, WatchedReply
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.tracing.kinds import Kind
from fairlead.protocols.exchange import Request, ServerHandler, ServerReply
from fairlead.protocols.grpc import is_grpc

if TYPE_CHECKING:
    from fairlead.dataplane.tracing.tracer import Span, Tracer

REQUEST_ID = b"x-request-id"
_PROBES = (
    "/ready",
    "/live",
    "/prometheus",
    "/metrics",
    "/health/",
    "/v2/health/",
    "/grpc.health.",
    "/grpc.reflection.",
)
_SELDON = ("predictions", "feedback", "status", "metadata")
"""Spans that Seldon's orchestrator has; it calls that of feedback `status`, which nobody looks for there."""


class Observed:
    """A handler that tells what it does."""

    def __init__(
        self, handler: ServerHandler, spec: WorkerSpec, *, log: AccessLog | None, tracer: "Tracer | None"
    ) -> None:
        self._handler = handler
        self._log = log
        self._tracer = tracer
        self._about = {"namespace": spec.namespace, "service": spec.service, "component": spec.component}
        self._replica = spec.replica

    def __call__(self, request: Request, reply: ServerReply) -> None:
        """Take one request."""
        if request.path.startswith(_PROBES):
            self._handler(request, reply)
            return
        started = perf_counter()
        span = None
        if self._tracer is not None:
            span = self._begin(self._tracer, request)
            request = msgspec.structs.replace(request, headers=self._tracer.carried(request.headers, span))
        asked = request

        def done(outcome: Outcome) -> None:
            status = status_of(outcome.status, outcome.headers, is_grpc=is_grpc(asked.header(b"content-type")))
            if span is not None:
                end_span(span, status)
            if self._log is not None:
                self._write(self._log, asked, outcome, status, perf_counter() - started)

        self._handler(request, WatchedReply(reply, done))

    def _begin(self, tracer: "Tracer", request: Request) -> "Span":
        last = request.path.rpartition("/")[2]
        name = last if last in _SELDON else request.path.removeprefix("/")
        about = {f"fairlead.{key}": value for key, value in self._about.items()}
        about |= {"http.request.method": request.method, "url.path": request.path}
        request_id = request.header(REQUEST_ID)
        if request_id:
            about["fairlead.request_id"] = request_id.decode("latin-1")
        return tracer.start(name, tracer.parent_of(request.headers), Kind.SERVER, about)

    def _write(self, log: AccessLog, request: Request, outcome: Outcome, status: int | str, duration_s: float) -> None:
        log.log(
            status,
            at="worker",
            request_id=request.header(REQUEST_ID),
            puid=puid_of(outcome.headers) or request.header(b"seldon-puid"),
            **self._about,
            replica=self._replica,
            method=request.method,
            path=request.path,
            bytes_in=len(request.body) if request.incoming is None else None,
            bytes_out=outcome.sent_bytes,
            duration_s=duration_s,
            user_agent=request.header(b"user-agent"),
        )


def end_span(span: "Span", status: int | str) -> None:
    """A server's span is over; what counts as its failure follows OpenTelemetry's conventions."""
    if isinstance(status, str):
        span.set({"rpc.system": "grpc", "rpc.response.status_code": status})
        span.end(status if status in _FAULTS else "")
    else:
        span.set({"http.response.status_code": status})
        span.end(str(status) if status >= 500 else "")


_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
