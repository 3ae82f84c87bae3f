"""What a client on this machine has to know of the certificate that an instance serves with.

The certificate may be for a public name while we say 127.0.0.1, and it may be signed by nobody we know. So what is
trusted is the file that the instance was started with, and the name to check is one that stands in it.
"""

import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairlead.errors import ConfigError

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
_TIMEOUT_S = 5.0


def read_certificates(path: Path) -> bytes:
    """The certificates of a PEM file and nothing else: its key may be in there too."""
    try:
        found = _CERTIFICATE.findall(path.read_bytes())
    except OSError as problem:
        raise ConfigError(f"{path}: the TLS certificate cannot be read: {problem.strerror}") from problem
    if not found:
        raise ConfigError(f"{path}: no PEM certificate in it")
    return b"".join(block if block.endswith(b"\n") else block + b"\n" for block in found)


def trusting(authority: bytes) -> ssl.SSLContext:
    """A client's context that trusts these certificates alone, also when one is not its own issuer."""
    context = ssl.create_default_context(cadata=authority.decode())
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def name_to_check(host: str, port: int, authority: bytes) -> str:
    """The name to expect in the certificate that is served there: empty when it is for `host` itself. Raises
    `ConfigError` for a certificate that no client would take."""
    context = trusting(authority)
    context.check_hostname = False
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain) as secure,
        ):
            served: Mapping[str, Any] = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as problem:
        raise ConfigError(f"no client would take the TLS certificate: {problem.verify_message}") from problem
    names = [(kind, str(value)) for kind, value in served.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    if not names:
        raise ConfigError("no client would take the TLS certificate: it names no host (subjectAltName)")
    if any(value == host for _, value in names):
        return ""
    hosts = [value.replace("*", "fairlead") for kind, value in names if kind == "DNS"]
    return (hosts or [value for _, value in names])[0]
