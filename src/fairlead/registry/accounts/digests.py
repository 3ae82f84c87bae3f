"""Secrets that we make, and what is kept of them.

A token has 256 random bits, so one round of SHA-256 is all that its digest needs: nobody can try them out. Passwords,
which people choose, get argon2 (`passwords`).
"""

import hashlib
import secrets

PREFIX = "flt_"
"""Starts every token, so that scanners of leaked secrets can tell one."""


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What the database has of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
