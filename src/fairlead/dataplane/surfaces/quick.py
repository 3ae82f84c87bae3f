"""The short way for the request nearly everybody sends: rows of numbers for one row-wise model.

It takes a request only when it can tell from the head and the parsed body that nothing else is asked for; everything
else goes the plain way. Answers are the plain way's own bytes with the rows put in (the template is cut from an
answer that way wrote), so both give the same bytes; the tests of each protocol that has a short way hold them to it
(tests/dataplane/surfaces/*/test_quick.py). Measured with one iris row, scikit-learn, 32 connections: see
docs/performance.md.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import orjson

from fairlead.dataplane.graph.batching import RowQueue
from fairlead.dataplane.metering import Latency
from fairlead.dataplane.puids import Puids
from fairlead.dataplane.surfaces.seldon.heads import told
from fairlead.errors import Overloaded
from fairlead.protocols.exchange import Reply, Request, Response, is_wanted

Array = np.ndarray[Any, Any]
Plain = Callable[[Request, Reply, bytes], None]
"""The plain way: a request, where its answer goes, and its puid (empty: not chosen yet)."""
RowsOf = Callable[[bytes], Array | None]
"""The rows in a body that holds nothing but rows; `None` for every other."""
TextOf = Callable[[Array], bytes]
"""An array's numbers as the protocol writes them."""

_PLACE = "here"


def as_numpy_lists(answer: Array) -> bytes:
    """Numbers as numpy lists them: 32-bit floats have the digits of doubles."""
    return orjson.dumps(answer.tolist())


class Quick:
    """The short way of one path. `write` is the plain way's encoder: it gives the whole body for an array that may
    hold anything; `text_of` writes its numbers. `heads` are the header lines before and after the puid; without an
    `after` no puid is sent."""

    def __init__(
        self,
        queue: RowQueue,
        plain: Plain,
        write: Callable[[Array], bytes],
        *,
        heads: tuple[bytes, bytes | None],
        puids: Puids,
        observe: tuple[Latency, ...],
        rows_of: RowsOf,
        text_of: TextOf = as_numpy_lists,
    ) -> None:
        self._rows_of = rows_of
        self._text_of = text_of
        self._queue = queue
        self._plain = plain
        self._write = write
        self._before, self._after = heads
        self._puids = puids
        self._observe = observe
        self._templates: dict[tuple[int, ...], tuple[bytes, bytes]] = {}

    def __call__(self, request: Request, reply: Reply) -> None:
        """Answer the request one way or the other."""
        seen = told(request)
        rows = self._rows_of(request.body) if seen.is_plain else None
        if rows is None:
            self._plain(request, reply, seen.puid)
            return
        try:
            self._queue.submit(Ticket(self, request, reply, rows, seen.puid))
        except Overloaded:
            self._plain(request, reply, seen.puid)  # which says so in the protocol's words

    def finish(self, ticket: "Ticket", answer: Array | None) -> None:
        """Send what the model gave for this ticket's rows."""
        puid = ticket.note
        if self._after is not None and not puid:
            puid = self._puids.take()
        body = None if answer is None else self._body(answer)
        if body is None:
            self._plain(ticket.request, ticket.reply, puid)
            return
        head = self._before if self._after is None else self._before + puid + self._after
        ticket.reply(Response(200, head, body))
        elapsed = perf_counter() - ticket.started
        for series in self._observe:
            series.observe(elapsed)

    def _body(self, answer: Array) -> bytes | None:
        if answer.dtype.kind not in "iuf":
            return None
        rows = self._text_of(answer)
        if b"null" in rows:  # a number that is not finite
            return None
        template = self._templates.get(answer.shape[1:])
        if template is None:
            template = self._template(answer)
            if template is None:
                return None
        return template[0] + rows + template[1]

    def _template(self, answer: Array) -> tuple[bytes, bytes] | None:
        """The body around the rows, cut from the plain way's answer for an array of this shape."""
        marked = np.full((1, *answer.shape[1:]), _PLACE, dtype=object)
        before, found, after = self._write(marked).partition(orjson.dumps(marked.tolist()))
        if not found:
            return None
        self._templates[answer.shape[1:]] = (before, after)
        return before, after


class Finishing(Protocol):
    """A short way that waits for its batch. It gets tickets of the kind it made."""

    def finish(self, ticket: Any, answer: Array | None) -> None: ...


class Ticket:
    """One request in a batch. `note` is what its short way wants to know of it again."""

    __slots__ = ("note", "quick", "reply", "request", "rows", "started")

    def __init__(self, quick: Finishing, request: Request, reply: Reply, rows: Array, note: Any) -> None:
        self.quick = quick
        self.request = request
        self.reply = reply
        self.rows = rows
        self.note = note
        self.started = perf_counter()

    @property
    def is_wanted(self) -> bool:
        """Whether the client is still there."""
        return is_wanted(self.reply)

    def give(self, answer: Array | None) -> None:
        """What the model gave for the rows; `None` when they are to be asked for by themselves."""
        self.quick.finish(self, answer)
