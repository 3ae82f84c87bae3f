"""A real git repository behind http: git's own server program (`git http-backend`) under a small CGI host."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from support.loopback_server import loopback_server


class GitServer:
    """Repositories below `root`. `authorization` is the header that lets somebody in; empty lets everybody in."""

    def __init__(self, url: str, root: Path) -> None:
        self.url, self.root = url, root
        self.authorization = ""
        self.redirect_to = ""
        self.before_answer: Callable[[float], object] = lambda _longest_s: None
        self.asked: list[tuple[str, str]] = []

    def commit(self, name: str, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> None:
        """Make these the content of the repository `name` (created)."""
        tree = self.root / f"{name}.work"
        if not tree.exists():
            tree.mkdir(parents=True)
            self._git(tree, "init", "--quiet", "--initial-branch=trunk")
        self._git(tree, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
        for path, content in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(content)
        for path, target in (links or {}).items():
            (tree / path).symlink_to(target)
        self._git(tree, "add", "--all")
        self._git(tree, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--allow-empty", "-m", "x")
        bare = self.root / f"{name}.git"
        if not bare.exists():
            self._git(self.root, "clone", "--quiet", "--bare", str(tree), str(bare))
            self._git(bare, "config", "uploadpack.allowFilter", "true")
        self._git(tree, "push", "--quiet", "--force", str(bare), "trunk")

    def _git(self, folder: Path, *words: str) -> None:
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null"}
        subprocess.run(["git", *words], cwd=folder, env=env, check=True, capture_output=True)


@contextmanager
def git_server(root: Path) -> Iterator[GitServer]:
    """Serve on a free loopback port until the block ends."""
    root.mkdir(parents=True, exist_ok=True)
    with loopback_server(_Handler) as port:
        server = GitServer(f"http://127.0.0.1:{port}", root)
        _Handler.of[port] = server
        try:
            yield server
        finally:
            del _Handler.of[port]


class _Handler(BaseHTTPRequestHandler):
    of: dict[int, GitServer] = {}  # noqa: RUF012 - one per port, set before the server starts
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._run(b"")

    def do_POST(self) -> None:
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._run(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked`."""

    def _run(self, body: bytes) -> None:
        server = self.of[self.server.server_address[1]]  # type: ignore[index] # (host, port)
        said = self.headers.get("Authorization", "")
        server.asked.append((self.path, said))
        server.before_answer(20)
        if server.redirect_to:
            return self._answer(302, [("Location", server.redirect_to + self.path)], b"")
        if server.authorization and said != server.authorization:
            return self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
        parts = urlsplit(self.path)
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [
            (name, value.strip()) for line in head.decode().splitlines() for name, _, value in [line.partition(":")]
        ]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        return self._answer(status, [pair for pair in headers if pair[0] != "Status"], content)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
