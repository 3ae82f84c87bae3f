"""Certificates for the webhooks, made here so that an installation needs nothing else for them.

An authority signs one certificate and its key is thrown away at once: what cannot be used again cannot be stolen. A new
certificate therefore brings a new authority, and the one before stays in the bundle as long as it is valid, because
other replicas may still show what it signed. Pure but for randomness: the time is handed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

LIFETIME = timedelta(days=365)
# Renewed when a third of its life is left, as cert-manager does: four months for somebody to see that it failed.
_RENEW_BEFORE = LIFETIME / 3
# Clocks of nodes differ; nobody may find a certificate not yet valid.
_LEEWAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM bytes: what the server shows, its key, and the authorities that clients are to trust."""

    certificate: bytes
    key: bytes = field(repr=False)
    authorities: bytes


def made(names: Sequence[str], *, now: datetime, before: Certificates | None = None) -> Certificates:
    """New ones for a server of these names. `before` are those they replace."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # The moment tells the authorities in a bundle apart.
    issuer = _name(f"fairlead-webhooks {now:%Y-%m-%dT%H:%M:%SZ}")
    authority = (
        _builder(issuer, issuer, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .sign(authority_key, _digest())
    )
    certificate = (
        _builder(_name(names[0][:64]), issuer, key.public_key(), now)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(is_authority=False), critical=True)
        .sign(authority_key, _digest())
    )
    pem = serialization.Encoding.PEM
    private = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    kept = b"".join(one.public_bytes(pem) for one in _valid(before, now))
    return Certificates(
        certificate=certificate.public_bytes(pem),
        key=key.private_bytes(pem, *private),
        authorities=authority.public_bytes(pem) + kept,
    )


def is_due(found: Certificates | None, names: Sequence[str], *, now: datetime) -> bool:
    """Whether new ones are to be made: there are none, they cannot be read or used, or they end soon."""
    from cryptography import x509

    if found is None:
        return True
    try:
        shown = x509.load_pem_x509_certificate(found.certificate)
        authorities = x509.load_pem_x509_certificates(found.authorities)
        alternatives = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        is_ours = any(shown.issuer == one.subject for one in authorities) and _belongs(found.key, shown)
    except (ValueError, x509.ExtensionNotFound):
        return True
    if not is_ours or not set(names) <= set(alternatives.get_values_for_type(x509.DNSName)):
        return True
    return shown.not_valid_after_utc - now < _RENEW_BEFORE


def ends(found: Certificates) -> datetime:
    """When the certificate is no longer valid."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(found.certificate).not_valid_after_utc


def _belongs(key: bytes, certificate: "x509.Certificate") -> bool:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(key, password=None).public_key() == certificate.public_key()


def _valid(before: Certificates | None, now: datetime) -> "list[x509.Certificate]":
    """The newest authority of the bundle before, while it is valid. Whatever an older one signed is long replaced."""
    from cryptography import x509

    try:
        listed = x509.load_pem_x509_certificates(before.authorities) if before else []
    except ValueError:
        return []
    return [one for one in listed[:1] if one.not_valid_after_utc > now]


def _builder(
    subject: "x509.Name", issuer: "x509.Name", key: "ec.EllipticCurvePublicKey", now: datetime
) -> "x509.CertificateBuilder":
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + LIFETIME)
    )


def _name(text: str) -> "x509.Name":
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, text)])


def _usage(*, is_authority: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _digest() -> "hashes.SHA256":
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()
