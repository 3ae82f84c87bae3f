"""Certificates that a TLS client trusts, renewed in time, without a moment in which nobody is trusted."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from fairlead.backends.kubernetes.webhooks.certificates import LIFETIME, Certificates, ends, is_due, made

NAMES = ("fairlead-webhook.fairlead-system.svc", "fairlead-webhook.fairlead-system.svc.cluster.local")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _is_trusted(shown: Certificates, authorities: bytes, folder: Path, name: str = NAMES[0]) -> bool:
    """Whether a TLS client that trusts these authorities takes the certificate for this name."""
    pair = folder / "pair.pem"
    pair.write_bytes(shown.certificate + shown.key)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pair)
    client_side = ssl.create_default_context(cadata=authorities.decode())
    left, right = socket.socketpair()

    def serve() -> None:
        try:
            with server_side.wrap_socket(left, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            left.close()

    thread = Thread(target=serve)
    thread.start()
    try:
        with client_side.wrap_socket(right, server_hostname=name) as secured:
            secured.send(b"x")
        return True
    except ssl.SSLCertVerificationError:
        return False
    finally:
        right.close()
        thread.join()


def test_a_client_of_the_authority_trusts_every_name(tmp_path: Path) -> None:
    found = made(NAMES, now=datetime.now(UTC))

    assert all(_is_trusted(found, found.authorities, tmp_path, name) for name in NAMES)
    assert not _is_trusted(found, found.authorities, tmp_path, "other.svc")


def test_old_and_new_are_both_trusted_after_a_renewal(tmp_path: Path) -> None:
    old = made(NAMES, now=datetime.now(UTC) - timedelta(days=1))
    new = made(NAMES, now=datetime.now(UTC), before=old)

    assert _is_trusted(old, new.authorities, tmp_path)
    assert _is_trusted(new, new.authorities, tmp_path)
    assert not _is_trusted(new, old.authorities, tmp_path)


def test_bundles_do_not_grow() -> None:
    found = made(NAMES, now=NOW)
    for day in range(5):
        found = made(NAMES, now=NOW + timedelta(days=day), before=found)

    assert found.authorities.count(b"BEGIN CERTIFICATE") == 2


def test_an_authority_that_has_ended_is_left_out() -> None:
    old = made(NAMES, now=NOW)

    assert made(NAMES, now=NOW + LIFETIME * 2, before=old).authorities.count(b"BEGIN CERTIFICATE") == 1


def test_the_key_of_the_authority_is_nowhere() -> None:
    found = made(NAMES, now=NOW)

    assert (found.authorities + found.certificate).count(b"PRIVATE KEY") == 0
    assert found.key.count(b"BEGIN PRIVATE KEY") == 1
    assert "PRIVATE" not in repr(found)


def test_it_is_due_when_a_third_of_its_life_is_left() -> None:
    found = made(NAMES, now=NOW)

    assert not is_due(found, NAMES, now=NOW)
    assert not is_due(found, NAMES, now=NOW + LIFETIME * 0.66)
    assert is_due(found, NAMES, now=NOW + LIFETIME * 0.67)
    assert is_due(found, NAMES, now=ends(found) + timedelta(days=1))


def test_it_is_due_when_the_server_has_another_name() -> None:
    assert is_due(made(NAMES[:1], now=NOW), NAMES, now=NOW)


@pytest.mark.parametrize("field", ["certificate", "key", "authorities"])
def test_it_is_due_when_a_part_is_broken_or_of_others(field: str) -> None:
    found, other = made(NAMES, now=NOW), made(NAMES, now=NOW + timedelta(seconds=1))
    parts = {"certificate": found.certificate, "key": found.key, "authorities": found.authorities}

    assert is_due(Certificates(**{**parts, field: b"-----BEGIN nothing"}), NAMES, now=NOW)
    assert is_due(Certificates(**{**parts, field: getattr(other, field)}), NAMES, now=NOW)


def test_there_being_none_is_due() -> None:
    assert is_due(None, NAMES, now=NOW)
