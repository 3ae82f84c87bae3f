"""Signed tokens (JWT, RFC 7519) of somebody else: is this one signed by its issuer, for us, and in force?

Only signatures with a public key count. A token that is not signed, or signed with a shared secret, is refused
whatever its header says, and a key is never used with an algorithm of another family: that confusion is the classic
way to forge one (RFC 8725). Nothing is fetched here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fairlead.errors import Unauthorized

if TYPE_CHECKING:
    from jwt import PyJWK

# The key's type (RFC 7518 section 6.1) by the algorithm of the signature.
_KEY_TYPES = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP",
}  # fmt: skip
LEEWAY_S = 30.0
"""How far the clocks of two machines may be apart."""
_LONGEST = 16 * 1024
_MOST_KEYS = 100
_LATEST = 1e12
# What parts of a token or key that are no such thing make the libraries raise; JSON nested a thousand deep fits in one.
_ODDITIES = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


class UnknownKey(Unauthorized):
    """The token names a key that its issuer did not have when it was last asked."""


def read_keys(document: Mapping[str, Any]) -> tuple["PyJWK", ...]:
    """The public keys of a JWK Set (RFC 7517) that can be used; others are left out."""
    from jwt import PyJWK
    from jwt.exceptions import InvalidKeyError, PyJWKError

    found = []
    listed = document.get("keys")
    for entry in listed[:_MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig" or entry.get("kty") == "oct":
            continue
        try:
            found.append(PyJWK.from_dict(dict(entry)))
        except (PyJWKError, InvalidKeyError, *_ODDITIES):
            continue
    return tuple(found)


def verify(token: str, keys: Sequence["PyJWK"], *, issuer: str, audience: str, now: float) -> Mapping[str, Any]:
    """The token's claims. Raises Unauthorized saying which check it failed, without its contents."""
    import jwt

    header = _header(token)
    algorithm = str(header.get("alg"))
    wanted = _KEY_TYPES.get(algorithm)
    if wanted is None:
        raise Unauthorized("the token is not signed with a public key that can be checked")
    if header.get("crit"):
        raise Unauthorized("the token has critical headers that are not understood")
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    for key in _candidates(keys, header, algorithm, wanted):
        try:
            claims = jwt.decode(token, key.key, algorithms=[algorithm], options=options)
        except (jwt.InvalidTokenError, *_ODDITIES):
            continue
        _check(claims, issuer=issuer, audience=audience, now=now)
        return claims
    raise Unauthorized("the token's signature is not its issuer's")


def _header(token: str) -> Mapping[str, Any]:
    import jwt

    if len(token) > _LONGEST:
        raise Unauthorized("the token is too long")
    try:
        return jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, *_ODDITIES) as error:
        raise Unauthorized("the token is no signed token (JWT)") from error


def _candidates(keys: Iterable["PyJWK"], header: Mapping[str, Any], algorithm: str, key_type: str) -> "list[PyJWK]":
    named = header.get("kid")
    known = [key for key in keys if named is None or key.key_id == named or key.key_id is None]
    if not known:
        raise UnknownKey("the token is signed with a key that its issuer does not have")
    return [
        key for key in known
        if key.key_type == key_type and key._jwk_data.get("alg", algorithm) == algorithm
    ]  # fmt: skip


def _check(claims: Mapping[str, Any], *, issuer: str, audience: str, now: float) -> None:
    if claims.get("iss") != issuer:
        raise Unauthorized("the token is of another issuer")
    audiences = claims.get("aud")
    if audience != audiences and not (isinstance(audiences, list) and audience in audiences):
        raise Unauthorized("the token is for another audience")
    expires, starts = (_time(claims.get(name)) for name in ("exp", "nbf"))
    if expires is None or expires + LEEWAY_S <= now:
        raise Unauthorized("the token is expired")
    if starts is not None and starts - LEEWAY_S > now:
        raise Unauthorized("the token is not in force yet")


def _time(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    # JSON as Python reads it has NaN, which is never in the past, and whole numbers that are no float.
    return float(value) if abs(value) < _LATEST else None
