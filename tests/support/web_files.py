"""An HTTP file server that misbehaves on request: redirects, truncation, stalls, failures, and what it was asked."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from support.loopback_server import loopback_server


@dataclass
class Served:
    """One file. `failures` are statuses answered first; `cut_at` breaks connections after so many bytes of a body,
    as often as `cuts` says; `before_body` runs once the headers are out."""

    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    etag: str = '"v1"'
    has_ranges: bool = True
    has_length: bool = True
    status: int = 200
    failures: list[int] = field(default_factory=list)
    cut_at: int | None = None
    cuts: int = 0
    before_body: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    path: str
    headers: dict[str, str]


class FileServer:
    """`files` maps paths (without query) to what is served there; `asked` collects the requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, Served] = {}
        self.asked: list[Asked] = []


@contextmanager
def file_server(tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Serve on a free loopback port until the block ends."""
    with loopback_server(_Handler, tls=tls) as port:
        files = FileServer(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
        _Handler.of[port] = files
        try:
            yield files
        finally:
            del _Handler.of[port]


class _Handler(BaseHTTPRequestHandler):
    of: dict[int, FileServer] = {}  # noqa: RUF012 - one per port, set before the server starts
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        files = self.of[self.server.server_address[1]]  # type: ignore[index] # (host, port)
        files.asked.append(Asked(self.path, dict(self.headers)))
        served = files.files.get(self.path.partition("?")[0])
        if served is None:
            return self._answer(404, {}, b"<h1>no such page</h1>")
        if served.failures:
            return self._answer(served.failures.pop(0), {"Retry-After": "0"}, b"busy")
        if 0 < len(served.content) <= self._start_of_range(served):
            return self._answer(416, {"Content-Range": f"bytes */{len(served.content)}"}, b"")
        return self._serve(served)

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked`."""

    def _serve(self, served: Served) -> None:
        start = self._start_of_range(served)
        body = served.content[start:]
        headers = {"ETag": served.etag} if served.etag else {}
        if served.has_length:
            headers["Content-Length"] = str(len(body))
        else:
            headers["Connection"] = "close"
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(served.content) - 1}/{len(served.content)}"
        self.send_response(206 if start else served.status)
        for name, value in (headers | served.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        served.before_body()
        if served.cuts and served.cut_at is not None:
            served.cuts -= 1
            body = body[: served.cut_at]
            self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):  # who has seen enough hangs up
            self.wfile.write(body)
        self.close_connection = self.close_connection or not served.has_length

    def _start_of_range(self, served: Served) -> int:
        asked = self.headers.get("Range", "")
        matches = self.headers.get("If-Range", served.etag) == served.etag
        if not (served.has_ranges and asked and matches):
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
