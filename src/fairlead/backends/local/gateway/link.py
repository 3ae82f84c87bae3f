"""The gateway's connection to one replica, kept up for as long as the replica is in the table.

`Replica` dials, and dials again when the connection is lost; `WorkerLink` is one connection's life. A replica that
says goaway gets nothing more and is hung up on when it has answered; then dialling starts over. How much one replica
may hold is bounded: beyond that requests wait in their pool, where the bound is the queue's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Protocol

from fairlead.dataplane.net.frame_bodies import FrameSink, FrameSource
from fairlead.dataplane.net.frame_link import FrameLink
from fairlead.protocols.exchange import Incoming, Outgoing, Response
from fairlead.protocols.frames import (
    GOAWAY,
    LAST_ID,
    Frame,
    Kind,
    encode_cancel,
    encode_counts,
    encode_open,
    request_prefix,
)

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.01
_LAST_RETRY_S = 1.0
_LENGTH_AND_ID = Struct(">IIB")
_LARGE_BYTES = 64 * 1024
_MOST_STREAMS = 4096
_MOST_LARGE_BYTES = 64 * 1024 * 1024
"""How many bytes of large bodies one replica may hold; a single one may be larger."""


class Source(Incoming, Protocol):
    """An answer's body. `trailers` are there when it is over."""

    @property
    def trailers(self) -> bytes: ...


class Passenger(Protocol):
    """A request on its way, as a link sees it."""

    head: bytes
    body: bytes

    def arrived(self, response: Response) -> None: ...
    def began(self, status: int, headers: bytes, source: Source) -> None: ...
    def broken(self) -> None: ...
    def lost(self, *, was_sent: bool) -> None: ...


