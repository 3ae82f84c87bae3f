"""`ssl.certSecretName`: the gateway shows a predictor's own certificate to clients that ask for one of its hosts."""

import base64
import json
import socket
import ssl
import stat
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.certificates import make_certificate
from support.instance import Installation, installation, until
from support.manifests import images, sdep

pytestmark = pytest.mark.slow

HOST = "hosted-main.default"
NAMES = f"DNS:{HOST},DNS:models.example"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    cert, key = make_certificate(tmp_path_factory.mktemp("tls"))
    config = f"tls_cert = {json.dumps(str(cert))}\ntls_key = {json.dumps(str(key))}\n"
    with installation(tmp_path_factory.mktemp("instance") / "home", config=config) as running:
        yield running


def manifest(kind: str, content: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": kind, **content})


def secret(folder: Path) -> tuple[str, bytes]:
    """A Secret with a certificate of the hosts, and what clients are to be shown."""
    folder.mkdir()
    cert, key = make_certificate(folder, NAMES)
    data = {name: base64.b64encode(path.read_bytes()).decode() for name, path in (("tls.crt", cert), ("tls.key", key))}
    content = {"metadata": {"name": "certs", "namespace": "default"}, "type": "kubernetes.io/tls", "data": data}
    return manifest("Secret", content), ssl.PEM_cert_to_DER_cert(cert.read_text())


def shown(running: Installation, host: str) -> bytes:
    """The certificate that a client sees who asks for this host, over TLS 1.2."""
    port = urllib.parse.urlsplit(running.url).port
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def test_a_predictors_hosts_have_its_certificate_and_follow_its_secret(secured: Installation, tmp_path: Path) -> None:
    graph = {"name": "m", "type": "MODEL"}
    predictor = images("main", graph, {"m": "seldonio/fixed-model:0.1"}, ssl={"certSecretName": "certs"}, replicas=1)
    annotations = {"seldon.io/istio-host": "models.example"}
    document = sdep("hosted", predictor, annotations=annotations)
    secured.run("apply", "-f", "-", stdin=json.dumps(document))
    secured.run("wait", "sdep/hosted", "--timeout", "60s")
    usual = shown(secured, "localhost")
    assert shown(secured, HOST) == usual
    described = secured.run("describe", "sdep", "hosted").stdout
    assert "Secret 'certs', which ssl.certSecretName names, does not exist" in described

    first, certificate = secret(tmp_path / "first")
    secured.run("apply", "-f", "-", stdin=first)
    until(lambda: shown(secured, HOST) == certificate, timeout_s=10, what="the Secret's certificate")
    assert shown(secured, "models.example") == certificate
    assert shown(secured, "localhost") == usual

    second, renewed = secret(tmp_path / "second")
    secured.run("apply", "-f", "-", stdin=second)
    until(lambda: shown(secured, HOST) == renewed, timeout_s=10, what="the renewed certificate")

    (file,) = (secured.home / "certificates").glob("*/*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "PRIVATE KEY" not in (secured.home / "routes.json").read_text()
    secured.run("delete", "sdep", "hosted")
    until(lambda: shown(secured, HOST) == usual, timeout_s=10, what="the usual certificate")
    until(lambda: not file.exists(), timeout_s=10, what="the end of the file")
