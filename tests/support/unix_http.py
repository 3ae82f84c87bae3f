"""A small HTTP server on a Unix socket, for callers that are led through one."""

import http.server
import socketserver
from pathlib import Path
from typing import Any


class UnixHTTPServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """As `http.server.ThreadingHTTPServer`."""

    daemon_threads = True

    def __init__(self, path: Path, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(str(path), handler)

    def get_request(self) -> Any:
        """Handlers want to know an address, which a Unix socket has none of."""
        request, _ = super().get_request()
        return request, ("local", 0)
