"""One answer on its way from a model's threads to the client: whole, or as events while they come.

What a model says on its threads is carried over to the loop's. A client that reads slowly has its generation held, one
that leaves has it ended.
"""

import asyncio
import logging
from collections.abc import Callable

from fairlead.dataplane.graph.parcel import failure_lines
from fairlead.errors import FairleadError, UnitFailed
from fairlead.protocols.exchange import Outgoing, Reply, Response, ServerReply, is_wanted, when_gone
from fairlead.protocols.openai_errors import failure
from fairlead.protocols.openai_events import DONE, MEDIA_TYPE, event
from fairlead.runtimes.generative import Answering

_log = logging.getLogger(__name__)
JSON_LINE = b"Content-Type: application/json\r\n"
# Events are worth nothing when somebody on the way gathers them.
_EVENTS_LINE = (
    b"Content-Type: " + MEDIA_TYPE + b"; charset=utf-8\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"
)


class Telling:
    """A `Listener`. `ended` is called once, with the status: when the answer is out, or nobody waits for it."""

    def __init__(self, reply: Reply, ended: Callable[[int], None]) -> None:
        self._reply = reply
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._answering: Answering | None = None
        self._out: Outgoing | None = None
        self._gathered: list[bytes] | None = None if isinstance(reply, ServerReply) else []
        self._is_over = False

    def begin(self, start: "Callable[[Telling], Answering]") -> None:
        """Ask the model."""
        if not is_wanted(self._reply):
            self._finish(GONE)
            return
        when_gone(self._reply, self._gone)
        try:
            self._answering = start(self)
        except Exception as error:
            self._fail(error)

    def answered(self, body: bytes) -> None:
        """As `Listener` has it."""
        self._elsewhere(self._answer, body)

    def said(self, events: bytes) -> None:
        """As `Listener` has it."""
        self._elsewhere(self._say, events)

    def ended(self) -> None:
        """As `Listener` has it."""
        self._elsewhere(self._end)

    def failed(self, error: Exception) -> None:
        """As `Listener` has it."""
        self._elsewhere(self._fail, error)

    def _elsewhere(self, work: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(work, *args)
        except RuntimeError:  # the loop is closed: the worker is gone, and its clients with it
            _log.debug("an answer came after the worker's end")

    def _answer(self, body: bytes) -> None:
        if not self._is_over:
            self._reply(Response(200, JSON_LINE, body))
            self._finish(200)

    def _say(self, events: bytes) -> None:
        if self._is_over:
            return
        if self._gathered is not None:
            self._gathered.append(events)
            return
        if self._out is None:
            assert isinstance(self._reply, ServerReply)  # the others' events are gathered
            self._out = self._reply.begin(200, _EVENTS_LINE)
            self._out.when_free = self._free
        self._out.send(events)
        if self._out.is_full and self._answering is not None:
            self._answering.hold()

    def _free(self) -> None:
        if not self._is_over and self._answering is not None:
            self._answering.go_on()

    def _end(self) -> None:
        self._close(DONE)

    def _close(self, last: bytes) -> None:
        if self._is_over:
            return
        self._say(last)
        if self._out is not None:
            self._out.end()
        else:
            self._reply(Response(200, _EVENTS_LINE, b"".join(self._gathered or [])))
        self._finish(200)

    def _fail(self, error: Exception) -> None:
        """A failure has a status as long as nothing was said; after that it is an event, and the stream ends."""
        if self._is_over:
            return
        if not isinstance(error, FairleadError):
            _log.error("a request could not be answered: %s", error, exc_info=error)
            error = UnitFailed(f"{type(error).__name__} : {error}")
        if self._out is not None or self._gathered:
            self._close(event(failure(error)))
            return
        self._reply(Response(error.http, JSON_LINE + failure_lines(error), failure(error)))
        self._finish(error.http)

    def _gone(self) -> None:
        if self._is_over:
            return
        self._finish(GONE)
        if self._answering is not None:
            self._answering.leave()

    def _finish(self, status: int) -> None:
        self._is_over = True
        self._ended(status)


GONE = 499
