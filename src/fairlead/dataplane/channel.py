"""The worker's end of the socket to its supervisor (frames of `spec`).

A thread reads it for the worker's whole life, because loading a model blocks and a worker whose supervisor is gone
must not finish loading first: until somebody listens, a word to stop ends the process on the spot.
"""

import logging
import os
import socket
import struct
import threading
from collections.abc import Callable

import msgspec

from fairlead.dataplane.spec import FromWorker, LookAgain, ToWorker

_log = logging.getLogger(__name__)
_LENGTH = struct.Struct(">I")
_LONGEST = 1024 * 1024

Listener = Callable[[ToWorker | None], None]
"""Gets each message, and `None` once when the stream ends. It is called on the channel's own thread."""


class Channel:
    """What the worker says and hears."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._listener: Listener = _leave
        stream.setblocking(True)
        threading.Thread(target=self._read, name="channel", daemon=True).start()

    def say(self, message: FromWorker) -> None:
        """Tell the supervisor. A supervisor that is gone is noticed by the reader, not here."""
        frame = msgspec.msgpack.encode(message)
        try:
            with self._lock:
                self._stream.sendall(_LENGTH.pack(len(frame)) + frame)
        except OSError as error:
            _log.warning("the supervisor did not take %s: %s", type(message).__name__, error)

    def listen(self, listener: Listener) -> None:
        """From now on hand messages to `listener` instead of leaving."""
        self._listener = listener

    def _read(self) -> None:
        decoder = msgspec.msgpack.Decoder(ToWorker)
        while (frame := self._frame()) is not None:
            try:
                message = decoder.decode(frame)
            except msgspec.DecodeError as error:
                _log.error("the supervisor sent a frame that cannot be read: %s", error)
                break
            self._listener(message)
        self._listener(None)

    def _frame(self) -> bytes | None:
        head = self._exactly(_LENGTH.size)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        return self._exactly(length) if length <= _LONGEST else None

    def _exactly(self, size: int) -> bytes | None:
        got = bytearray()
        while len(got) < size:
            try:
                piece = self._stream.recv(size - len(got))
            except OSError:
                return None
            if not piece:
                return None
            got += piece
        return bytes(got)


def _leave(message: ToWorker | None) -> None:
    if not isinstance(message, LookAgain):  # a worker that still loads has not looked yet
        os._exit(0)
