"""An instance with a certificate: every port speaks TLS, and our own clients and kubectl trust it."""

import asyncio
import json
import ssl
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from fairlead.cli import kubeconfig
from fairlead.cli.client import Client, Unreachable
from fairlead.cli.predict import exchange
from fairlead.cli.trust import name_to_check, read_certificates
from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.net.tls import server_context
from fairlead.dataplane.spec import TcpSocket
from fairlead.errors import ConfigError
from fairlead.protocols.exchange import Reply, Request, Response
from support.certificates import make_certificate
from support.instance import Installation, installation, until
from support.kubectl import Kubectl

TOKEN = "hush"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secured(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    cert, key = certificate
    config = f"tls_cert = {json.dumps(str(cert))}\ntls_key = {json.dumps(str(key))}\n"
    home = tmp_path_factory.mktemp("instance") / "home"
    with installation(home, config=config, env={"FAIRLEAD_TOKEN": TOKEN}) as running:
        yield running


def served_at(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return ssl.get_server_certificate((parts.hostname or "", parts.port or 0))


@pytest.mark.slow
def test_the_command_line_trusts_its_instance(secured: Installation) -> None:
    listed = secured.run("get", "namespaces", "-o", "name").stdout

    assert secured.url.startswith("https://")
    assert secured.control_url.startswith("https://")
    assert "namespace/default" in listed


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_kubectl_sends_its_token_over_tls(secured: Installation, tmp_path: Path) -> None:
    kubectl = Kubectl(secured.home / "kubeconfig", tmp_path / "cache")

    assert "namespace/default" in await kubectl.run("get", "namespaces", "-o", "name")


@pytest.mark.slow
def test_grpc_clients_are_served_on_the_port_where_they_look(
    secured: Installation, certificate: tuple[Path, Path]
) -> None:
    target = json.loads((secured.home / "instance.json").read_text())["grpc"]
    credentials = grpc.ssl_channel_credentials(certificate[0].read_bytes())
    options = [("grpc.ssl_target_name_override", "localhost")]
    with grpc.secure_channel(target, credentials, options) as channel:
        health = channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10)

    assert health == b"\x08\x01"


@pytest.mark.slow
def test_a_renewed_certificate_is_served_on_every_port_without_a_restart(
    secured: Installation, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    before = served_at(secured.url)
    for fresh, path in zip(make_certificate(tmp_path), certificate, strict=True):
        fresh.replace(path)

    expected = certificate[0].read_text().strip()
    until(lambda: served_at(secured.url).strip() == expected, timeout_s=10, what="the new certificate")
    until(lambda: served_at(secured.control_url).strip() == expected, timeout_s=10, what="the new certificate")
    assert before.strip() != expected


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_predictions_of_the_same_instance_are_asked_for_with_its_certificate(tmp_path: Path) -> None:
    def echo(request: Request, reply: Reply) -> None:
        reply(Response(200, b"", request.body))

    cert, key = make_certificate(tmp_path)
    server = HttpServer(echo)
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=server_context(cert, key))
    url = f"https://127.0.0.1:{port}"
    client = Client(kubeconfig.Target(server=url, ca=cert.read_bytes(), tls_name="localhost"))
    answered = await asyncio.to_thread(exchange, f"{url}/x", '{"a": 1}', beside=client)
    with pytest.raises(Unreachable, match="self-signed certificate"):
        await asyncio.to_thread(exchange, f"{url}/x", '{"a": 1}')
    await server.drain(1)

    assert answered == (200, '{"a": 1}')


def test_the_kubeconfig_names_certificate_and_name_but_never_a_key(secured: Installation) -> None:
    target = kubeconfig.read(secured.home / "kubeconfig")

    assert target.tls_name == "localhost"
    assert target.ca.startswith(b"-----BEGIN CERTIFICATE-----")
    assert b"PRIVATE KEY" not in target.ca


def test_only_the_certificates_of_a_file_are_read(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + cert.read_bytes().rstrip())

    assert read_certificates(both) == cert.read_bytes()
    with pytest.raises(ConfigError, match="no PEM certificate"):
        read_certificates(key)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_certificates(tmp_path / "none.pem")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("names", "checked"),
    [
        ("DNS:localhost", "localhost"),
        ("DNS:models.example,IP:127.0.0.1", ""),
        ("DNS:*.models.example", "fairlead.models.example"),
        ("IP:10.1.2.3", "10.1.2.3"),
    ],
)
async def test_the_name_to_check_is_one_that_the_certificate_has(tmp_path: Path, names: str, checked: str) -> None:
    cert, key = make_certificate(tmp_path, names)
    server = HttpServer(lambda _, reply: reply(Response(200, b"", b"")))
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=server_context(cert, key))
    found = await asyncio.to_thread(name_to_check, "127.0.0.1", port, read_certificates(cert))
    client = Client(kubeconfig.Target(server=f"https://127.0.0.1:{port}", ca=cert.read_bytes(), tls_name=found))
    await asyncio.to_thread(client.text, "/")
    client.close()
    await server.drain(1)

    assert found == checked


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_certificate_that_is_not_the_one_we_were_given_is_refused(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = make_certificate(tmp_path / "other")
    server = HttpServer(lambda _, reply: reply(Response(200, b"", b"")))
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=server_context(cert, key))
    with pytest.raises(ConfigError, match="no client would take"):
        await asyncio.to_thread(name_to_check, "127.0.0.1", port, read_certificates(other))
    await server.drain(1)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_certificate_without_names_is_refused(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "")
    server = HttpServer(lambda _, reply: reply(Response(200, b"", b"")))
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=server_context(cert, key))
    with pytest.raises(ConfigError, match="names no host"):
        await asyncio.to_thread(name_to_check, "127.0.0.1", port, read_certificates(cert))
    await server.drain(1)
