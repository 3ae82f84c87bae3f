"""How a surface writes down its routes."""

from collections.abc import Callable, Mapping
from typing import Any

from fairlead.protocols.exchange import Reply, Request

Route = Callable[[Request, Reply], None]
Verbs = dict[str, Route]
Routes = dict[str, Verbs]

ANY = "*"
"""The verb of a route that takes them all."""
_MOST_PATHS = 1024
_LONGEST_PATH = 256


def has_room(kept: Mapping[str, Any], path: str) -> bool:
    """Whether what was found for a path is worth keeping. Clients choose paths: neither many nor long ones may fill
    the memory."""
    return len(kept) < _MOST_PATHS and len(path) <= _LONGEST_PATH
