"""TLS of listeners: versions, ALPN, and certificates that change while connections stand."""

import asyncio
import logging
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.net.tls import NamedCertificates, server_context
from fairlead.dataplane.spec import TcpSocket
from fairlead.errors import ConfigError
from fairlead.protocols.exchange import Reply, Request, Response
from support.certificates import make_certificate
from support.loops import BOTH_LOOPS, LOOP_NAMES
from support.wire import get, wire_to

pytestmark = pytest.mark.anyio


@pytest.fixture(params=BOTH_LOOPS, ids=LOOP_NAMES)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def echo(request: Request, reply: Reply) -> None:
    reply(Response(200, b"", request.path.encode()))


@asynccontextmanager
async def serving(certificate: Path, key: Path | None, clock: Clock) -> AsyncIterator[int]:
    server = HttpServer(echo)
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=server_context(certificate, key, clock=clock))
    try:
        yield port
    finally:
        await server.drain(0)


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


async def serial_at(port: int, *, has_name: bool = True) -> bytes:
    """The certificate a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    name = "localhost" if has_name else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.write(get("/"))
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert isinstance(found, bytes)
    return found


def another(folder: Path) -> tuple[Path, Path]:
    folder.mkdir()
    return make_certificate(folder)


async def test_a_new_certificate_is_used_for_new_connections_and_those_that_stand_go_on(tmp_path: Path) -> None:
    clock = Clock()
    certificate, key = make_certificate(tmp_path)
    old = trusting(certificate)
    async with serving(certificate, key, clock) as port, wire_to(port, tls=old) as standing:
        first = await serial_at(port)
        for fresh, path in zip(another(tmp_path / "new"), (certificate, key), strict=True):
            fresh.replace(path)
        before = await serial_at(port)
        clock.now += 1
        after = [await serial_at(port), await serial_at(port, has_name=False)]
        answer = await standing.ask(get("/still"))

    assert first == before
    assert after[0] == after[1] != first
    assert answer.body == b"/still"


async def test_a_broken_pair_keeps_the_old_one_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    clock = Clock()
    certificate, key = make_certificate(tmp_path)
    new_certificate, new_key = another(tmp_path / "new")
    async with serving(certificate, key, clock) as port:
        first = await serial_at(port)
        new_certificate.replace(certificate)  # its key is not there yet
        seen = []
        for _ in range(3):
            clock.now += 1
            seen.append(await serial_at(port))
        complaints = [record.message for record in caplog.records if record.name.endswith("tls")]
        new_key.replace(key)
        clock.now += 1
        renewed = await serial_at(port)
        certificate.unlink()
        clock.now += 1
        kept = await serial_at(port)

    assert seen == [first] * 3
    assert len(complaints) == 1
    assert str(certificate) in complaints[0]
    assert renewed == kept != first


async def test_clients_choose_http2_or_http1_by_alpn(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    chosen = []
    async with serving(certificate, key, Clock()) as port:
        for offers in (["h2", "http/1.1"], ["http/1.1"], []):
            context = trusting(certificate)
            if offers:
                context.set_alpn_protocols(offers)
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
            chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
            writer.close()

    assert chosen == ["h2", "http/1.1", None]


async def test_tls_before_1_2_is_refused(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    program = shutil.which("openssl")
    assert program is not None
    async with serving(certificate, key, Clock()) as port:
        outcomes = []
        for version in ("-tls1_1", "-tls1_2"):
            argv = [program, "s_client", "-connect", f"127.0.0.1:{port}", version, "-cipher", "ALL:@SECLEVEL=0"]
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            said, _ = await process.communicate()
            outcomes.append(b"Cipher is (NONE)" not in said)

    assert outcomes == [False, True]


def test_a_pair_that_cannot_be_used_is_refused_with_its_names(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    for pair in ((tmp_path / "none.pem", key), (key, None), (None, key)):
        with pytest.raises(ConfigError) as caught:
            server_context(*pair)
        assert str(pair[0] or key) in str(caught.value)

    assert server_context(None) is None
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    assert server_context(both) is not None


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        ("cert", "other", "the key belongs to another certificate"),
        ("cert", "noise", "there is no PEM private key in .*noise.pem"),
        ("noise", "key", "there is no PEM certificate in .*noise.pem"),
        ("cert", None, "there is no PEM private key in .*cert.pem"),
    ],
)
def test_what_is_wrong_with_a_pair_is_said_in_words(
    tmp_path: Path, certificate: str, key: str | None, why: str
) -> None:
    make_certificate(tmp_path)
    another(tmp_path / "new")[1].rename(tmp_path / "other.pem")
    (tmp_path / "noise.pem").write_text("noise")

    with pytest.raises(ConfigError, match=f"cannot be used: {why}"):
        server_context(tmp_path / f"{certificate}.pem", tmp_path / f"{key}.pem" if key else None)


def test_a_key_with_a_passphrase_is_refused_without_asking(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    locked = tmp_path / "locked.pem"
    program = shutil.which("openssl")
    assert program is not None
    argv = [program, "ec", "-in", str(key), "-aes128", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(argv, check=True, capture_output=True)
    with pytest.raises(ConfigError, match="passphrase"):
        server_context(certificate, locked)


async def test_a_host_with_its_own_certificate_shows_that(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = [tmp_path / name for name in ("usual", "own")]
    for folder in folders:
        folder.mkdir()
    (usual, key), (own, own_key) = (make_certificate(folder) for folder in folders)
    both = tmp_path / "both.pem"
    both.write_bytes(own.read_bytes() + own_key.read_bytes())
    (tmp_path / "broken.pem").write_text("no certificate")
    named = NamedCertificates()
    named.replace({"own.example": both, "broken.example": tmp_path / "broken.pem"})

    server = HttpServer(echo)
    port = await server.listen(TcpSocket("127.0.0.1", 0), tls=server_context(usual, key, named=named))
    shown = {host: await shown_to(port, host) for host in ("own.example", "OWN.example", "broken.example", "localhost")}
    named.replace({})
    after = await shown_to(port, "own.example")
    await server.drain(0)

    expected = {name: ssl.PEM_cert_to_DER_cert(path.read_text()) for name, path in (("usual", usual), ("own", own))}
    assert shown["own.example"] == shown["OWN.example"] == expected["own"]
    assert shown["broken.example"] == shown["localhost"] == after == expected["usual"]
    assert "clients of broken.example are shown the certificate of all hosts" in caplog.text


async def shown_to(port: int, host: str) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return shown
