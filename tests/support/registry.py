"""A real container registry (Debian's docker-registry) on a free loopback port, a way to push to it, and a front that
asks for tokens and keeps blobs elsewhere, as the registries of clouds do."""

import base64
import hashlib
import http.client
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support.loopback_server import loopback_server
from support.web_files import FileServer, Served

USER = "robot"
PASSWORD = "a-password-nobody-must-see"
_HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuymv17ZNe8KSPLg60LthjKfi8WppnuVe\n"
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Registry:
    """`host` is where it listens, `root` where it keeps blobs; with `is_private` only `USER` gets in."""

    def __init__(self, host: str, root: Path, *, is_private: bool) -> None:
        self.host, self.root, self.is_private = host, root, is_private

    def config(self, host: str = "", *, password: str = PASSWORD) -> str:
        """The Docker configuration of somebody who may read."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        return json.dumps({"auths": {host or self.host: {"auth": auth}}})

    def push_image(self, repository: str, *layers: bytes, tag: str = "latest") -> str:
        """An image of these layers; gives the manifest's digest."""
        return self._push(repository, tag, [self._layer(repository, layer) for layer in layers])

    def push_artifact(self, repository: str, files: Mapping[str, bytes], tag: str = "latest", **more: str) -> str:
        """An artifact whose layers are files with titles; `more` are annotations of every layer."""
        titles = "org.opencontainers.image.title"
        layers = [
            self._layer(repository, content, media_type="application/octet-stream", annotations={titles: name, **more})
            for name, content in files.items()
        ]
        return self._push(repository, tag, layers)

    def push_index(self, repository: str, images: Mapping[str, str], tag: str = "latest") -> None:
        """An index of images by their architecture."""
        manifests = [
            {
                "mediaType": _MANIFEST,
                "digest": digest,
                "size": len(self._get(f"/v2/{repository}/manifests/{digest}")),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, digest in images.items()
        ]
        self._put_manifest(repository, tag, {"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}, _INDEX)

    def blob_path(self, content: bytes) -> Path:
        """Where the registry keeps these bytes."""
        digest = hashlib.sha256(content).hexdigest()
        return self.root / "docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data"

    def _push(self, repository: str, tag: str, layers: list[dict[str, Any]]) -> str:
        config = self._layer(repository, b"{}", media_type="application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
        return self._put_manifest(repository, tag, manifest, _MANIFEST)

    def _put_manifest(self, repository: str, tag: str, manifest: Mapping[str, Any], media_type: str) -> str:
        body = json.dumps(manifest).encode()
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", body, media_type)
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def _layer(
        self, repository: str, content: bytes, media_type: str = _LAYER, annotations: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        headers = self._send("POST", f"/v2/{repository}/blobs/uploads/", b"", "")
        place = urlsplit(headers["Location"])
        self._send("PUT", f"{place.path}?{place.query}&digest={digest}", content, "application/octet-stream")
        described: dict[str, Any] = {"mediaType": media_type, "digest": digest, "size": len(content)}
        return described | ({"annotations": dict(annotations)} if annotations else {})

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self._request("GET", path, None, "")) as response:
            body: bytes = response.read()
            return body

    def _send(self, method: str, path: str, body: bytes, media_type: str) -> http.client.HTTPMessage:
        with urllib.request.urlopen(self._request(method, path, body, media_type)) as response:
            headers: http.client.HTTPMessage = response.headers
            return headers

    def _request(self, method: str, path: str, body: bytes | None, media_type: str) -> urllib.request.Request:
        request = urllib.request.Request(f"http://{self.host}{path}", data=body, method=method)
        request.add_header("Accept", f"{_MANIFEST}, {_INDEX}")
        if media_type:
            request.add_header("Content-Type", media_type)
        if self.is_private:
            login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        return request


@contextmanager
def registry(
    folder: Path, *, is_private: bool = False, certificate: tuple[Path, Path] | None = None
) -> Iterator[Registry]:
    """Serve until the block ends, with TLS by a certificate and its key; the test is reported as not run where there is
    no docker-registry."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("not run: no docker-registry (Debian's package of that name)")
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "info", "formatter": "json"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": "127.0.0.1:0", "secret": "none"},
    }
    if certificate is not None:
        settings["http"]["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
    if is_private:
        (folder / "htpasswd").write_text(_HTPASSWD)
        settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
    # Its log goes to a file: a pipe that nobody reads would stop it.
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=out, stderr=out)
    try:
        yield Registry(_listening(process, log), folder / "data", is_private=is_private)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _listening(process: "subprocess.Popen[bytes]", log: Path) -> str:
    for _ in range(2000):
        if match := _LISTENING.search(log.read_text()):
            return match[1]
        try:
            process.wait(timeout=0.01)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"docker-registry did not start: {log.read_text()}")


class Front:
    """A registry before `behind` that wants tokens of its own, which `USER` gets; blobs come from `blobs`, whose
    answers break off after `cut_at` bytes `cuts` times."""

    def __init__(self, host: str, behind: Registry, blobs: FileServer) -> None:
        self.host, self.behind, self.blobs = host, behind, blobs
        self.token = "a-token-nobody-must-see"
        self.asked: list[tuple[str, str]] = []
        self.cut_at, self.cuts = 0, 0


@contextmanager
def front(behind: Registry, blobs: FileServer) -> Iterator[Front]:
    """Serve on a free loopback port until the block ends."""
    with loopback_server(_FrontHandler) as port:
        _FrontHandler.of[port] = Front(f"127.0.0.1:{port}", behind, blobs)
        try:
            yield _FrontHandler.of[port]
        finally:
            del _FrontHandler.of[port]


class _FrontHandler(BaseHTTPRequestHandler):
    of: dict[int, Front] = {}  # noqa: RUF012 - one per port, set before the server starts
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        front = self.of[self.server.server_address[1]]  # type: ignore[index] # (host, port)
        said = self.headers.get("Authorization", "")
        front.asked.append((self.path, said))
        parts = urlsplit(self.path)
        if parts.path == "/token":
            login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            asked = parse_qs(parts.query)
            is_right = said == f"Basic {login}" and asked["scope"] == ["repository:acme/iris:pull"]
            return self._answer(200 if is_right else 401, json.dumps({"token": front.token}).encode(), {})
        if said != f"Bearer {front.token}":
            scope = "repository:acme/iris:pull"
            challenge = f'Bearer realm="http://{front.host}/token",service="front",scope="{scope}"'
            return self._answer(401, b"{}", {"WWW-Authenticate": challenge})
        if "/blobs/" in parts.path:
            digest = parts.path.rpartition(":")[2]
            content = front.behind._get(self.path)
            known = front.blobs.files.get(f"/{digest}")
            fresh = Served(content, etag=f'"{digest}"', cut_at=front.cut_at, cuts=front.cuts)
            front.blobs.files[f"/{digest}"] = known or fresh
            return self._answer(307, b"", {"Location": f"{front.blobs.url}/{digest}?signature=hush"})
        return self._answer(200, front.behind._get(self.path), {"Content-Type": _MANIFEST})

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked`."""

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
