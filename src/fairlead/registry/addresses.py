"""Addresses of our own that let anybody who has one put or get one thing, for a while: for stores that sign none."""

import hashlib
import hmac
from collections.abc import Callable, Mapping

from fairlead.errors import Forbidden

ROOT = "/api/v1/objects/"
"""Where they are, in the registry's API."""
ADDRESS_S = 3600.0
"""How long an address works, ours or one that a store signed."""
_PURPOSE = b"signed addresses"


class Addresses:
    """Signs and checks with a key made of the registry's secret."""

    def __init__(self, secret: bytes, clock: Callable[[], float]) -> None:
        self._key = hmac.new(secret, _PURPOSE, hashlib.sha256).digest()
        self._clock = clock

    def sign(self, method: str, what: str, *, expires_s: float) -> str:
        """The path and query at which `method` may be done with `what`. The host is whatever the client came by."""
        expires = int(self._clock() + expires_s)
        return f"{ROOT}{what}?expires={expires}&signature={self._signature(method, what, expires)}"

    def check(self, method: str, what: str, query: Mapping[str, str]) -> None:
        """Raise Forbidden unless the query is one that `sign` gave for this, and not too old."""
        try:
            expires = int(query.get("expires", ""))
        except ValueError:
            raise Forbidden("the address is not signed") from None
        if not hmac.compare_digest(self._signature(method, what, expires), query.get("signature", "")):
            raise Forbidden("the address's signature is wrong")
        if expires < self._clock():
            raise Forbidden("the address has expired: ask for another")

    def _signature(self, method: str, what: str, expires: int) -> str:
        return hmac.new(self._key, f"{method}\n{what}\n{expires}".encode(), hashlib.sha256).hexdigest()
