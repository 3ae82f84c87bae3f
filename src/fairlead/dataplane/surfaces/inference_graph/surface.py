"""A graph of services as one handler: every path and method is a request to it but `/readyz`.

The answers are those of KServe's router: the last step's body with its status, `application/json` for what is JSON,
and an object with `error` and `cause` for what failed without an answer. Besides that, `Fairlead-Step` names the step
that a failure is from.
"""

import logging
from typing import TYPE_CHECKING

from fairlead.dataplane.graph.outcome import Outcome, StepFailed
from fairlead.dataplane.graph.parcel import Parcel, Walk, plain
from fairlead.dataplane.surfaces.asking import ask, counting, failing
from fairlead.dataplane.surfaces.header_lines import header_line, one_line
from fairlead.dataplane.surfaces.inference_graph.propagation import VARIABLE, Propagation, listed
from fairlead.errors import FairleadError
from fairlead.protocols import jsontext, trace_context
from fairlead.protocols.exchange import Reply, Request, Response
from fairlead.protocols.wire import JSON, Body

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

_log = logging.getLogger(__name__)

READY = "/readyz"
STEP = "Fairlead-Step"
_JSON_LINE = b"Content-Type: " + JSON + b"\r\n"
_FAILED = "Failed to process request"


def make(parts: "Parts") -> "InferenceGraphSurface":
    """The surface of one worker."""
    return InferenceGraphSurface(parts)


class InferenceGraphSurface:
    """Answers every request of one worker. It never blocks and never raises."""

    def __init__(self, parts: "Parts") -> None:
        self._executor = parts.executor
        self._meters = parts.meters
        self._limit_bytes = parts.spec.max_body_bytes
        self._is_draining = False
        # Wherever traces are written, each step is part of the request's.
        always = trace_context.HEADERS if parts.executor.is_traced else frozenset()
        self._propagation = Propagation(listed(parts.spec.revision.settings.get(VARIABLE, "")), always)

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one request."""
        if request.path == READY:
            reply(Response(503, b"", b"shutting down") if self._is_draining else Response(200, b"", b""))
            return
        walk = Walk(b"", self._propagation.of(request.headers))
        count = counting(self._meters, "predictions", request.method)
        try:
            step = self._executor.predict(self._asked(request), walk)
        except FairleadError as error:
            step = failing(error)
        ask(step, walk, reply, _respond, count)

    def drain(self) -> None:
        """The worker stops: it is not to be chosen any more."""
        self._is_draining = True

    def _asked(self, request: Request) -> Outcome:
        encoding = request.header(b"content-encoding")
        body = Body(request.body, request.header(b"content-type"), encoding)
        return Outcome(bytes_=plain(body, self._limit_bytes))


def _respond(parcel: Parcel | None, error: Exception | None) -> Response:
    return _answered(parcel) if isinstance(parcel, Outcome) else _failed(error)


def _answered(outcome: Outcome) -> Response:
    lines = _JSON_LINE if outcome.is_json else _type_line(outcome)
    if outcome.step:
        lines += header_line(STEP, outcome.step)
    return Response(outcome.status, lines, outcome.data)


def _type_line(outcome: Outcome) -> bytes:
    """What a body is that is no JSON: as its step says, unless it says that it is JSON."""
    said = b"" if outcome.bytes_ is None else outcome.bytes_.content_type
    if not outcome.data or said.startswith(JSON):
        return b""
    return b"Content-Type: " + one_line(said.decode("latin-1")) + b"\r\n" if said else b""


def _failed(error: Exception | None) -> Response:
    """The router's words for what gave no answer."""
    lines = _JSON_LINE
    status = error.http if isinstance(error, FairleadError) else 500
    if isinstance(error, StepFailed):
        lines += header_line(STEP, error.step)
    elif not isinstance(error, FairleadError):
        _log.error("a request could not be answered: %s", error, exc_info=error)
    return Response(status, lines, jsontext.compact({"error": _FAILED, "cause": str(error)}))
