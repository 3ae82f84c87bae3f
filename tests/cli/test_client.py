"""The API client against small real servers: TLS, tokens, refusals, watches and servers that go away."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.cli import kubeconfig
from fairlead.cli.client import ApiError, Client, Unreachable
from fairlead.cli.exits import CommandFailed
from fairlead.cli.kinds import find, find_for
from fairlead.cli.kubeconfig import Target
from fairlead.cli.manifests import Document
from fairlead.cli.watching import Feed, updates_of
from fairlead.dialects.document import load
from support.certificates import make_certificate

pytestmark = pytest.mark.slow

SDEP = {
    "name": "seldondeployments",
    "singularName": "seldondeployment",
    "shortNames": ["sdep"],
    "kind": "SeldonDeployment",
    "namespaced": True,
}
GROUP = "machinelearning.seldon.io"
DISCOVERY = {
    "/api/v1": {"resources": [{"name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": True}]},
    "/apis": {"groups": [{"name": GROUP, "preferredVersion": {"version": "v1"}}]},
    f"/apis/{GROUP}/v1": {
        "resources": [{**SDEP, "shortNames": ["sdep"]}, {**SDEP, "name": "seldondeployments/status"}]
    },
}


@contextmanager
def server(answers: dict[str, Any], tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Its address and the headers of each request. An answer is a document, or a list of answers used up in turn; a
    `(status, document)` is a refusal, and a list of events ends a watch."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            path, _, query = self.path.partition("?")
            key = f"{path}?watch" if "watch=true" in query else path
            answer = answers.get(key, (404, {"message": f"{path} not found", "code": 404, "reason": "NotFound"}))
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            status, document = answer if isinstance(answer, tuple) else (200, answer)
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        if tls is not None:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True)
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{listening.server_port}", seen
        finally:
            listening.shutdown()
            thread.join()


def test_a_cluster_is_reached_by_its_own_authority_with_a_token(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with server(DISCOVERY, tls) as (url, seen):
        path = tmp_path / "kubeconfig"
        authority = base64.b64encode(Path(certificate).read_bytes()).decode()
        cluster = {"server": url, "certificate-authority-data": authority, "tls-server-name": "localhost"}
        path.write_text(
            yaml.safe_dump(
                {
                    "current-context": "c",
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "users": [{"name": "u", "user": {"token": "hush"}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                }
            )
        )

        with Client(kubeconfig.read(path)) as client:
            found = find(client, "sdep")
        with pytest.raises(Unreachable, match="certificate"):
            Client(Target(server=url)).get("/api/v1")

    assert found.path("seldon", "iris") == f"/apis/{GROUP}/v1/namespaces/seldon/seldondeployments/iris"
    assert seen[0]["Authorization"] == "Bearer hush"


def test_a_refusal_keeps_the_servers_words_and_code() -> None:
    refusal = {"kind": "Status", "message": "no such thing", "code": 404, "reason": "NotFound"}
    with server({"/x": (404, refusal), "/y": (502, b"<html>bad gateway</html>")}) as (url, _):
        client = Client(Target(server=url))
        with pytest.raises(ApiError, match=r"^no such thing$") as missing:
            client.get("/x")
        with pytest.raises(ApiError, match="bad gateway") as broken:
            client.get("/y")
        client.close()

    assert (missing.value.http, missing.value.reason) == (404, "NotFound")
    assert broken.value.http == 502


def test_nothing_there_names_the_address() -> None:
    with server({}) as (url, _):
        pass

    with pytest.raises(Unreachable, match=f"^{url}: "):
        Client(Target(server=url)).get("/api")


@pytest.mark.parametrize("word", ["sdep", "seldondeployments", "SeldonDeployment", f"sdep.{GROUP}", f"sdep.v1.{GROUP}"])
def test_a_kind_is_found_by_every_name_it_has(word: str) -> None:
    with server(DISCOVERY) as (url, _), Client(Target(server=url)) as client:
        assert find(client, word).kind == "SeldonDeployment"


def manifest(api_version: str, kind: str) -> Document:
    text = f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: iris}}\n"
    return Document(load(text, "iris.yaml")[0])


def test_a_version_of_a_manifest_is_asked_for_as_it_stands() -> None:
    with server(DISCOVERY) as (url, _), Client(Target(server=url)) as client:
        found = find_for(client, manifest(f"{GROUP}/v1", "SeldonDeployment"))

    assert found.short_names == ("sdep",)


@pytest.mark.parametrize(
    ("api_version", "kind"), [(f"{GROUP}/v1", "SeldonDeploymnet"), ("seldon.io/v1", "SeldonDeployment")]
)
def test_a_misspelt_kind_or_version_is_told_the_one_that_was_meant(api_version: str, kind: str) -> None:
    with (
        server(DISCOVERY) as (url, _),
        Client(Target(server=url)) as client,
        pytest.raises(CommandFailed, match=f"^iris.yaml:1: .*; did you mean SeldonDeployment .{GROUP}/v1.*[?]$"),
    ):
        find_for(client, manifest(api_version, kind))


def item(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": name, "resourceVersion": str(version)}, "status": {"state": "x"}}


def event(kind: str, name: str, version: int) -> bytes:
    return json.dumps({"type": kind, "object": item(name, version)}).encode() + b"\n"


def test_following_goes_on_across_watches_that_end_or_expire() -> None:
    path = f"/apis/{GROUP}/v1/seldondeployments"
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old", "reason": "Expired"}}
    answers = {
        **DISCOVERY,
        path: [
            {"metadata": {"resourceVersion": "1"}, "items": [item("a", 1)]},
            {"metadata": {"resourceVersion": "5"}, "items": [item("b", 5)]},
            {"metadata": {"resourceVersion": "6"}, "items": []},
        ],
        f"{path}?watch": [event("ADDED", "c", 2), json.dumps(gone).encode() + b"\n", b""],
    }
    with server(answers) as (url, _):
        target = Target(server=url)
        with Client(target) as client:
            feed = Feed(resource=find(client, "sdep"))
        with updates_of(target, [feed]) as updates:
            seen = [updates.get(timeout=20) for _ in range(6)]

    told = [(subject.name if subject else "", value is not None) for subject, value in seen]
    assert told[:2] == [("a", True), ("c", True)]
    # Neither is in the second list, and "b" is not in the third.
    assert sorted(told[2:4]) == [("a", False), ("c", False)]
    assert told[4:] == [("b", True), ("b", False)]
