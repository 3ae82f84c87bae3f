"""The few REST calls of the Hugging Face Hub that its client makes to list and download a repository.

No hub can be run without an account, so this one stands in; the client that talks to it is the real one. Large files
are redirected to another server, as the real hub redirects them to where its large files lie.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from support.loopback_server import loopback_server


class Hub:
    """`repositories` maps `owner/model` to revisions to files. `private` need `token`; files above `large_bytes` lie
    at `cdn`, another Hub. `failures` are statuses answered first, `cut_at` breaks downloads `cuts` times; with
    `redirect_small` small files lie elsewhere too, without a digest."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: set[str] = set()
        self.token = "hf_a-token-nobody-must-see"
        self.large_bytes = 1024
        self.redirect_small = False
        self.before_body: Callable[[], object] = lambda: None
        self.cdn: Hub | None = None
        self.blobs: dict[str, bytes] = {}
        self.failures: list[int] = []
        self.cut_at: int | None = None
        self.cuts = 0
        self.asked: list[tuple[str, dict[str, str]]] = []

    def put(self, repository: str, files: dict[str, bytes], revision: str = "main") -> None:
        """Create a repository, or replace what a revision of it holds."""
        self.repositories.setdefault(repository, {})[revision] = files

    @property
    def downloads(self) -> list[str]:
        """The paths of files that were asked for."""
        return [path for path, _ in self.asked if "/resolve/" in path or path.startswith("/blobs/")]


@contextmanager
def hugging_face() -> Iterator[Hub]:
    """Serve on a free loopback port until the block ends."""
    with loopback_server(_Handler) as port:
        hub = Hub(f"http://127.0.0.1:{port}")
        _Handler.of[port] = hub
        try:
            yield hub
        finally:
            del _Handler.of[port]


def commit(files: dict[str, bytes]) -> str:
    """The name of a revision's content."""
    return hashlib.sha1(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    of: dict[int, Hub] = {}  # noqa: RUF012 - one per port, set before the server starts
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        hub = self.of[self.server.server_address[1]]  # type: ignore[index] # (host, port)
        path = unquote(urlsplit(self.path).path)
        hub.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        if hub.failures:
            return self._json({"error": "busy"}, hub.failures.pop(0))
        if path.startswith("/blobs/"):
            return self._bytes(hub, hub.blobs[path.removeprefix("/blobs/")], {})
        owner, name, verb, rest = self._parts(path)
        repository = f"{owner}/{name}"
        if not self._may_read(hub, repository):
            code = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository Not Found"}
            return self._json({"error": "Repository Not Found"}, 401 if repository not in hub.private else 404, code)
        files = self._files(hub, repository, rest.partition("/")[0])
        if files is None:
            return self._json({"error": "Invalid rev id"}, 404, {"X-Error-Code": "RevisionNotFound"})
        if verb == "revision":
            return self._json({"id": repository, "sha": commit(files), "siblings": []})
        if verb == "tree":
            return self._json([_listed(path, content, hub) for path, content in files.items()])
        return self._resolve(hub, files, rest.partition("/")[2])

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked`."""

    def _parts(self, path: str) -> tuple[str, str, str, str]:
        parts = path.removeprefix("/api/models").strip("/").split("/", 3)
        if len(parts) == 2:
            parts += ["revision", "main"]
        return parts[0], parts[1], parts[2], parts[3]

    def _may_read(self, hub: Hub, repository: str) -> bool:
        if repository not in hub.repositories:
            return False
        return repository not in hub.private or self.headers.get("Authorization") == f"Bearer {hub.token}"

    def _files(self, hub: Hub, repository: str, revision: str) -> dict[str, bytes] | None:
        revisions = hub.repositories[repository]
        by_commit = {commit(files): files for files in revisions.values()}
        return revisions.get(revision) or by_commit.get(revision)

    def _resolve(self, hub: Hub, files: dict[str, bytes], path: str) -> None:
        if path not in files:
            return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        content = files[path]
        if hub.cdn is None or (len(content) <= hub.large_bytes and not hub.redirect_small):
            return self._bytes(hub, content, {})
        digest = hashlib.sha256(content).hexdigest()
        hub.cdn.blobs.setdefault(digest, content)
        return self._json({}, 302, {"Location": f"{hub.cdn.url}/blobs/{digest}?signature=hush"})

    def _bytes(self, hub: Hub, whole: bytes, headers: dict[str, str]) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        body = whole[start:]
        headers |= {"Content-Length": str(len(body))}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        self._head(206 if start else 200, headers)
        self.wfile.flush()
        hub.before_body()
        if hub.cuts and hub.cut_at is not None:
            hub.cuts -= 1
            body = body[: hub.cut_at]
            self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def _json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {}))
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _listed(path: str, content: bytes, hub: Hub) -> dict[str, object]:
    header = f"blob {len(content)}\0".encode()
    oid = hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
    entry: dict[str, object] = {"type": "file", "oid": oid, "size": len(content), "path": path}
    if len(content) > hub.large_bytes:
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry
