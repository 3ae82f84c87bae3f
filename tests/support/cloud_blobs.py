"""The few REST calls of Google Cloud Storage and Azure Blob Storage that a reader makes, over plain HTTP.

Enough for a real client library to list and read: no server of either kind runs without an account. Written from the
public references of both APIs (XML API objects and bucket listings; List Blobs and Get Blob of 2023-11-03).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from support.loopback_server import loopback_server


class CloudBlobs:
    """`objects` maps `bucket/key` to content. Requests are refused unless `accepts(authorization, query)` holds;
    `asked` collects method, path and Range of what was accepted. `page` is how many objects one listing holds."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.objects: dict[str, bytes] = {}
        self.authorization = ""
        self.query_has = ""
        self.asked: list[tuple[str, str, str]] = []
        self.page = 2
        self.cut_at: int | None = None

    def put(self, name: str, content: bytes) -> None:
        """Create or replace an object."""
        self.objects[name] = content


@contextmanager
def cloud_blobs() -> Iterator[CloudBlobs]:
    """Serve on a free loopback port until the block ends."""
    with loopback_server(_Handler) as port:
        blobs = CloudBlobs(f"http://127.0.0.1:{port}")
        _Handler.of[port] = blobs
        try:
            yield blobs
        finally:
            del _Handler.of[port]


class _Handler(BaseHTTPRequestHandler):
    of: dict[int, CloudBlobs] = {}  # noqa: RUF012 - one per port, set before the server starts
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        blobs = self.of[self.server.server_address[1]]  # type: ignore[index] # (host, port)
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not self._may_read(blobs, parts.query):
            body = "<Error><Code>AccessDenied</Code><Message>Anonymous callers may not.</Message></Error>"
            return self._answer(403, body.encode(), {})
        name = unquote(parts.path.strip("/"))
        blobs.asked.append((self.command, name, self.headers.get("Range", "")))
        if "comp" in query or "list-type" in query:
            return self._list(blobs, name, query)
        return self._get(blobs, name)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked`."""

    def _may_read(self, blobs: CloudBlobs, query: str) -> bool:
        authorization = self.headers.get("Authorization", "")
        if not blobs.authorization and authorization:
            return False
        return authorization.startswith(blobs.authorization) and blobs.query_has in query

    def _list(self, blobs: CloudBlobs, bucket: str, query: dict[str, str]) -> None:
        names = sorted(name.partition("/")[2] for name in blobs.objects if name.startswith(f"{bucket}/"))
        if not names:
            body = "<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist.</Message></Error>"
            return self._answer(404, body.encode(), {})
        after = query.get("continuation-token", query.get("marker", ""))
        names = [name for name in names if name.startswith(query.get("prefix", "")) and name > after]
        page, more = names[: blobs.page], len(names) > blobs.page
        write = _azure_listing if "comp" in query else _google_listing
        listing = write([(name, blobs.objects[f"{bucket}/{name}"]) for name in page], page[-1] if more else "")
        return self._answer(200, listing.encode(), {"Content-Type": "application/xml"})

    def _get(self, blobs: CloudBlobs, name: str) -> None:
        if name not in blobs.objects:
            body = "<Error><Code>NoSuchKey</Code><Message>The object does not exist.</Message></Error>"
            return self._answer(404, body.encode(), {})
        whole = blobs.objects[name]
        headers = {"ETag": _etag(whole), "Last-Modified": formatdate(0, usegmt=True), "x-ms-blob-type": "BlockBlob"}
        asked = self.headers.get("Range", "").removeprefix("bytes=")
        if not asked:
            return self._answer(200, whole, headers, cut_at=blobs.cut_at)
        start, _, end = asked.partition("-")
        part = whole[int(start) : int(end) + 1 if end else None]
        headers["Content-Range"] = f"bytes {start}-{int(start) + len(part) - 1}/{len(whole)}"
        return self._answer(206, part, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], cut_at: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut_at])
        self.close_connection = self.close_connection or cut_at is not None


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _google_listing(objects: list[tuple[str, bytes]], next_token: str) -> str:
    items = "".join(
        f"<Contents><Key>{escape(name)}</Key><Size>{len(content)}</Size><ETag>{escape(_etag(content))}</ETag>"
        "<LastModified>1970-01-01T00:00:00.000Z</LastModified></Contents>"
        for name, content in objects
    )
    more = f"<NextContinuationToken>{escape(next_token)}</NextContinuationToken>" if next_token else ""
    return f"<?xml version='1.0' encoding='UTF-8'?><ListBucketResult>{items}{more}</ListBucketResult>"


def _azure_listing(objects: list[tuple[str, bytes]], next_marker: str) -> str:
    items = "".join(
        f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{formatdate(0, usegmt=True)}</Last-Modified>"
        f"<Etag>{_etag(content).strip(chr(34))}</Etag><Content-Length>{len(content)}</Content-Length>"
        "<Content-Type>application/octet-stream</Content-Type></Properties></Blob>"
        for name, content in objects
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><EnumerationResults>"
        f"<Blobs>{items}</Blobs><NextMarker>{escape(next_marker)}</NextMarker></EnumerationResults>"
    )
