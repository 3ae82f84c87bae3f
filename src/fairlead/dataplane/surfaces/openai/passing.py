"""OpenAI's requests to a server in another process (vLLM in a container, say): handed on as they are, and so are the
answers, while they come. What cannot be answered is 502, 503 or 504, as KServe's own proxy has it."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from fairlead.dataplane.graph.passed_answer import PassedAnswer
from fairlead.dataplane.surfaces.openai.telling import GONE, JSON_LINE
from fairlead.errors import DeadlineExceeded, FairleadError, Retryable
from fairlead.protocols.exchange import Outgoing, Reply, Request, Response, ServerReply, when_gone
from fairlead.protocols.openai_errors import failure

if TYPE_CHECKING:
    from fairlead.dataplane.graph.remote import Peer
    from fairlead.plan.model import Unit

_log = logging.getLogger(__name__)
_OWN = frozenset(
    (b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"proxy-connection")
)  # these are about one connection (RFC 9110 section 7.6.1)
_ASKED = _OWN | {b"host", b"content-length", b"expect"}
_ANSWERED = _OWN | {b"content-length", b"date"}


_SMALL_BYTES = 256 * 1024


class BadPeer(Retryable):
    """A peer whose answer was no answer."""

    http, reason = 502, "BadGateway"


class Server(Protocol):
    """A unit that requests can be handed to as they are."""

    unit: "Unit"
    peer: "Peer"


class Passing:
    """Hands requests to one unit, and waits `timeout_s` for the head of each answer."""

    def __init__(
        self, unit: Server, timeout_s: float | None, *, refused: Callable[[FairleadError], bytes] = failure
    ) -> None:
        """`refused` is how clients are told of what could not be handed on."""
        self._unit = unit
        self._timeout_s = timeout_s
        self._refused = refused
        self._calls: set[asyncio.Task[None]] = set()

    def pass_on(self, request: Request, reply: Reply, ended: Callable[[int], None]) -> None:
        """Answer one request; `ended` is told the status."""
        passage = _Passage(self._unit, reply, ended, self._refused)
        task = asyncio.get_running_loop().create_task(passage.run(request, self._timeout_s))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        passage.follow(task)


class _Passage:
    """One request on its way. As `Hearer`."""

    def __init__(
        self, unit: Server, reply: Reply, ended: Callable[[int], None], refused: Callable[[FairleadError], bytes]
    ) -> None:
        self._refused = refused
        self._unit = unit
        self._reply = reply
        self._ended = ended
        self._answer: PassedAnswer | None = None
        self._out: Outgoing | None = None
        self._gathered: list[bytes] = []
        self._status = 0
        self._lines = b""
        self._has_begun = asyncio.Event()
        self._is_over = False

    def follow(self, task: "asyncio.Task[None]") -> None:
        """End it when nobody waits for the answer."""

        def gone() -> None:
            if not self._is_over:
                self._finish(GONE)
                task.cancel()

        when_gone(self._reply, gone)

    async def run(self, request: Request, timeout_s: float | None) -> None:
        """Ask, and wait for the head of an answer; the rest comes by itself."""
        headers = [(name, value) for name, value in request.headers if name not in _ASKED]
        path = request.path + (f"?{request.query.decode('latin-1')}" if request.query else "")
        try:
            async with asyncio.timeout(timeout_s):
                self._answer = await self._unit.peer.pass_on(request.method, path, headers, request.body, self)
                await self._has_begun.wait()
        except TimeoutError:
            self._refuse(DeadlineExceeded(f"{self._unit.unit.name} did not answer within {timeout_s:g} s"))
        except OSError as error:
            self._refuse(Retryable(f"{self._unit.unit.name} cannot be reached: {error}", after_s=1))

    def begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._status = status
        self._lines = b"".join(
            b"%s: %s\r\n" % (name.title(), value) for name, value in headers if name not in _ANSWERED
        )
        self._has_begun.set()
        is_whole = any(name == b"content-length" and _is_small(value) for name, value in headers)
        if not self._is_over and not is_whole and isinstance(self._reply, ServerReply):
            self._out = self._reply.begin(status, self._lines)
            self._out.when_free = self._free

    def came(self, piece: bytes) -> None:
        if self._is_over:
            return
        if self._out is None:
            self._gathered.append(piece)
            return
        self._out.send(piece)
        if self._out.is_full and self._answer is not None:
            self._answer.pause()

    def ended(self) -> None:
        if self._is_over:
            return
        if self._out is not None:
            self._out.end()
        else:
            self._reply(Response(self._status, self._lines, b"".join(self._gathered)))
        self._finish(self._status)

    def lost(self, error: Exception) -> None:
        self._has_begun.set()
        if self._out is None:
            self._refuse(BadPeer(f"{self._unit.unit.name} broke off: {error}"))
        elif not self._is_over:
            _log.error("unit %s broke off in the middle of an answer: %s", self._unit.unit.name, error)
            self._out.abort()
            self._finish(BadPeer.http)

    def _free(self) -> None:
        if not self._is_over and self._answer is not None:
            self._answer.resume()

    def _refuse(self, error: FairleadError) -> None:
        if not self._is_over:
            _log.error("%s", error)
            self._reply(Response(error.http, JSON_LINE, self._refused(error)))
            self._finish(error.http)

    def _finish(self, status: int) -> None:
        self._is_over = True
        if self._answer is not None:
            self._answer.leave()
        self._ended(status)


def _is_small(length: bytes) -> bool:
    return length.isdigit() and int(length) <= _SMALL_BYTES
