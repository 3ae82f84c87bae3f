"""One request and its answer as the data plane passes them around, whatever carried them.

The HTTP server, the frame link between gateway and worker, and the tests all speak these two types and one
callable, so a surface neither knows nor cares how a request arrived.
"""

from collections.abc import Callable
from typing import NamedTuple


class Request:
    """A whole request. Header names are lower case; `path` has no query and is percent-decoded only where a
    surface asks for it; `body` is as sent (content encodings are not undone)."""

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(self, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body

    def header(self, name: bytes, default: bytes = b"") -> bytes:
        """The first value of a header; `name` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return default


class Response(NamedTuple):
    """A whole answer. `headers` is a block of complete lines, each ending in CRLF, without Content-Length,
    Connection, Date and Transfer-Encoding, which belong to whoever writes it on a connection."""

    status: int
    headers: bytes
    body: bytes


Reply = Callable[[Response], None]
"""Called once, from the event loop's thread, at any time after the handler was entered."""

Handler = Callable[[Request, Reply], None]
"""Takes a request and must see to it that `reply` is called exactly once. It does not block."""