class Link(Protocol):
    """The way to one replica, whatever it speaks."""

    name: str
    open: dict[int, Passenger]
    is_full: bool

    def request(self, passenger: Passenger) -> int: ...
    def open_stream(self, passenger: Passenger) -> tuple[int, Outgoing]: ...
    def cancel(self, id: int) -> None: ...
    def ask_counts(self, told: Callable[[bytes | None], None]) -> None: ...
    def set_limit(self, limit: int, *, counts_streams: bool) -> None: ...
    def leave(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTerms:
    """What a link is made with: whom it tells of its end, of its goodbye and of a free place; how many requests it may
    hold; who hears what was counted before the last goodbye; and its replica's name."""

    on_lost: Callable[[Link], None]
    on_goaway: Callable[[Link], None]
    on_free: Callable[[], None]
    limit: int
    counts_streams: bool = False
    farewell: Callable[[bytes | None], None] | None = None
    name: str = ""


Dial = Callable[[str, LinkTerms], Awaitable[Link]]
"""Makes a link to the replica at an address. Raises `OSError` when nobody answers there."""


class WorkerLink(FrameLink):
    """One connection to a worker. `open` holds the requests that are there, by id. While `is_full` it should get no
    more; `on_free` is called when it may again. `farewell` is told what the worker counted before the last goodbye."""

    def __init__(
        self,
        on_lost: Callable[[Link], None],
        on_goaway: Callable[[Link], None],
        on_free: Callable[[], None],
        *,
        limit: int,
        counts_streams: bool = False,
        farewell: Callable[[bytes | None], None] | None = None,
        name: str = "",
    ) -> None:
        super().__init__()
        self.name = name
        """The replica's."""
        self._farewell = farewell
        self._asked_counts: list[Callable[[bytes | None], None]] = []
        self.open: dict[int, Passenger] = {}
        self.is_full = False
        self._on_lost = on_lost
        self._on_goaway = on_goaway
        self._on_free = on_free
        self._limit = limit
        self._counts_streams = counts_streams
        self._large_bytes = 0
        self._last_id = 0
        self._is_leaving = False

    def request(self, passenger: Passenger) -> int:
        """Send a request; its id is for `cancel`."""
        id = self._last_id + 1 if self._last_id < LAST_ID else 1
        if id in self.open:
            id = self._free_id(id)
        self._last_id = id
        self.open[id] = passenger
        head, body = passenger.head, passenger.body
        self.send(request_prefix(id, head, body), head, body)
        if len(self.open) >= self._limit or len(body) > _LARGE_BYTES:
            self._count_in(body)
        return id

    def open_stream(self, passenger: Passenger) -> tuple[int, FrameSink]:
        """Send the head of a request, and its body through what is given back."""
        id = self._free_id(self._last_id + 1)
        self._last_id = id
        self.open[id] = passenger
        self.send(encode_open(id, passenger.head), b"", b"")
        sink = self.sinks[id] = FrameSink(self, id, lambda: None)
        self._count_in(b"")
        return id, sink

    def ask_counts(self, told: Callable[[bytes | None], None]) -> None:
        """Have the worker say what it counted; `None` when it ends before it does."""
        self._asked_counts.append(told)
        self.send(encode_counts(), b"", b"")

    def _free_id(self, id: int) -> int:
        while id > LAST_ID or id in self.open:
            id = id + 1 if id < LAST_ID else 1
        return id

    def set_limit(self, limit: int, *, counts_streams: bool) -> None:
        """How many requests it may hold from now on."""
        self._limit, self._counts_streams = limit, counts_streams
        if self.is_full:
            self._count_out(b"")
        else:
            self._count_in(b"")

    def _count_in(self, body: bytes) -> None:
        if len(body) > _LARGE_BYTES:
            self._large_bytes += len(body)
        self.is_full = self._has_enough

    @property
    def _has_enough(self) -> bool:
        """Streams are counted apart, unless the pool says otherwise: one may be open for hours with nothing in it, and
        must not keep requests out."""
        apart = 0 if self._counts_streams else len(self.sinks)
        return (
            len(self.open) - apart >= self._limit
            or len(self.sinks) >= _MOST_STREAMS
            or self._large_bytes >= _MOST_LARGE_BYTES
        )

    def _count_out(self, body: bytes) -> None:
        if len(body) > _LARGE_BYTES:
            self._large_bytes -= len(body)
        if self.is_full and not self._has_enough:
            self.is_full = False
            if self.is_open and not self._is_leaving:
                self._on_free()

    def cancel(self, id: int) -> None:
        """Nobody waits for this answer any more."""
        if id in self.open:
            self.send(encode_cancel(id), b"", b"")
            self._forget(id)

    def take(self, frame: Frame) -> None:
        if frame.kind == Kind.RESPONSE:
            passenger = self.open.pop(frame.id, None)
            if passenger is not None:
                if self.sinks:
                    self.drop_pieces(frame.id)
                passenger.arrived(Response(frame.status, frame.head, frame.body))
                if self.is_full or len(passenger.body) > _LARGE_BYTES:
                    self._count_out(passenger.body)
            if self._is_leaving:
                self._leave_if_done()
        elif frame.kind == Kind.BEGIN:
            self._begin(frame)
        elif frame.kind == Kind.END:
            self._end(frame)
        elif frame.kind == Kind.RESET:
            passenger = self.open.get(frame.id)
            if passenger is not None:
                self._forget(frame.id)
                passenger.broken()
        elif frame.kind == Kind.GOAWAY:
            self.leave()
        elif frame.kind == Kind.COUNTS:
            if self._asked_counts:
                self._asked_counts.pop(0)(frame.body)
        else:
            self.take_piece(frame)

    def _begin(self, frame: Frame) -> None:
        passenger = self.open.get(frame.id)
        if passenger is not None and frame.id not in self.sources:
            source = self.sources[frame.id] = FrameSource(self, frame.id)
            passenger.began(frame.status, frame.head, source)

    def _end(self, frame: Frame) -> None:
        source = self.sources.get(frame.id)
        if source is not None:
            source.trailers = frame.head
            self._forget(frame.id)
            source.finish()

    def _forget(self, id: int) -> None:
        """This request is over."""
        passenger = self.open.pop(id, None)
        self.drop_pieces(id)
        if passenger is not None:
            self._count_out(passenger.body)
        self._leave_if_done()

    def leave(self) -> None:
        """Hang up when every open request is answered."""
        if not self._is_leaving:
            self._is_leaving = True
            self._on_goaway(self)
            self._leave_if_done()

    def _leave_if_done(self) -> None:
        if not self._is_leaving or self.open:
            return
        farewell, self._farewell = self._farewell, None
        if farewell is None:
            if not self._asked_counts:
                self.close()
            return

        def told(body: bytes | None) -> None:
            farewell(body)
            self.close()

        self.ask_counts(told)

    def lost(self, unsent: list[bytes]) -> None:
        passengers, self.open = self.open, {}
        for id in (*self.sources, *self.sinks):
            self.drop_pieces(id)
        never_left = _ids(unsent)
        self._on_lost(self)
        asked, self._asked_counts = self._asked_counts, []
        for told in asked:
            told(None)
        for id, passenger in passengers.items():
            passenger.lost(was_sent=id not in never_left)


async def dial_worker(path: str, terms: LinkTerms) -> Link:
    """A link to the worker behind a Unix socket."""

    def made() -> WorkerLink:
        return WorkerLink(
            terms.on_lost,
            terms.on_goaway,
            terms.on_free,
            limit=terms.limit,
            counts_streams=terms.counts_streams,
            farewell=terms.farewell,
            name=terms.name,
        )

    _, link = await asyncio.get_running_loop().create_unix_connection(made, path)
    return link


def _ids(pieces: list[bytes]) -> set[int]:
    """The ids of the requests in queued output, where a large body is a piece of its own."""
    ids: set[int] = set()
    missing = 0
    for piece in pieces:
        if missing:
            missing = 0
            continue
        length, id, kind = _LENGTH_AND_ID.unpack_from(piece)
        missing = len(GOAWAY) + length - len(piece)
        if kind == Kind.REQUEST:
            ids.add(id)
    return ids


class Replica:
    """One endpoint of a pool. `on_ready` is called each time it can take requests. `limit` is how many it may hold.
    `on_counts` gets its path and what it counted, when it leaves; `dial` makes the way there."""

    def __init__(
        self,
        name: str,
        path: str,
        *,
        limit: int,
        counts_streams: bool = False,
        on_ready: Callable[[], None],
        on_counts: Callable[[str, bytes | None], None] = lambda path, body: None,  # noqa: ARG005
        dial: Dial = dial_worker,
    ) -> None:
        self._on_counts = on_counts
        self._dial = dial
        self.name = name
        self.path = path
        self._limit = limit
        self._counts_streams = counts_streams
        self.link: Link | None = None
        self.is_awaited = True
        """Nobody knows yet whether it can be reached."""
        self._on_ready = on_ready
        self._leaving: set[Link] = set()
        self._wake = asyncio.Event()
        self._is_wanted = True
        self._dialling = asyncio.get_running_loop().create_task(self._keep_connected(), name=f"dial {name}")

    @property
    def in_flight(self) -> int:
        """Requests that the replica holds."""
        return (len(self.link.open) if self.link is not None else 0) + sum(len(link.open) for link in self._leaving)

    def set_limit(self, limit: int, *, counts_streams: bool) -> None:
        """How many requests it may hold from now on."""
        if (limit, counts_streams) != (self._limit, self._counts_streams):
            self._limit, self._counts_streams = limit, counts_streams
            if self.link is not None:
                self.link.set_limit(limit, counts_streams=counts_streams)

    def retire(self) -> None:
        """Send it nothing more; what it holds may still be answered."""
        self._is_wanted = False
        self._dialling.cancel()
        if self.link is not None:
            self.link.leave()

    async def _keep_connected(self) -> None:
        delay_s = _FIRST_RETRY_S
        while self._is_wanted:
            try:
                link = await self._dial(self.path, self._terms())
            except OSError as error:
                log.debug("replica %s does not answer at %s: %s", self.name, self.path, error)
                self.is_awaited = False
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, _LAST_RETRY_S)
                continue
            if not self._is_wanted:
                link.close()
                return
            delay_s = _FIRST_RETRY_S
            self.link, self.is_awaited = link, False
            self._wake.clear()
            self._on_ready()
            await self._wake.wait()
            await asyncio.sleep(_FIRST_RETRY_S)

    def _terms(self) -> LinkTerms:
        return LinkTerms(
            on_lost=self._lost,
            on_goaway=self._gone_away,
            on_free=self._on_ready,
            limit=self._limit,
            counts_streams=self._counts_streams,
            farewell=partial(self._on_counts, self.path),
            name=self.name,
        )

    def _gone_away(self, link: Link) -> None:
        self._leaving.add(link)
        self._drop(link)

    def _lost(self, link: Link) -> None:
        self._leaving.discard(link)
        self._drop(link)

    def _drop(self, link: Link) -> None:
        if self.link is link:
            self.link = None
            self._wake.set()
