"""What a server may offer beside ASGI: the connection's socket itself, for bodies so large that every copy counts."""

from collections.abc import AsyncIterator
from typing import Protocol

from starlette.types import Scope

EXTENSION = "fairlead.direct"


class Direct(Protocol):
    """One request's way past the server's parser and buffers."""

    def pieces(self, size: int) -> AsyncIterator[bytes]:
        """The body in pieces of `size`, but for the last and those of a client that is slow. Raises ConnectionError
        when it ends early."""
        ...

    async def pour(self, file: int, start: int, count: int) -> bool:
        """Send this part of an open file as the answer's body; false when the client has gone."""
        ...


def find(scope: Scope) -> Direct | None:
    """What the server offers for this request."""
    found: Direct | None = scope.get("extensions", {}).get(EXTENSION)
    return found
