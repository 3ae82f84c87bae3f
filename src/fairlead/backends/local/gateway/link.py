"""The gateway's connection to one replica, kept up for as long as the replica is in the table.

`Replica` dials, and dials again when the connection is lost; `WorkerLink` is one connection's life. A replica that
says goaway gets nothing more and is hung up on when it has answered; then dialling starts over.
"""

import asyncio
import logging
from collections.abc import Callable
from struct import Struct
from typing import Protocol

from fairlead.dataplane.net.frame_link import FrameLink
from fairlead.protocols.exchange import Response
from fairlead.protocols.frames import GOAWAY, LAST_ID, Frame, Kind, encode_cancel, request_prefix

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.01
_LAST_RETRY_S = 1.0
_LENGTH_AND_ID = Struct(">IIB")


class Passenger(Protocol):
    """A request on its way, as a link sees it."""

    head: bytes
    body: bytes

    def arrived(self, response: Response) -> None: ...
    def lost(self, *, was_sent: bool) -> None: ...


class WorkerLink(FrameLink):
    """One connection to a worker. `open` holds the requests that are there, by id."""

    def __init__(self, on_lost: "Callable[[WorkerLink], None]", on_goaway: "Callable[[WorkerLink], None]") -> None:
        super().__init__()
        self.open: dict[int, Passenger] = {}
        self._on_lost = on_lost
        self._on_goaway = on_goaway
        self._last_id = 0
        self._is_leaving = False

    def request(self, passenger: Passenger) -> int:
        """Send a request; its id is for `cancel`."""
        id = self._last_id + 1 if self._last_id < LAST_ID else 1
        while id in self.open:
            id = id + 1 if id < LAST_ID else 1
        self._last_id = id
        self.open[id] = passenger
        head, body = passenger.head, passenger.body
        self.send(request_prefix(id, head, body), head, body)
        return id

    def cancel(self, id: int) -> None:
        """Nobody waits for this answer any more."""
        if self.open.pop(id, None) is not None:
            self.send(encode_cancel(id), b"", b"")
            self._leave_if_done()

    def take(self, frame: Frame) -> None:
        if frame.kind == Kind.RESPONSE:
            passenger = self.open.pop(frame.id, None)
            if passenger is not None:
                passenger.arrived(Response(frame.status, frame.head, frame.body))
            if self._is_leaving:
                self._leave_if_done()
        elif frame.kind == Kind.GOAWAY:
            self.leave()

    def leave(self) -> None:
        """Hang up when every open request is answered."""
        if not self._is_leaving:
            self._is_leaving = True
            self._on_goaway(self)
            self._leave_if_done()

    def _leave_if_done(self) -> None:
        if self._is_leaving and not self.open:
            self.close()

    def lost(self, unsent: list[bytes]) -> None:
        passengers, self.open = self.open, {}
        never_left = _ids(unsent)
        self._on_lost(self)
        for id, passenger in passengers.items():
            passenger.lost(was_sent=id not in never_left)


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
    """One endpoint of a pool. `on_ready` is called each time it can take requests."""

    def __init__(self, name: str, path: str, *, on_ready: Callable[[], None]) -> None:
        self.name = name
        self.path = path
        self.link: WorkerLink | None = None
        self._on_ready = on_ready
        self._leaving: set[WorkerLink] = set()
        self._wake = asyncio.Event()
        self._is_wanted = True
        self._dialling = asyncio.get_running_loop().create_task(self._keep_connected(), name=f"dial {name}")

    @property
    def in_flight(self) -> int:
        """Requests that the replica holds."""
        return (len(self.link.open) if self.link is not None else 0) + sum(len(link.open) for link in self._leaving)

    def retire(self) -> None:
        """Send it nothing more; what it holds may still be answered."""
        self._is_wanted = False
        self._dialling.cancel()
        if self.link is not None:
            self.link.leave()

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        delay_s = _FIRST_RETRY_S
        while self._is_wanted:
            try:
                _, link = await loop.create_unix_connection(lambda: WorkerLink(self._lost, self._gone_away), self.path)
            except OSError as error:
                log.debug("replica %s does not answer at %s: %s", self.name, self.path, error)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, _LAST_RETRY_S)
                continue
            if not self._is_wanted:
                link.close()
                return
            delay_s = _FIRST_RETRY_S
            self.link = link
            self._wake.clear()
            self._on_ready()
            await self._wake.wait()
            await asyncio.sleep(_FIRST_RETRY_S)

    def _gone_away(self, link: WorkerLink) -> None:
        self._leaving.add(link)
        self._drop(link)

    def _lost(self, link: WorkerLink) -> None:
        self._leaving.discard(link)
        self._drop(link)

    def _drop(self, link: WorkerLink) -> None:
        if self.link is link:
            self.link = None
            self._wake.set()
