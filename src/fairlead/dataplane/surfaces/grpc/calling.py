"""Unary calls: a message in, an answer or an outcome out, and the call counted.

A service's method is a function from a message's bytes to a step that gives the bytes of the answer; everything else
about a call is here, once for all services. Header lines that repeat are joined once.
"""

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from fairlead.dataplane.graph.driving import Step, drive
from fairlead.dataplane.graph.parcel import Walk
from fairlead.dataplane.metering import Latency, Meters
from fairlead.dataplane.puids import Puids
from fairlead.dataplane.surfaces.grpc.outcomes import Outcome, plain
from fairlead.dataplane.surfaces.header_lines import header_line
from fairlead.errors import FairleadError, GrpcCode
from fairlead.plan.model import Protocol
from fairlead.protocols.exchange import Handler, Reply, Request, Response
from fairlead.protocols.grpc import grpc_failure, grpc_response, is_grpc, read_message

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts
    from fairlead.dataplane.surfaces.grpc.streaming import Talk

MAX_MESSAGE = "seldon.io/grpc-max-message-size"

Answer = bytes | tuple[bytes, bytes]
"""A message, or a message and further header lines."""
Ask = Callable[[bytes, Walk], Step[Answer]]


class Told(NamedTuple):
    """What the head of a call says."""

    is_grpc: bool
    encoding: bytes
    puid: bytes


def told(request: Request) -> Told:
    """It is kept at the head, which many calls of a connection share."""
    head = request.head
    known: Told | None = head.note if head is not None else None
    if known is None:
        known = Told(
            is_grpc(request.header(b"content-type")),
            request.header(b"grpc-encoding"),
            request.header(b"seldon-puid"),
        )
        if head is not None:
            head.note = known
    return known


class Calls:
    """What all methods of one worker share."""

    def __init__(self, parts: "Parts") -> None:
        spec = parts.spec
        self.meters: Meters = parts.meters
        self.puids = Puids()
        self.talks: set[Talk] = set()
        """Calls with several messages that are open."""
        self.is_draining = False
        self.limit_bytes = _limit(dict(spec.revision.annotations).get(MAX_MESSAGE, ""), spec.max_body_bytes)
        # A graph of Seldon's answers with a puid, whatever protocol it speaks; a bare unit has no orchestrator.
        is_graph = spec.revision.protocol is Protocol.SELDON or spec.revision.graph.drawing is not None
        self.gives_puid = is_graph and not spec.single_unit

    def drain(self) -> None:
        """The worker stops."""
        self.is_draining = True
        for talk in list(self.talks):
            talk.drain()

    def message(self, request: Request) -> bytes:
        """The one message of a unary call."""
        body = request.body
        return read_message(body, encoding=told(request).encoding, limit_bytes=self.limit_bytes)

    def walk(self, request: Request) -> Walk:
        """The way of a call through the graph."""
        puid = told(request).puid
        if not puid and self.gives_puid:
            puid = self.puids.take()
        return Walk(puid, request.headers, is_grpc=True)

    def lines(self, puid: bytes) -> bytes:
        """Header lines of an answer, besides those of gRPC."""
        return b"seldon-puid: " + puid + b"\r\n" if self.gives_puid else b""

    def failure(self, outcome: Outcome, puid: bytes) -> Response:
        """A call that failed."""
        lines = self.lines(puid)
        if outcome.unit:
            lines += header_line("fairlead-unit", outcome.unit)
        return grpc_failure(outcome.code, outcome.words, lines)

    def unary(self, path: str, ask: Ask, *, worded: Callable[[Exception], Outcome] = plain) -> Handler:
        """The handler of one method."""
        return _Unary(self, path, ask, worded)


class Counter:
    """The series of one method's calls, by code."""

    __slots__ = ("_meters", "_ok", "_path")

    def __init__(self, meters: Meters, path: str) -> None:
        self._meters = meters
        self._path = path
        self._ok: Latency = meters.server(path, "unary", GrpcCode.OK.name)

    def ok(self, elapsed_s: float) -> None:
        """Count a call that was answered."""
        self._ok.observe(elapsed_s)

    def failed(self, code: GrpcCode, elapsed_s: float) -> None:
        """Count one that was not."""
        self._meters.server(self._path, "unary", code.name).observe(elapsed_s)


class _Unary:
    __slots__ = ("_ask", "_calls", "_counter", "_worded")

    def __init__(self, calls: Calls, path: str, ask: Ask, worded: Callable[[Exception], Outcome]) -> None:
        self._calls = calls
        self._ask = ask
        self._worded = worded
        self._counter = Counter(calls.meters, path)

    def __call__(self, request: Request, reply: Reply) -> None:
        started = perf_counter()
        calls = self._calls
        walk = calls.walk(request)

        def done(answer: Answer | None, error: Exception | None) -> None:
            if error is not None or answer is None:
                outcome = self._worded(error or RuntimeError("no answer"))
                reply(calls.failure(outcome, walk.puid))
                self._counter.failed(outcome.code, perf_counter() - started)
                return
            lines = calls.lines(walk.puid)
            if type(answer) is tuple:
                answer, more = answer
                lines += more
            reply(grpc_response(answer, lines))  # type: ignore[arg-type]  # bytes by now
            self._counter.ok(perf_counter() - started)

        try:
            message = calls.message(request)
        except FairleadError as error:
            done(None, error)
            return
        drive(self._ask(message, walk), done)
        walk.follow(reply)


def response_lines(headers: dict[str, str]) -> bytes:
    """The headers that a unit wants its answer to carry, as metadata."""
    if not headers:
        return b""
    return b"".join(
        header_line(name.lower(), value)
        for name, value in headers.items()
        if name.lower() not in _OURS and not name.lower().startswith("grpc-")
    )


_OURS = frozenset(("content-type", "content-length", "te", "connection"))


def unimplemented(words: str) -> Response:
    """The answer to a call of something that is not here."""
    return grpc_failure(GrpcCode.UNIMPLEMENTED, words)


def _limit(given: str, usual: int) -> int:
    return int(given) if given.strip().isdecimal() and int(given) > 0 else usual
