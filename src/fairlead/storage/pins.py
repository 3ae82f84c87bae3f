"""Models that somebody wants to stay on this machine: found again without asking their store, never pruned.

    pins/<key>      one pin: the URI, whom it is for, and the snapshot it has

A pin is for one namespace or, with an empty scope, for all. It serves its URI and every path below it.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fairlead.storage.cache import Cache, File


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """One model that stays."""

    uri: str
    scope: str
    snapshot: str
    unpacks: bool = False


class Pins:
    """The pins of one cache. Several processes may use the same one at once."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def put(self, pin: Pin) -> None:
        """Add a pin, or replace the one of the same URI and scope."""
        self._cache.keep(self._cache.root / "pins" / _key(pin.uri, pin.scope), pin)

    def drop(self, uri: str, scope: str) -> bool:
        """Remove a pin; whether there was one."""
        try:
            (self._cache.root / "pins" / _key(uri, scope)).unlink()
        except FileNotFoundError:
            return False
        return True

    def all(self) -> Iterator[Pin]:
        """Every pin that can be read."""
        for path in sorted((self._cache.root / "pins").iterdir()):
            if not path.name.startswith(".") and (pin := self._cache.record(path, Pin)) is not None:
                yield pin

    def find(self, uri: str, scope: str, *, unpacks: bool) -> Path | None:
        """The folder that a URI has by a pin of this scope or of all, if that is still sound: the pin of the URI
        itself, else the longest one above it."""
        wanted = _plain(uri)
        found = [pin for pin in self.all() if pin.scope in ("", scope) and _covers(_plain(pin.uri), wanted)]
        for pin in sorted(found, key=lambda pin: (len(pin.uri), pin.scope), reverse=True):
            below = wanted.removeprefix(_plain(pin.uri)).strip("/")
            if (pin.unpacks != unpacks and not below) or self._cache.use(pin.snapshot) is None:
                continue
            if folder := self._folder(pin.snapshot, below):
                return folder
        return None

    def _folder(self, snapshot: str, below: str) -> Path | None:
        manifest = self._cache.manifest(snapshot)
        if manifest is None:
            return None
        if not below:
            return self._cache.content(snapshot)
        part = [(path, file.blob) for file in manifest.files if (path := _within(file, below))]
        return self._cache.content(self._cache.snapshot(part)) if part else None


def _within(file: File, below: str) -> str:
    """A file's path below a folder, its name if it is what is meant, else nothing."""
    if file.path == below:
        return below.rpartition("/")[2]
    return file.path.removeprefix(f"{below}/") if file.path.startswith(f"{below}/") else ""


def _covers(pinned: str, wanted: str) -> bool:
    return wanted == pinned or wanted.startswith(f"{pinned}/")


def _plain(uri: str) -> str:
    return uri.strip().rstrip("/")


def _key(uri: str, scope: str) -> str:
    return hashlib.sha256(f"{scope}\0{_plain(uri)}".encode()).hexdigest()
