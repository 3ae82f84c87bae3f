"""A gRPC call on its way: a `Passage` whose failures are statuses, and which tells its replica how much time it has."""

import re

from fairlead.backends.local.gateway.link import Link
from fairlead.backends.local.gateway.passage import Passage
from fairlead.errors import FairleadError, GrpcCode
from fairlead.protocols.exchange import Response
from fairlead.protocols.grpc import code_of, code_of_http, failure_of, format_timeout, grpc_failure, status_lines

_STATUS_LINE = re.compile(rb"^grpc-status:[ \t]*([0-9]+)", re.IGNORECASE | re.MULTILINE)
_CODES = {502: GrpcCode.UNAVAILABLE, 504: GrpcCode.DEADLINE_EXCEEDED}
_FAULTS = frozenset(
    {
        GrpcCode.UNKNOWN,
        GrpcCode.DEADLINE_EXCEEDED,
        GrpcCode.INTERNAL,
        GrpcCode.UNAVAILABLE,
        GrpcCode.DATA_LOSS,
    }
)
_CLOSE_S = 0.03
"""The server's clock for a call's own deadline and ours may differ by a tick."""


def call_outcome(status: int, lines: bytes) -> GrpcCode:
    """How a call ended whose answer had this HTTP status and these header lines or trailers."""
    found = _STATUS_LINE.search(lines)
    return code_of(found[1]) if found is not None else code_of_http(status)


def is_fault(response: Response) -> bool:
    """Whether an answer of either kind says that something is wrong with its server."""
    if response.status >= 500:
        return True
    found = _STATUS_LINE.search(response.headers)
    return found is not None and code_of(found[1]) in _FAULTS


class GrpcPassage(Passage):
    """Retries are for calls that found nobody (UNAVAILABLE) and for those whose replica ended, as their route allows.
    What a call counts as is the name of its code. `bare` is the head without a timeout, set by whoever makes it."""

    __slots__ = ("bare",)

    bare: bytes

    def depart(self, link: Link) -> None:
        """A replica is there for it."""
        if self._timeout_s is not None:
            self.head = b"%b\0grpc-timeout\0%b" % (self.bare, _coarse(self._left_s(self._timeout_s)))
        super().depart(link)

    def refuse(self, error: FairleadError) -> None:
        """It cannot be served."""
        self._finish(failure_of(error))

    def arrived(self, response: Response) -> None:
        """The replica answered."""
        if (
            self._retries > 0
            and self._incoming is None
            and call_outcome(response.status, response.headers) is GrpcCode.UNAVAILABLE
        ):
            self._try_again()
        else:
            self._finish(response)

    def _fail(self, status: int, message: str) -> None:
        code = _CODES[status]
        if self._out is None:
            self._finish(grpc_failure(code, message))
            return
        self._close(code.name)
        self._out.end(status_lines(code, message))

    def _outcome(self, status: int, trailers: bytes) -> str:
        return call_outcome(status, trailers).name

    def _gone(self) -> str:
        # The server itself ends a call whose own deadline has passed, and lets go of us as if the client had left.
        is_due = self._timeout_s is not None and self._left_s(self._timeout_s) <= _CLOSE_S
        return (GrpcCode.DEADLINE_EXCEEDED if is_due else GrpcCode.CANCELLED).name

    def _finish(self, response: Response) -> None:
        reply = self._reply
        if reply is not None:
            if self._trail is not None:
                response = self._trail.answered(response)
            self._close(call_outcome(response.status, response.headers).name)
            reply(response)


def _coarse(left_s: float) -> bytes:
    """The time left for a replica, rounded up to two digits: heads then repeat, and a worker reads them once. We end
    the call on time anyhow."""
    left_ms, zeros = max(1, int(left_s * 1000)), 0
    while left_ms >= 100:
        left_ms, zeros = -(-left_ms // 10), zeros + 1
    return format_timeout(left_ms * 10.0**zeros / 1000) if zeros > 5 else b"%dm" % (left_ms * 10**zeros)
