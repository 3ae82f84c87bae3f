"""A body in pieces from one connection to another, no faster than the slower of the two."""

from collections.abc import Callable

from fairlead.protocols.exchange import Incoming, Outgoing


def pour(source: Incoming, sink: Outgoing, on_end: Callable[[], None]) -> None:
    """Pass every piece on; `on_end` is called after the last and has to end the sink."""

    def take(piece: bytes) -> None:
        sink.send(piece)
        if sink.is_full:
            source.pause()

    sink.when_free = source.resume
    if sink.is_full:
        source.pause()
    source.listen(take, on_end)
