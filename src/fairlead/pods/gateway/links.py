"""The way to one pod, in the place of the link to a worker: HTTP where that has frames.

A pod that does not answer is left, as a worker is that says goodbye: it gets nothing more, what it holds may still be
answered, and the gateway dials again. How much it may hold is bounded as it is for a worker.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

from fairlead.backends.local.gateway.link import Link, LinkTerms, Passenger
from fairlead.pods.gateway.addresses import PodAddress
from fairlead.pods.gateway.exchanges import Exchange
from fairlead.pods.gateway.streams import Call, Calls
from fairlead.protocols.exchange import Head, Outgoing
from fairlead.protocols.frames import decode_request_head
from fairlead.protocols.streaming import is_grpc

_CONNECT_S = 3.0
_LARGE_BYTES = 64 * 1024
_MOST_LARGE_BYTES = 64 * 1024 * 1024
_MOST_IDLE = 64


async def dial_pod(path: str, terms: LinkTerms) -> Link:
    """A link to the pod at an address, which answers there. Raises `OSError`."""
    link = PodLink(PodAddress.of(path), terms)
    await link.begin()
    return link


class PodLink:
    """Requests that are at a pod or on their way there, by id."""

    def __init__(self, address: PodAddress, terms: LinkTerms) -> None:
        self.name = terms.name
        self.open: dict[int, Passenger] = {}
        self.is_full = False
        self._address = address
        self._terms = terms
        self._limit, self._counts_streams = terms.limit, terms.counts_streams
        self._streamed: set[int] = set()
        self._large_bytes = 0
        self._last_id = 0
        self._is_leaving = False
        self._idle: list[Exchange] = []
        self._exchanges: dict[int, Exchange] = {}
        self._calls: Calls | None = None
        self._called: dict[int, tuple[Calls, Call]] = {}
        self._dialling: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Connect. Raises `OSError`."""
        if self._address.http:
            self._idle.append(await self._dial())
        else:
            self._calls = await self._dial_calls()

    # What the pool and its requests call.

    def request(self, passenger: Passenger) -> int:
        """Send a request; its id is for `cancel`."""
        id = self._taken(passenger)
        head, body = decode_request_head(passenger.head), passenger.body
        if is_grpc(head) or not self._address.http:
            self._call(id, passenger, head, lambda call: _send_all(call, body))
        else:
            self._ask(id, passenger, head, body)
        return id

    def open_stream(self, passenger: Passenger) -> tuple[int, Outgoing]:
        """Send the head of a request, and its body through what is given back."""
        id = self._taken(passenger)
        self._streamed.add(id)
        upload = _Upload()
        self._call(id, passenger, decode_request_head(passenger.head), upload.lead_to)
        self.is_full = self._has_enough
        return id, upload

    def cancel(self, id: int) -> None:
        """Nobody waits for this answer any more."""
        if id not in self.open:
            return
        exchange = self._exchanges.pop(id, None)
        calls, call = self._called.get(id, (None, None))
        self._forget(id)
        if exchange is not None:
            exchange.close()
        if calls is not None and call is not None:
            calls.cancel(call)

    def ask_counts(self, told: Callable[[bytes | None], None]) -> None:
        """Pods are scraped by whoever scrapes pods."""
        told(None)

    def set_limit(self, limit: int, *, counts_streams: bool) -> None:
        """How many requests it may hold from now on."""
        self._limit, self._counts_streams = limit, counts_streams
        self._look_for_room()
        self.is_full = self._has_enough

    def leave(self) -> None:
        """Take nothing more, and hang up when every open request is answered."""
        if not self._is_leaving:
            self._is_leaving = True
            self._terms.on_goaway(self)
            self._leave_if_done()

    def close(self) -> None:
        """Hang up."""
        self._is_leaving = True
        for task in self._dialling:
            task.cancel()
        for exchange in (*self._idle, *self._exchanges.values()):
            exchange.close()
        self._idle.clear()
        if self._calls is not None:
            self._calls.close()
        self._terms.on_lost(self)

    # What connections say.

    def answered(self, exchange: Exchange) -> None:
        """A connection is free again, if it is open."""
        self._exchanges.pop(exchange.id, None)
        id, exchange.id = exchange.id, 0
        if exchange.is_open and not self._is_leaving and len(self._idle) < _MOST_IDLE:
            self._idle.append(exchange)
        else:
            exchange.close()
        self._forget(id)

    def ended(self, exchange: Exchange, *, was_heard: bool) -> None:  # noqa: ARG002 (a request is sent once)
        """A connection is gone, idle or with its request."""
        if exchange in self._idle:
            self._idle.remove(exchange)
        if exchange.id:
            self._exchanges.pop(exchange.id, None)
            self._forget(exchange.id)

    def over(self, id: int) -> None:
        """A call is over."""
        self._forget(id)

    def calls_ended(self, connection: Calls) -> None:
        """It takes no further calls."""
        if self._calls is connection:
            self._calls = None

    # How requests get there.

    def _ask(self, id: int, passenger: Passenger, head: Head, body: bytes) -> None:
        while self._idle:
            exchange = self._idle.pop()
            if exchange.is_open:
                self._exchanges[id] = exchange
                exchange.ask(id, passenger, head, body)
                return

        async def dial() -> None:
            exchange = await self._dial()
            if id in self.open:
                self._exchanges[id] = exchange
                exchange.ask(id, passenger, head, body)
            else:
                exchange.close()

        self._go(id, dial())

    def _call(self, id: int, passenger: Passenger, head: Head, begun: Callable[[Call], None]) -> None:
        def begin(calls: Calls) -> None:
            call = calls.begin(id, passenger, head)
            self._called[id] = (calls, call)
            begun(call)

        if self._calls is not None and self._calls.is_open:
            begin(self._calls)
            return

        async def dial() -> None:
            made = None if self._calls is not None else await self._dial_calls()
            if self._calls is None:
                self._calls = made
            elif made is not None:
                made.close()
            if id in self.open and self._calls is not None:
                begin(self._calls)

        self._go(id, dial())

    def _go(self, id: int, dialling: Coroutine[None, None, None]) -> None:
        """Make a connection for a request. When that fails nothing more is sent here until the pod answers again."""

        async def go() -> None:
            try:
                await dialling
            except OSError:
                passenger = self.open.get(id)
                self._forget(id)
                self.leave()
                if passenger is not None:
                    passenger.lost(was_sent=False)

        task = asyncio.get_running_loop().create_task(go())
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def _dial(self) -> Exchange:
        loop, address = asyncio.get_running_loop(), self._address
        async with asyncio.timeout(_CONNECT_S):
            _, exchange = await loop.create_connection(lambda: Exchange(self), address.host, address.http)
        return exchange

    async def _dial_calls(self) -> Calls:
        loop, address = asyncio.get_running_loop(), self._address
        async with asyncio.timeout(_CONNECT_S):
            _, calls = await loop.create_connection(lambda: Calls(self), address.host, address.calls or address.http)
        return calls

    # How many are there.

    def _taken(self, passenger: Passenger) -> int:
        self._last_id = id = self._last_id + 1
        self.open[id] = passenger
        if len(passenger.body) > _LARGE_BYTES:
            self._large_bytes += len(passenger.body)
        self.is_full = self._has_enough
        return id

    @property
    def _has_enough(self) -> bool:
        apart = 0 if self._counts_streams else len(self._streamed)
        return len(self.open) - apart >= self._limit or self._large_bytes >= _MOST_LARGE_BYTES

    def _forget(self, id: int) -> None:
        passenger = self.open.pop(id, None)
        self._streamed.discard(id)
        self._called.pop(id, None)
        if passenger is None:
            return
        if len(passenger.body) > _LARGE_BYTES:
            self._large_bytes -= len(passenger.body)
        if self._is_leaving:
            self._leave_if_done()
        else:
            # The answer goes first: whoever waits for this place must not make it wait.
            asyncio.get_running_loop().call_soon(self._look_for_room)

    def _look_for_room(self) -> None:
        if self.is_full and not self._has_enough and not self._is_leaving:
            self.is_full = False
            self._terms.on_free()

    def _leave_if_done(self) -> None:
        if self._is_leaving and not self.open:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                asyncio.get_running_loop().call_soon(self.close)


