"""A server that takes CloudEvents in binary mode and remembers them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from support.loopback_server import loopback_server


@dataclass(frozen=True)
class Received:
    """One event as it came: headers by lower-case name, and its data."""

    headers: dict[str, str]
    data: bytes


@dataclass
class CloudEventSink:
    """What came so far. While `open` is cleared, senders wait for their answer."""

    url: str = ""
    status: int = 200
    events: list[Received] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, event: Received) -> None:
        with self._came:
            self.events.append(event)
            self._came.notify_all()

    def wait(self, count: int) -> list[Received]:
        """The events, once there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.events) >= count, timeout=20), self.events
            return list(self.events)


@contextmanager
def cloud_event_sink() -> Iterator[CloudEventSink]:
    """A sink on a free port."""
    sink = CloudEventSink()
    sink.open.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sink.open.wait(20)
            sink.take(Received({name.lower(): value for name, value in self.headers.items()}, data))
            self.send_response(sink.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with loopback_server(Handler) as port:
        sink.url = f"http://127.0.0.1:{port}/log"
        try:
            yield sink
        finally:
            sink.open.set()
