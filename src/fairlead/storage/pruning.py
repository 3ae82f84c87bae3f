"""Give the disk back: drop the snapshots nobody runs, the least recently used first, and then what only they held."""

import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from fairlead.storage import locks
from fairlead.storage.cache import Blob, Cache, Seen, remove_tree
from fairlead.storage.pins import Pins

_PARTIAL_LIFE_S = 24 * 3600.0
_JUST_USED_S = 600.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a pruning did. `busy` says that it did nothing, because a fetch was under way."""

    freed_bytes: int = 0
    kept_bytes: int = 0
    busy: bool = False


def prune(
    cache: Cache,
    keep: Collection[Path],
    max_bytes: int,
    *,
    now: float | None = None,
    just_used_s: float = _JUST_USED_S,
    partial_life_s: float = _PARTIAL_LIFE_S,
) -> Pruned:
    """Remove snapshots until at most `max_bytes` are held. Never removes a folder of `keep`, nor a pinned one, nor
    one that was used in the last `just_used_s` seconds (its fetch may have returned a moment ago). Steps back when a
    fetch is under way."""
    now = time.time() if now is None else now
    with locks.exclusive_now(cache.root / "lock") as alone:
        if not alone:
            return Pruned(busy=True)
        before = _held_bytes(cache)
        _drop_leftovers(cache, partials_before=now - partial_life_s)
        _drop_orphans(cache)
        _drop_oldest(cache, set(keep), max_bytes, used_before=now - just_used_s)
        after = _held_bytes(cache)
    return Pruned(freed_bytes=max(0, before - after), kept_bytes=after)


def _drop_oldest(cache: Cache, keep: set[Path], max_bytes: int, *, used_before: float) -> None:
    held = _held_bytes(cache)
    keep = keep | {cache.content(pin.snapshot) for pin in Pins(cache).all()}
    holders = Counter(blob.sha256 for folder in _snapshots(cache) for blob in _blobs_of(cache, folder))
    for snapshot in _by_last_use(cache, used_before):
        if held <= max_bytes:
            break
        if snapshot / "content" in keep:
            continue
        mine = _blobs_of(cache, snapshot)
        holders.subtract(blob.sha256 for blob in mine)
        held -= sum(blob.size for blob in mine if not holders[blob.sha256])
        remove_tree(snapshot)
    _drop_orphans(cache)


def _by_last_use(cache: Cache, used_before: float) -> list[Path]:
    used: list[tuple[float, Path]] = []
    for manifest in (cache.root / "snapshots").glob("*/manifest.json"):
        at = manifest.stat().st_mtime
        if at <= used_before:
            used.append((at, manifest.parent))
    return [folder for _, folder in sorted(used)]


def _drop_leftovers(cache: Cache, *, partials_before: float) -> None:
    """What a killed process left half made. Partial files live a day, so that an interrupted apply can go on."""
    for name in ("files", "sources", "pins", "snapshots"):
        for left in (cache.root / name).glob(".*"):
            if left.is_dir():
                remove_tree(left)
            else:
                left.unlink()
    for partial in (cache.root / "partial").iterdir():
        if partial.stat().st_mtime < partials_before:
            partial.unlink()
    for lock in (cache.root / "locks").iterdir():
        lock.unlink()


def _drop_orphans(cache: Cache) -> None:
    """Blobs no snapshot holds, and records of what is gone."""
    linked = {blob.sha256 for folder in _snapshots(cache) for blob in _blobs_of(cache, folder)}
    for blob in _blobs(cache):
        if blob.name not in linked:
            blob.unlink()
    for path, record in _records(cache.root / "files", Blob):
        if record is None or record.sha256 not in linked:
            path.unlink()
    for path, seen in _records(cache.root / "sources", Seen):
        if seen is None or not (cache.root / "snapshots" / seen.snapshot).is_dir():
            path.unlink()


def _snapshots(cache: Cache) -> list[Path]:
    return list((cache.root / "snapshots").iterdir())


def _blobs_of(cache: Cache, snapshot: Path) -> set[Blob]:
    manifest = cache.manifest(snapshot.name)
    return {file.blob for file in manifest.files} if manifest else set()


def _records(folder: Path, kind: type[T]) -> Iterator[tuple[Path, T | None]]:
    for path in list(folder.iterdir()):
        try:
            yield path, msgspec.json.decode(path.read_bytes(), type=kind)
        except msgspec.DecodeError:
            yield path, None


def _blobs(cache: Cache) -> list[Path]:
    return list((cache.root / "blobs").glob("*/*"))


def _held_bytes(cache: Cache) -> int:
    files = [*_blobs(cache), *(cache.root / "partial").iterdir()]
    return sum(path.stat().st_size for path in files)