class _Upload:
    """The `Outgoing` of a request's body before there is a connection for it."""

    def __init__(self) -> None:
        self._call: Call | None = None
        self._held: list[bytes] = []
        self._is_ended = False
        self.is_full = True
        self._when_free: Callable[[], None] | None = None

    @property
    def when_free(self) -> Callable[[], None] | None:
        """Called when more may be sent."""
        return self._when_free

    @when_free.setter
    def when_free(self, told: Callable[[], None] | None) -> None:
        self._when_free = told
        if self._call is not None:
            self._call.when_free = self._go_on

    def lead_to(self, call: Call) -> None:
        """It has a call now."""
        self._call = call
        call.when_free = self._go_on
        for piece in self._held:
            call.send(piece)
        self._held.clear()
        if self._is_ended:
            call.end()
        elif not call.is_full:
            self._go_on()

    def send(self, data: bytes) -> None:
        """Queue a piece."""
        if self._call is None:
            self._held.append(data)
            return
        self._call.send(data)
        self.is_full = self._call.is_full

    def end(self, trailers: bytes = b"") -> None:  # noqa: ARG002 (requests have none)
        """That was all."""
        self._is_ended = True
        if self._call is not None:
            self._call.end()

    def abort(self) -> None:
        """It will not be finished."""
        if self._call is not None:
            self._call.abort()

    def _go_on(self) -> None:
        self.is_full = False
        if self._when_free is not None:
            self._when_free()


def _send_all(call: Call, body: bytes) -> None:
    if body:
        call.send(body)
    call.end()
