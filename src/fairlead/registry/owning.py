"""The credential of whoever owns an installation, for its own programs: it is made from the registry's secret key, so
whoever can read the home folder has it, nobody else does, and nothing is stored for it."""

import hashlib
import hmac

_PURPOSE = b"the owner's token"


def owner_token(secret: bytes) -> str:
    """The token that belongs to a secret key."""
    return f"owner-{hmac.new(secret, _PURPOSE, hashlib.sha256).hexdigest()}"
