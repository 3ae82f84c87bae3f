"""What becomes known of a request on its way through the gateway: its id, its span, its line in the access log.

With neither log nor traces wanted only a request that brought an id has a trail, which gives the id back.
"""

import time
import uuid
from typing import TYPE_CHECKING

from fairlead.backends.local.gateway.finding import Forward
from fairlead.backends.local.gateway.metering import Key
from fairlead.backends.local.gateway.switchboard import CompiledRoute
from fairlead.dataplane.access_log import AccessLog, puid_of
from fairlead.dataplane.observed import end_span
from fairlead.dataplane.tracing.kinds import Kind
from fairlead.protocols.exchange import Request, Response
from fairlead.protocols.trace_context import HEADERS as TRACE_HEADERS

if TYPE_CHECKING:
    from fairlead.dataplane.tracing.tracer import Span, Tracer

_NANO = 1_000_000_000


class Trails:
    """Begins trails. While `is_on` is false only requests with an id need one."""

    def __init__(self, log: AccessLog | None = None, tracer: "Tracer | None" = None) -> None:
        self.log = log
        self.tracer = tracer
        self.is_on = log is not None or tracer is not None

    def begin(self, request: Request, forward: Forward, route: CompiledRoute, key: Key) -> "Trail":
        """The trail of a request to this component."""
        given = forward.request_id
        request_id = given or (uuid.uuid4().hex.encode() if self.is_on else b"")
        head = forward.head if given or not request_id else b"%b\0x-request-id\0%b" % (forward.head, request_id)
        span = None
        if self.tracer is not None:
            prefix = route.route.path_prefix or "/"
            about = {
                "http.request.method": request.method,
                "url.path": request.path,
                "http.route": prefix,
                "fairlead.request_id": request_id.decode("latin-1"),
                **{f"fairlead.{name}": value for name, value in key._asdict().items()},
            }
            name = request.path.removeprefix("/") if forward.is_grpc else f"{request.method} {prefix}"
            span = self.tracer.start(name, self.tracer.parent_of(request.headers), Kind.SERVER, about)
            head = _without_traces(head)
            for header, value in self.tracer.lines(span):
                head += b"\0%b\0%b" % (header, value)
        return Trail(self, request, key, request_id, head, span)

    def unrouted(self, request: Request, status: int) -> None:
        """No route took it."""
        if self.log is not None:
            self.log.log(status, at="gateway", method=request.method, path=request.path, bytes_in=len(request.body))

    def close(self) -> None:
        """Send the spans that are left."""
        if self.tracer is not None:
            self.tracer.close()


class Trail:
    """One request's. `head` is what its replica is sent."""

    __slots__ = (
        "_began_ns", "_key", "_puid", "_replica", "_request", "_sent_bytes", "_span", "_trails", "_waited_s", "head",
        "request_id",
    )  # fmt: skip

    def __init__(
        self, trails: Trails, request: Request, key: Key, request_id: bytes, head: bytes, span: "Span | None"
    ) -> None:
        self.head = head
        self.request_id = request_id
        self._trails = trails
        self._request = request
        self._key = key
        self._span = span
        self._began_ns = time.time_ns()
        self._waited_s = 0.0
        self._replica = ""
        self._puid = b""
        self._sent_bytes: int | None = None

    def departed(self, replica: str, waited_s: float, *, had_to_wait: bool) -> None:
        """A replica takes it, after so long in the queue."""
        self._replica, self._waited_s = replica, waited_s
        tracer = self._trails.tracer
        if had_to_wait and tracer is not None and self._span is not None:
            span = tracer.start("queue", self._span.context, Kind.INTERNAL, at_ns=self._began_ns)
            span.end(at_ns=self._began_ns + int(waited_s * _NANO))

    def answered(self, response: Response) -> Response:
        """The answer with the request's id."""
        self._sent_bytes = len(response.body)
        return response._replace(headers=self.lines(response.headers))

    def lines(self, headers: bytes) -> bytes:
        """An answer's header lines with the request's id."""
        self._puid = puid_of(headers) if self._trails.log is not None else b""
        if not self.request_id or b"x-request-id:" in headers.lower():
            return headers
        return b"%bx-request-id: %b\r\n" % (headers, self.request_id)

    def closed(self, status: int | str, duration_s: float) -> None:
        """It is over."""
        if self._span is not None:
            self._span.set({"fairlead.replica": self._replica, "fairlead.queue_s": self._waited_s})
            end_span(self._span, status)
        log = self._trails.log
        if log is None:
            return
        request = self._request
        log.log(
            status,
            at="gateway",
            request_id=self.request_id,
            puid=self._puid or request.header(b"seldon-puid"),
            **self._key._asdict(),
            replica=self._replica,
            method=request.method,
            path=request.path,
            bytes_in=len(request.body) if request.incoming is None else None,
            bytes_out=self._sent_bytes,
            duration_s=duration_s,
            queue_s=self._waited_s,
            user_agent=request.header(b"user-agent"),
        )


def _without_traces(head: bytes) -> bytes:
    """A frame's head without the headers that say where its client's trace is: ours takes their place."""
    parts = head.split(b"\0")
    kept = parts[:3]
    for name, value in zip(parts[3::2], parts[4::2], strict=True):
        if name not in TRACE_HEADERS:
            kept += (name, value)
    return b"\0".join(kept)
