"""Fetch a model: from any URI to a folder on this disk whose contents are what /mnt/models would hold.

The one door of this package. Everything blocks, so callers run it in a thread; any number of threads and processes may
fetch at once, the same model included. See docs/storage.md for the rules a user sees.
"""

import fnmatch
import hashlib
import logging
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

from fairlead.errors import Forbidden, StorageError
from fairlead.storage.cache import Blob, Cache, DiskFull, Seen
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.folders import FolderSource, LocalAccess
from fairlead.storage.opening import Opener
from fairlead.storage.pruning import Pruned, prune
from fairlead.storage.source import Changed, Entry, Source
from fairlead.storage.transfer import Patience, Stop, Transfer, patiently

log = logging.getLogger(__name__)

_PARALLEL_FILES = 4
_LISTINGS = 3
"""A source that changes under us is listed again this often before we say so."""

Progress = Callable[[int, int], None]
ClaimFolder = Callable[[str], Path | None]


def no_progress(_done_bytes: int, _total_bytes: int) -> None:
    """For callers who show none."""


def no_claims(_claim: str) -> Path | None:
    """For callers without claims."""
    return None


def never() -> bool:
    """For callers who do not stop."""
    return False


class Fetcher:
    """Copies models into one cache folder.

    `defaults` are the installation's own credentials (environment variables, often the process's own); a fetch whose
    `env` speaks of the same kind of store uses none of them. `allowed_roots` are the folders local URIs may name
    (`None`: any), `allowed_sources` patterns a source must match, both for the owner of a shared machine.
    Local folders above `in_place_bytes` are not copied but used where they lie.
    """

    def __init__(
        self,
        cache: Path,
        *,
        defaults: Mapping[str, str] | None = None,
        base: Path | None = None,
        allowed_roots: Sequence[Path] | None = None,
        allowed_sources: Sequence[str] = ("*",),
        max_bytes: int | None = None,
        in_place_bytes: int = 2 * 1024**3,
        patience: Patience | None = None,
    ) -> None:
        self.cache = Cache(cache)
        self._patience = patience or Patience()
        roots = None if allowed_roots is None else tuple(allowed_roots)
        self._opener = Opener(
            access=LocalAccess(roots=roots, base=base or Path.cwd()),
            defaults=dict(defaults or {}),
            timeouts=Timeouts(connect_s=self._patience.connect_timeout_s, read_s=self._patience.read_timeout_s),
            allow=self._allow,
        )
        self._patterns = tuple(allowed_sources)
        self._max_bytes = max_bytes
        self._in_place_bytes = in_place_bytes

    def check(self, uri: str, *, env: Mapping[str, str] | None = None, claim_folder: ClaimFolder = no_claims) -> None:
        """Raise what `fetch` would raise without asking the store: the URI's form, its remote's configuration, and
        what the owner allows."""
        with closing(self._opener.open(uri, env or {}, claim_folder)) as source:
            self._allow(source.name)

    def fetch(
        self,
        uri: str,
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: ClaimFolder = no_claims,
        progress: Progress = no_progress,
        should_stop: Callable[[], bool] = never,
        thorough: bool = False,
    ) -> Path:
        """The model's folder: complete, checked and not to be written to. Blocks.

        Raises StorageError (missing, refused, no room, bad credentials), Forbidden (the owner's settings) or
        StorageUnavailable (the store does not answer, or `should_stop` said yes). `progress(done, total)` is called
        from several threads, one at a time; a total of 0 means unknown. `thorough` reads cached bytes again.
        """
        with closing(self._opener.open(uri, env or {}, claim_folder)) as source:
            self._allow(source.name)
            stop = Stop(source.name, should_stop)
            try:
                return self._fetch(source, progress=progress, stop=stop, thorough=thorough)
            except DiskFull:
                # What of the model did fit must not keep the disk full; nobody holds it yet.
                prune(self.cache, keep=(), max_bytes=sys.maxsize, partial_life_s=0)
                raise

    def _fetch(self, source: Source, *, progress: Progress, stop: Stop, thorough: bool) -> Path:
        with self.cache.in_use():
            for listing in range(1, _LISTINGS + 1):
                try:
                    return self._copy(source, progress=progress, stop=stop, thorough=thorough)
                except Changed:
                    if listing == _LISTINGS:
                        raise
                    log.info("%s changed while it was fetched; listing it again", source.name)
        raise AssertionError("unreachable")

    def cached(
        self, uri: str, *, env: Mapping[str, str] | None = None, claim_folder: ClaimFolder = no_claims
    ) -> Path | None:
        """The copy this source gave when it was last fetched with these credentials, if it is still sound: for a
        restart while the store is away. The store is not asked, so there may be something newer."""
        with closing(self._opener.open(uri, env or {}, claim_folder)) as source, self.cache.in_use():
            self._allow(source.name)
            seen = self.cache.seen(_key(source.identity))
            return self.cache.use(seen.snapshot) if seen else None

    def prune(self, keep: Collection[Path], max_bytes: int, *, just_used_s: float = 600.0) -> Pruned:
        """Drop least recently used snapshots until at most `max_bytes` are held; see `pruning.prune`."""
        return prune(self.cache, keep, max_bytes, just_used_s=just_used_s)

    def _copy(self, source: Source, *, progress: Progress, stop: Stop, thorough: bool) -> Path:
        entries = patiently(source.entries, patience=self._patience, stop=stop)
        total = sum(entry.size or 0 for entry in entries)
        self._check_total(source, total)
        if isinstance(source, FolderSource) and source.is_folder and total > self._in_place_bytes:
            progress(total, total)
            return source.path
        source_key, listing = _key(source.identity), _listing(entries)
        if (seen := self.cache.seen(source_key)) and listing and seen.listing == listing:
            if folder := self.cache.use(seen.snapshot, thorough=thorough):
                progress(total, total)
                return folder
            log.warning("%s: the cached copy was damaged; repairing it", source.name)
        tally = _Tally(entries, progress)
        blobs = self._bring(source, entries, tally, stop, thorough)
        if not any(blob.size for blob in blobs):
            raise StorageError(f"{source.name}: every file there is empty")
        files = [(entry.path, blob) for entry, blob in zip(entries, blobs, strict=True)]
        snapshot = self.cache.snapshot(files, thorough=thorough)
        self.cache.remember(source_key, Seen(name=source.name, listing=listing, snapshot=snapshot))
        return self.cache.content(snapshot)

    def _bring(
        self, source: Source, entries: Sequence[Entry], tally: "_Tally", stop: Stop, thorough: bool
    ) -> list[Blob]:
        transfers = [
            Transfer(
                self.cache,
                source,
                entry,
                patience=self._patience,
                stop=stop,
                limit_bytes=self._max_bytes,
                report=tally.of(entry),
            )
            for entry in entries
        ]
        with ThreadPoolExecutor(max_workers=_PARALLEL_FILES, thread_name_prefix="fetch") as pool:
            futures = [pool.submit(transfer.run, thorough=thorough) for transfer in transfers]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                # After success nothing is left to stop; after a failure or Ctrl-C the rest must not go on.
                if not all(future.done() for future in futures):
                    stop.set()
            _raise_first(futures, done)
        return [future.result() for future in futures]

    def _check_total(self, source: Source, total: int) -> None:
        if self._max_bytes is not None and total > self._max_bytes:
            raise StorageError(f"{source.name}: {total} bytes are more than the limit of {self._max_bytes} bytes")

    def _allow(self, name: str) -> None:
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in self._patterns):
            accepted = ", ".join(self._patterns) or "none"
            raise Forbidden(f"{name}: models from there are not allowed; the owner's settings allow: {accepted}")


class _Tally:
    """Adds up what concurrent transfers report."""

    def __init__(self, entries: Sequence[Entry], progress: Progress) -> None:
        known = all(entry.size is not None for entry in entries)
        self._total = sum(entry.size or 0 for entry in entries) if known else 0
        self._done = 0
        self._parts: dict[str, int] = {}
        self._progress = progress
        self._lock = threading.Lock()

    def of(self, entry: Entry) -> Callable[[int], None]:
        def report(arrived: int) -> None:
            with self._lock:
                self._done += arrived - self._parts.get(entry.path, 0)
                self._parts[entry.path] = arrived
                self._progress(self._done, self._total)

        return report


def _raise_first(futures: Sequence[Future[Blob]], done: set[Future[Blob]]) -> None:
    """Of the failures that ended the wait, the first in the order of the paths; later ones were only told to stop."""
    for future in futures:
        if future in done and (error := future.exception()):
            raise error


def _key(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()


def _listing(entries: Sequence[Entry]) -> str:
    """What the store said it holds; empty if it does not tell versions apart."""
    if not all(entry.version for entry in entries):
        return ""
    lines = (f"{entry.path}\0{entry.size}\0{entry.version}\n" for entry in entries)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
