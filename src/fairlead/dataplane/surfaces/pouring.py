"""Answers whose body a model makes piece by piece: each leaves when it is there, the next is asked for when the client
has room, and none is made for a client that has gone."""

import asyncio
import logging
from collections.abc import Callable

from fairlead.dataplane.graph.parcel import Parcel
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.errors import FairleadError
from fairlead.protocols.exchange import Reply, Response, ServerReply
from fairlead.protocols.message import Pieces

_log = logging.getLogger(__name__)


def pieces_of(parcel: Parcel) -> Pieces | None:
    """The stream that an answer is, if it is one."""
    return None if parcel.decoded is None else parcel.decoded.pieces


def can_pour(reply: Reply) -> bool:
    """Whether an answer may be given to this reply in pieces: those of our servers take them."""
    return isinstance(reply, ServerReply)


def pour(pieces: Pieces, unit: LocalUnit, reply: Reply, head: Response, ended: Callable[[], None]) -> None:
    """Send the pieces as the body of an answer with this head. `ended` is called when it is over, however."""
    assert isinstance(reply, ServerReply)  # asked before: `can_pour`
    _Pour(pieces, unit, ended).begin(reply, head)


class _Pour:
    """One such answer. Everything happens on the data plane's loop."""

    def __init__(self, pieces: Pieces, unit: LocalUnit, ended: Callable[[], None]) -> None:
        self._pieces = pieces
        self._unit = unit
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._is_asked = False
        self._is_over = False

    def begin(self, reply: ServerReply, head: Response) -> None:
        if not reply.is_wanted:
            self._gone()
            return
        self._out = reply.begin(head.status, head.headers)
        self._out.when_free = self._go_on
        reply.on_gone = self._gone
        self._take(self._pieces.first, None)

    def _go_on(self) -> None:
        if self._is_asked or self._is_over or self._out.is_full:
            return
        self._is_asked = True
        if not self._pieces.is_blocking:
            self._pieces.pull(self._taken_elsewhere)
            return
        try:
            self._unit.submit(self._pieces.next, self._taken)
        except FairleadError as error:  # too many wait for the unit
            self._taken(None, error)

    def _taken_elsewhere(self, piece: bytes | None, error: Exception | None) -> None:
        self._loop.call_soon_threadsafe(self._taken, piece, error)

    def _taken(self, piece: bytes | None, error: Exception | None) -> None:
        self._is_asked = False
        if self._is_over:
            self._close()
        else:
            self._take(piece, error)

    def _take(self, piece: bytes | None, error: Exception | None) -> None:
        if error is not None:
            _log.error("unit %s failed in the middle of an answer: %s", self._unit.unit.name, error, exc_info=error)
            self._finish()
            self._out.abort()
        elif piece is None:
            self._finish()
            self._out.end()
        else:
            if piece:
                self._out.send(piece)
            self._go_on()

    def _gone(self) -> None:
        if self._is_over:
            return
        self._finish()
        if not (self._is_asked and self._pieces.is_blocking):
            self._close()

    def _finish(self) -> None:
        self._is_over = True
        self._ended()

    def _close(self) -> None:
        """A plain generator's clean-up is user code, which has its turn as any."""
        if not self._pieces.is_blocking:
            self._pieces.close()
            return
        try:
            self._unit.submit(self._pieces.close, self._closed)
        except FairleadError as error:
            self._closed(None, error)

    def _closed(self, _value: object, error: Exception | None) -> None:
        if error is not None:
            _log.error("unit %s failed when its answer was cut: %s", self._unit.unit.name, error, exc_info=error)
