"""Streams of user code, as the data plane asks for them."""

import threading
from collections.abc import AsyncIterator
from typing import Any

from fairlead.errors import UnitFailed
from fairlead.runtimes.failures import translated
from fairlead.runtimes.loop_thread import LoopThread
from fairlead.runtimes.pieces import Streamed, joined


async def letters() -> AsyncIterator[str]:
    for letter in "ab":
        yield letter


def test_a_stream_of_a_unit_that_was_closed_starts_no_loop() -> None:
    loop = LoopThread("test-pieces")
    stream = Streamed(letters(), loop, {}, translated)
    loop.close()
    heard: list[Any] = []

    stream.pull(lambda piece, error: heard.append((piece, type(error))))
    stream.close()

    assert stream.first == b"a"
    assert heard == [(None, UnitFailed)]
    assert not [one for one in threading.enumerate() if one.name == "test-pieces"]


def test_pieces_of_any_sort_join() -> None:
    loop = LoopThread("test-pieces")
    assert joined(letters(), loop) == "ab"
    assert joined((piece for piece in (b"a", b"b")), loop) == b"ab"
    assert joined((piece for piece in (b"a", "b", 3)), loop) == "ab3"
    loop.close()
