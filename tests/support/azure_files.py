"""The two calls of Azure Files that a reader makes, with Shared Key signatures checked (after Microsoft's reference).

No server of these shares runs without an account. The signature is written down here a second time, from the
reference, so that it is not the reader's own that is compared.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from support.loopback_server import loopback_server

ACCOUNT = "acme"
KEY = base64.b64encode(b"a key of the account that nobody must see").decode()


class Shares:
    """`files` maps `share/path` to content; a listing holds `page` names. Who has no `KEY`, `sas` or `token` is
    refused."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.page = 2
        self.sas = "sv=1&sig=a-signature-to-hide"
        self.token = "a-token-to-hide"
        self.asked: list[tuple[str, str]] = []
        self.cut_at: int | None = None
        self.cuts = 0


@contextmanager
def shares() -> Iterator[Shares]:
    """Serve on a free loopback port until the block ends."""
    with loopback_server(_Handler) as port:
        _Handler.of[port] = Shares(f"http://127.0.0.1:{port}")
        try:
            yield _Handler.of[port]
        finally:
            del _Handler.of[port]


class _Handler(BaseHTTPRequestHandler):
    of: dict[int, Shares] = {}  # noqa: RUF012 - one per port, set before the server starts
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        there = self.of[self.server.server_address[1]]  # type: ignore[index] # (host, port)
        parts = urlsplit(self.path)
        path = unquote(parts.path).strip("/")
        query = dict(parse_qsl(parts.query))
        there.asked.append((path, self.headers.get("x-ms-range", "")))
        if not self._may_read(there):
            return self._fail(403, "AuthenticationFailed", "Server failed to authenticate the request.")
        if query.get("comp") == "list":
            return self._list(there, path, query.get("marker", ""))
        return self._get(there, path)

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked`."""

    def _may_read(self, there: Shares) -> bool:
        said = self.headers.get("Authorization", "")
        if said.startswith("Bearer "):
            return said == f"Bearer {there.token}" and self.headers.get("x-ms-file-request-intent") == "backup"
        if there.sas in self.path:
            return not said
        return said == f"SharedKey {ACCOUNT}:{self._signature()}"

    def _signature(self) -> str:
        """VERB, eleven standard headers, CanonicalizedHeaders, CanonicalizedResource."""
        parts = urlsplit(self.path)
        ours = sorted(name.lower() for name in self.headers if name.lower().startswith("x-ms-"))
        text = "GET\n" + "\n" * 11 + "".join(f"{name}:{self.headers[name]}\n" for name in ours)
        text += f"/{ACCOUNT}{parts.path}" + "".join(
            f"\n{name}:{value}" for name, value in sorted(parse_qsl(parts.query))
        )
        return base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()

    def _list(self, there: Shares, folder: str, marker: str) -> None:
        below = [name.removeprefix(f"{folder}/") for name in there.files if name.startswith(f"{folder}/")]
        if not below:
            return self._fail(404, "ResourceNotFound", "The specified resource does not exist.")
        names = sorted({name.partition("/")[0] for name in below})
        rest = [name for name in names if name > marker]
        items = "".join(self._item(there, f"{folder}/{name}", name) for name in rest[: there.page])
        after = rest[there.page - 1] if len(rest) > there.page else ""
        inside = f"<Entries>{items}</Entries><NextMarker>{escape(after)}</NextMarker>"
        body = f"<EnumerationResults>{inside}</EnumerationResults>"
        return self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _item(self, there: Shares, path: str, name: str) -> str:
        if path not in there.files:
            return f"<Directory><Name>{escape(name)}</Name><Properties/></Directory>"
        content = there.files[path]
        properties = f"<Content-Length>{len(content)}</Content-Length><Etag>{escape(_etag(content))}</Etag>"
        return f"<File><Name>{escape(name)}</Name><Properties>{properties}</Properties></File>"

    def _get(self, there: Shares, path: str) -> None:
        if path not in there.files:
            return self._fail(404, "ResourceNotFound", "The specified resource does not exist.")
        whole = there.files[path]
        start = int(self.headers.get("x-ms-range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        body, headers = whole[start:], {"ETag": _etag(whole)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        headers["Content-Length"] = str(len(body))
        if there.cuts:
            there.cuts -= 1
            body = body[: there.cut_at]
            self.close_connection = True
        return self._answer(206 if start else 200, body, headers)

    def _fail(self, status: int, code: str, message: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(), {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
