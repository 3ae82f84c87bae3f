"""The WebHDFS calls that a reader makes, answered as a namenode and a datanode do (after Hadoop's REST reference)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import PurePosixPath
from urllib.parse import parse_qs, quote, unquote, urlsplit

from support.loopback_server import loopback_server
from support.web_files import FileServer, Served


class Cluster:
    """`files` are paths without their first slash; bytes come from `datanode`. A standby refuses everything."""

    def __init__(self, url: str, datanode: FileServer) -> None:
        self.url, self.datanode = url, datanode
        self.files: dict[str, bytes] = {}
        self.is_standby = False
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []


@contextmanager
def cluster(datanode: FileServer) -> Iterator[Cluster]:
    """Serve a namenode on a free loopback port until the block ends."""
    with loopback_server(_Handler) as port:
        _Handler.of[port] = Cluster(f"http://127.0.0.1:{port}", datanode)
        try:
            yield _Handler.of[port]
        finally:
            del _Handler.of[port]


class _Handler(BaseHTTPRequestHandler):
    of: dict[int, Cluster] = {}  # noqa: RUF012 - one per port, set before the server starts
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        there = self.of[self.server.server_address[1]]  # type: ignore[index] # (host, port)
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix("/webhdfs/v1/").strip("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        there.asked.append((path, query, dict(self.headers)))
        if there.is_standby:
            return self._refuse(403, "StandbyException", "Operation category READ is not supported in state standby")
        below = sorted(name for name in there.files if name.startswith(f"{path}/"))
        if path not in there.files and not below:
            return self._refuse(404, "FileNotFoundException", f"File /{path} does not exist.")
        if query["op"] == "OPEN":
            return self._open(there, path, int(query.get("offset", "0")))
        if query["op"] == "GETFILESTATUS":
            return self._answer(200, {"FileStatus": _status("", there.files.get(path))})
        names = sorted({PurePosixPath(name).relative_to(path).parts[0] for name in below})
        listed = [_status(name, there.files.get(f"{path}/{name}")) for name in names]
        return self._answer(200, {"FileStatuses": {"FileStatus": listed}})

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked`."""

    def _open(self, there: Cluster, path: str, offset: int) -> None:
        place = quote(f"/{path}-{offset}")
        known = there.datanode.files.get(place)
        there.datanode.files[place] = known or Served(there.files[path][offset:])
        self._answer(307, {}, {"Location": f"{there.datanode.url}{place}?namenoderpcaddress=x"})

    def _refuse(self, status: int, exception: str, message: str) -> None:
        self._answer(status, {"RemoteException": {"exception": exception, "message": f"{exception}: {message}"}})

    def _answer(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)


def _status(name: str, content: bytes | None) -> dict[str, object]:
    kind = "DIRECTORY" if content is None else "FILE"
    seed = hash(content) & 0xFFFF
    return {"pathSuffix": name, "type": kind, "length": len(content or b""), "modificationTime": seed, "fileId": seed}
