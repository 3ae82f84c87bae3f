"""The queue between serving and a sink: bounded, never waited for, emptied by threads of its own."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from fairlead.dataplane.payload_log.event import Event

_log = logging.getLogger(__name__)

Write = Callable[[], Event]
"""Makes an event; called on a sink's thread, because writing JSON is work that serving need not do."""

_COMPLAINT_S = 10.0


class Sink(Protocol):
    """Where events go. `send` is called by one thread at a time per sink; it blocks and raises what goes wrong."""

    def send(self, event: Event) -> None: ...
    def close(self) -> None: ...


class Gathering(Sink, Protocol):
    """A sink that gathers. `due_in_s` is how long what it holds may wait, `None` while that does not matter; `flush`
    sends it."""

    @property
    def due_in_s(self) -> float | None: ...
    def flush(self) -> None: ...


class Counts:
    """What became of the events of one sink."""

    __slots__ = ("dropped", "failed", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.dropped = 0
        self.failed = 0


class Dispatcher:
    """One sink address. `make_sink` is called once per thread, on it, so sinks need no locks."""

    def __init__(self, where: str, make_sink: Callable[[], Sink], *, limit: int, threads: int) -> None:
        self.where = where
        self.counts = Counts()
        self._make_sink = make_sink
        self._limit = limit
        self._most_threads = threads
        self._threads: list[threading.Thread] = []
        self._waiting: deque[Write] = deque()
        self._wake = threading.Condition()
        self._busy = 0
        self._is_closed = False
        self._complained_at = -_COMPLAINT_S

    def offer(self, write: Write) -> None:
        """Take an event if there is room; on the loop's thread, at the cost of a lock nobody holds for long."""
        with self._wake:
            if len(self._waiting) >= self._limit or self._is_closed:
                self.counts.dropped += 1
                self._complain("dropped an event: %d wait already", len(self._waiting))
                return
            self._waiting.append(write)
            if len(self._threads) <= self._busy and len(self._threads) < self._most_threads:
                thread = threading.Thread(target=self._serve, name="payload-log", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._wake.notify()

    def close(self, grace_s: float) -> None:
        """Take nothing more, send what waits within the grace, end the threads."""
        deadline = time.monotonic() + grace_s
        with self._wake:
            self._is_closed = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        left = len(self._waiting)
        self._waiting.clear()
        self.counts.dropped += left
        if left:
            _log.warning("payload log %s: %d events were not sent in time", self.where, left)

    def _serve(self) -> None:
        sink: Sink | None = None
        while (write := self._next(sink)) is not None:
            try:
                if sink is None:
                    sink = self._make_sink()
                sink.send(write())
                self._count(is_sent=True)
            # Whatever a sink or an encoder raises must not end the thread: payload logs are best effort, counted.
            except Exception as error:
                self._count(is_sent=False)
                self._complain("an event was not sent: %s", error)
            finally:
                with self._wake:
                    self._busy -= 1
        if sink is not None:
            self._tidily(sink.close)

    def _next(self, sink: Sink | None) -> Write | None:
        while True:
            with self._wake:
                due_in_s: float | None = getattr(sink, "due_in_s", None)
                while not self._waiting and due_in_s != 0.0:
                    if self._is_closed:
                        return None
                    if not self._wake.wait(due_in_s):
                        break  # it is due
                if self._waiting:
                    self._busy += 1
                    return self._waiting.popleft()
            flush: Callable[[], None] = sink.flush  # type: ignore[union-attr]  # only such sinks are ever due
            self._tidily(flush)

    def _tidily(self, finish: Callable[[], None]) -> None:
        """What a sink does with what it had taken already; it fails as an event does."""
        try:
            finish()
        except Exception as error:
            self._count(is_sent=False)
            self._complain("events were not sent: %s", error)

    def _count(self, *, is_sent: bool) -> None:
        with self._wake:
            if is_sent:
                self.counts.sent += 1
            else:
                self.counts.failed += 1

    def _complain(self, text: str, what: object) -> None:
        """One line now and then: a sink that is gone must not fill the log."""
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAINT_S:
            self._complained_at = now
            _log.warning(f"payload log %s: {text}", self.where, what)
