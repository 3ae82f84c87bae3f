"""Known images are runtimes: the tail of an image's name decides what runs in its place.

`Catalog` holds the built-in table and what a user added in `config.toml`. It refuses to guess: an image that is
not in it is a container.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What runs in place of an image: a `runtime` of ours, a user's Python class, or a command."""

    runtime: str
    variant: str = ""
    target: str = ""
    path: str = ""
    env: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Image names to entries."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    servers: Mapping[str, Any] = field(default_factory=dict)
