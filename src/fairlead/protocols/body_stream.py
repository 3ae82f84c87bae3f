"""A request's body between the parser that finds its pieces and the handler that wants them as they come.

The `Incoming` of every server of ours. Pieces that come before anybody listens are held; whoever feeds them looks at
`is_waiting` and stops reading while it is true, so what is held stays small.
"""

from collections.abc import Callable


def _nothing() -> None:
    """Nobody feeds any more."""


class BodyStream:
    """`feed` and `finish` are the parser's end, the rest is `Incoming`. `on_flow` is called when `is_waiting` may have
    changed."""

    __slots__ = ("_held", "_is_paused", "_on_data", "_on_end", "is_finished", "on_flow")

    def __init__(self) -> None:
        self.on_flow: Callable[[], None] = _nothing
        self._on_data: Callable[[bytes], None] | None = None
        self._on_end: Callable[[], None] = _nothing
        self._held: list[bytes] = []
        self.is_finished = False
        self._is_paused = False

    @property
    def is_waiting(self) -> bool:
        """Whether the sender should wait."""
        return self._is_paused or self._on_data is None

    def listen(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        """Hear every piece and the end."""
        self._on_data, self._on_end = on_data, on_end
        held, self._held = self._held, []
        for piece in held:
            on_data(piece)
        if self.is_finished:
            on_end()
        else:
            self.on_flow()

    def pause(self) -> None:
        """Let the sender wait; what it sent already still arrives."""
        self._is_paused = True
        self.on_flow()

    def resume(self) -> None:
        """Let it go on."""
        self._is_paused = False
        self.on_flow()

    def feed(self, piece: bytes) -> None:
        """The next piece came."""
        if self._on_data is None:
            self._held.append(piece)
        elif piece:
            self._on_data(piece)

    def finish(self) -> None:
        """That was the last."""
        self.is_finished = True
        self.on_flow()
        if self._on_data is not None:
            self._on_end()


def whole(body: bytes) -> BodyStream:
    """A body that is here already, for a handler that wants pieces."""
    stream = BodyStream()
    if body:
        stream.feed(body)
    stream.finish()
    return stream
