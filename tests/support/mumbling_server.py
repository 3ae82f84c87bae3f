"""An HTTP server that says what it was asked, and refuses, mumbles or hangs up where its path says so."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_OF_NOTE = ("x-request-id", "cookie")


class Mumbling(http.server.BaseHTTPRequestHandler):
    """Says what it was asked; paths choose how it refuses."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/refuses":
            self.answer(429, json.dumps({"error": "too much"}).encode(), ("Retry-After", "3"))
        elif self.path == "/mumbles":
            self.answer(200, b"not JSON")
        elif self.path == "/waits":
            self.rfile.read(1)  # until the client goes
        elif self.path == "/hangs-up":
            self.close_connection = True
        else:
            told = {
                "path": self.path,
                "host": self.headers["Host"],
                "asked": asked,
                "headers": {name.lower(): said for name, said in self.headers.items() if name.lower() in _OF_NOTE},
                "from": str(self.connection.fileno()),
            }
            self.answer(200, json.dumps(told).encode())

    def answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on the test's output."""


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
