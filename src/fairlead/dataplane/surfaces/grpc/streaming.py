"""Calls with several messages in either direction, one handler for all of them.

The messages of a call are handed over as they come; answers leave as they are ready. A caller that reads slowly stops
being read from, so neither side's messages pile up here.
"""

from collections.abc import Callable
from typing import Protocol

from fairlead.dataplane.surfaces.grpc.calling import Calls, told
from fairlead.dataplane.surfaces.grpc.outcomes import Outcome, plain
from fairlead.errors import FairleadError, GrpcCode
from fairlead.protocols.exchange import Handler, Outgoing, Reply, Request, ServerReply
from fairlead.protocols.grpc import CONTENT_TYPE, MessageReader, frame_message, status_lines

_MOST_UNDER_WAY = 64


class Talk(Protocol):
    """What a method does with the messages of one call."""

    def take(self, message: bytes) -> None:
        """The next message."""

    def end(self) -> None:
        """There are no more."""

    def gone(self) -> None:
        """Nobody listens any more."""

    def drain(self) -> None:
        """The worker stops: finish what is held and take nothing new."""


class Stream:
    """One call. `begun` and `done` count the messages that a method is busy with."""

    def __init__(self, request: Request, out: Outgoing, reader: MessageReader) -> None:
        self._incoming = request.incoming
        self._out = out
        self._reader = reader
        self._under_way = 0
        self._is_paused = False
        self.is_over = False
        self.when_over: Callable[[], None] | None = None
        out.when_free = self._look

    def send(self, message: bytes) -> None:
        """Send a message."""
        if not self.is_over:
            self._out.send(frame_message(message))
            self._look()

    def finish(self, code: GrpcCode = GrpcCode.OK, words: str = "") -> None:
        """The call's outcome; nothing follows."""
        if not self.is_over:
            self.is_over = True
            self._out.end(status_lines(code, words))
            self._look()
            if self.when_over is not None:
                self.when_over()

    def leave(self) -> None:
        """End a call whose client has not said that it is done: it may go on elsewhere."""
        self.finish(GrpcCode.UNAVAILABLE, "this replica is stopping")

    def begun(self) -> None:
        """A message is being worked on."""
        self._under_way += 1
        self._look()

    def done(self) -> None:
        """It is not any more."""
        self._under_way -= 1
        self._look()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being worked on."""
        return self._under_way == 0

    def listen(self, talk: Talk) -> None:
        """Hand over the messages of the call."""

        def on_data(data: bytes) -> None:
            try:
                messages = self._reader.feed(data)
            except FairleadError as error:
                self.finish(*plain(error)[:2])
                return
            for message in messages:
                if not self.is_over:
                    talk.take(message)

        def on_end() -> None:
            try:
                self._reader.end()
            except FairleadError as error:
                self.finish(*plain(error)[:2])
                return
            if not self.is_over:
                talk.end()

        self._hear(on_data, on_end)

    def _hear(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        assert self._incoming is not None
        self._incoming.listen(on_data, on_end)

    def _look(self) -> None:
        if self._incoming is None:
            return
        is_busy = not self.is_over and (self._out.is_full or self._under_way >= _MOST_UNDER_WAY)
        if is_busy and not self._is_paused:
            self._is_paused = True
            self._incoming.pause()
        elif not is_busy and self._is_paused:
            self._is_paused = False
            self._incoming.resume()


class WholeStream(Stream):
    """A call whose messages have all come."""

    def __init__(self, request: Request, out: Outgoing, reader: MessageReader) -> None:
        super().__init__(request, out, reader)
        self._body = request.body

    def _hear(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        on_data(self._body)
        if not self.is_over:
            on_end()


def streamed(calls: Calls, begin: Callable[[Stream, Request], Talk]) -> Handler:
    """The handler of a method whose calls are `Talk`s."""

    def handle(request: Request, reply: Reply) -> None:
        assert isinstance(reply, ServerReply)  # calls with several messages come from servers alone
        seen = told(request)
        puid = seen.puid or (calls.puids.take() if calls.gives_puid else b"")
        out = reply.begin(200, CONTENT_TYPE + calls.lines(puid))
        reader = MessageReader(encoding=seen.encoding, limit_bytes=calls.limit_bytes)
        stream = (WholeStream if request.incoming is None else Stream)(request, out, reader)
        talk = begin(stream, request)

        def gone() -> None:
            stream.is_over = True
            calls.talks.discard(talk)
            talk.gone()

        reply.on_gone = gone
        calls.talks.add(talk)
        stream.when_over = lambda: calls.talks.discard(talk)
        stream.listen(talk)
        if calls.is_draining:
            talk.drain()

    return handle


def failed(stream: Stream, outcome: Outcome) -> None:
    """End a call with a failure."""
    stream.finish(outcome.code, outcome.words)
