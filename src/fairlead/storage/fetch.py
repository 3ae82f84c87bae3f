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
from dataclasses import dataclass, replace
from pathlib import Path

from fairlead.errors import Forbidden, StorageError
from fairlead.storage.assembling import assembled
from fairlead.storage.cache import Blob, Cache, DiskFull, Seen
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.folders import FolderSource, LocalAccess
from fairlead.storage.opening import Opener, may_unpack
from fairlead.storage.pins import Pin, Pins
from fairlead.storage.pruning import Pruned, prune
from fairlead.storage.source import Changed, Entry, Packing, Source
from fairlead.storage.transfer import Patience, Stop, Transfer, patiently
from fairlead.storage.tuning import Tuning, Wanted
from fairlead.storage.unpacking import Unpacker, lone_archive

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
        self._pins = Pins(self.cache)
        self._defaults = dict(defaults or {})
        self._patience = patience or Patience()
        roots = None if allowed_roots is None else tuple(allowed_roots)
        self._opener = Opener(
            access=LocalAccess(roots=roots, base=base or Path.cwd()),
            defaults=self._defaults,
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
        unpacks: bool = False,
        scope: str = "",
    ) -> Path:
        """The model's folder: complete, checked and not to be written to. Blocks.

        Raises StorageError (missing, refused, no room, bad credentials), Forbidden (the owner's settings) or
        StorageUnavailable (the store does not answer, or `should_stop` said yes). `progress(done, total)` is called
        from several threads, one at a time; a total of 0 means unknown. `thorough` reads cached bytes again.
        `unpacks` takes a model that is one archive for what is in it. What is pinned for `scope`, or for all, is given
        without asking the store.
        """
        if pinned := self.pinned(uri, scope=scope, unpacks=unpacks):
            return pinned
        job = self._job(uri, env, claim_folder, progress, thorough=thorough, unpacks=unpacks, should_stop=should_stop)
        return self._run(job)

    def fetch_parts(
        self,
        parts: Sequence[tuple[str, str]],
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: ClaimFolder = no_claims,
        progress: Progress = no_progress,
        should_stop: Callable[[], bool] = never,
        unpacks: bool = False,
        scope: str = "",
    ) -> Path:
        """One folder from several sources: each URI's content at its path, which is relative (empty: the folder
        itself). Files are shared with the copies of the parts; a later part wins over an earlier one. Blocks, and
        raises, as `fetch` does."""
        snapshots: list[tuple[str, str]] = []
        for uri, path in parts:
            found = self.pinned(uri, scope=scope, unpacks=unpacks)
            if found is None:
                job = self._job(
                    uri, env, claim_folder, progress, unpacks=unpacks, in_place=False, should_stop=should_stop
                )
                found = self._run(job)
            snapshots.append((path, found.parent.name))
        with self.cache.in_use():
            return self.cache.content(assembled(self.cache, snapshots))

    def pin(
        self,
        uri: str,
        *,
        env: Mapping[str, str] | None = None,
        claim_folder: ClaimFolder = no_claims,
        progress: Progress = no_progress,
        should_stop: Callable[[], bool] = never,
        unpacks: bool = False,
        scope: str = "",
        known_as: str = "",
    ) -> Path:
        """Fetch, and keep: until `unpin` the copy is not pruned, and `fetch` finds it for this URI (or the one it is
        `known_as`) and for paths below it without asking the store. `scope` names the namespace it is for; empty is
        for all. A pin of the same URI again brings the copy up to date."""
        job = self._job(uri, env, claim_folder, progress, unpacks=unpacks, in_place=False, should_stop=should_stop)
        folder = self._run(job)
        self._pins.put(Pin(uri=known_as or uri, scope=scope, snapshot=folder.parent.name, unpacks=unpacks))
        return folder

    def unpin(self, uri: str, *, scope: str = "") -> bool:
        """Let a pinned copy go the way of all others; whether there was one."""
        return self._pins.drop(uri, scope)

    def pins(self) -> set[tuple[str, str]]:
        """Every pin: its URI, and the namespace it is for."""
        return {(pin.uri, pin.scope) for pin in self._pins.all()}

    def pinned(self, uri: str, *, scope: str = "", unpacks: bool = False) -> Path | None:
        """The pinned copy of a URI, or of a path below one, if it is here and sound."""
        with self.cache.in_use():
            return self._pins.find(uri, scope, unpacks=unpacks)

    def prune(self, keep: Collection[Path], max_bytes: int, *, just_used_s: float = 600.0) -> Pruned:
        """Drop least recently used snapshots until at most `max_bytes` are held; see `pruning.prune`."""
        return prune(self.cache, keep, max_bytes, just_used_s=just_used_s)

    def _job(
        self,
        uri: str,
        env: Mapping[str, str] | None,
        claim_folder: ClaimFolder,
        progress: Progress,
        *,
        thorough: bool = False,
        unpacks: bool = False,
        in_place: bool = True,
        should_stop: Callable[[], bool] = never,
    ) -> "_Job":
        given = env or {}
        unpacks = unpacks and may_unpack(uri)
        source = self._opener.open(uri, given, claim_folder, unpacks=unpacks, should_stop=should_stop)
        job = _Job(
            source=source,
            wanted=Wanted.read({**self._defaults, **given}),
            tuning=self._opener.tuning(uri, given),
            progress=progress,
            thorough=thorough,
            unpacks=unpacks,
            in_place=in_place,
            should_stop=should_stop,
        )
        try:
            self._allow(source.name)
        except Forbidden:
            source.close()
            raise
        return job

    def _run(self, job: "_Job") -> Path:
        with closing(job.source):
            try:
                with self.cache.in_use():
                    return self._fetch(job)
            except DiskFull:
                # What of the model did fit must not keep the disk full; nobody holds it yet.
                prune(self.cache, keep=(), max_bytes=sys.maxsize, partial_life_s=0)
                raise

    def _fetch(self, job: "_Job") -> Path:
        for listing in range(1, _LISTINGS + 1):
            try:
                # Each with a stop of its own: transfers that one file's change has ended are begun again.
                return self._copy(job, Stop(job.source.name, job.should_stop))
            except Changed:
                if listing == _LISTINGS:
                    raise
                log.info("%s changed while it was fetched; listing it again", job.source.name)
        raise AssertionError("unreachable")

    def _copy(self, job: "_Job", stop: Stop) -> Path:
        source = job.source
        entries = self._listed(job, stop)
        total = sum(entry.size or 0 for entry in entries)
        self._check_total(source, total)
        if self._is_used_in_place(job, entries, total):
            job.progress(total, total)
            assert isinstance(source, FolderSource)
            return source.path
        listing = _listing(entries)
        if (seen := self.cache.seen(job.key)) and listing and seen.listing == listing:
            if folder := self.cache.use(seen.snapshot, thorough=job.thorough):
                job.progress(total, total)
                return folder
            log.warning("%s: the cached copy was damaged; repairing it", source.name)
        blobs = self._bring(job, entries, stop)
        if not any(blob.size for blob in blobs):
            raise StorageError(f"{source.name}: every file there is empty")
        unpacker = Unpacker(
            cache=self.cache, written=source.name, limit_bytes=self._max_bytes, check=stop.check, wants=job.wanted.has
        )
        files = unpacker.unpacked(list(zip(entries, blobs, strict=True)))
        snapshot = self.cache.snapshot(files, thorough=job.thorough)
        self.cache.remember(job.key, Seen(name=source.name, listing=listing, snapshot=snapshot))
        return self.cache.content(snapshot)

    def _listed(self, job: "_Job", stop: Stop) -> list[Entry]:
        """What the source holds of what is wanted, and how it is packed."""
        found = patiently(job.source.entries, patience=job.tuning.patience(self._patience), stop=stop)
        entries = [entry for entry in found if entry.packing is not Packing.NONE or job.wanted.has(entry.path)]
        if not entries:
            raise StorageError(
                f"{job.source.name}: STORAGE_ALLOW_PATTERNS and STORAGE_IGNORE_PATTERNS leave none of the "
                f"{len(found)} files there"
            )
        if job.unpacks and (packing := lone_archive(entries)) is not Packing.NONE:
            return [replace(entries[0], packing=packing)]
        return entries

    def _is_used_in_place(self, job: "_Job", entries: Sequence[Entry], total: int) -> bool:
        """Whether this is a local folder that is too large to be copied, and wanted just as it is."""
        return (
            job.in_place
            and isinstance(job.source, FolderSource)
            and job.source.is_folder
            and total > self._in_place_bytes
            and not job.wanted.seed
            and not any(entry.packing is not Packing.NONE for entry in entries)
        )

    def _bring(self, job: "_Job", entries: Sequence[Entry], stop: Stop) -> list[Blob]:
        tally = _Tally(entries, job.progress)
        patience = job.tuning.patience(self._patience)
        transfers = [
            Transfer(
                self.cache,
                job.source,
                entry,
                patience=patience,
                stop=stop,
                limit_bytes=self._max_bytes,
                report=tally.of(entry),
            )
            for entry in entries
        ]
        at_once = job.tuning.files_at_once or _PARALLEL_FILES
        with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="fetch") as pool:
            futures = [pool.submit(transfer.run, thorough=job.thorough) for transfer in transfers]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One source, and how it is wanted."""

    source: Source
    wanted: Wanted
    tuning: Tuning
    progress: Progress
    thorough: bool
    unpacks: bool
    in_place: bool
    should_stop: Callable[[], bool]

    @property
    def key(self) -> str:
        """What this source, wanted like this, is remembered by."""
        how = f"{'unpacked' if self.unpacks else ''} {self.wanted.seed}".strip()
        return _key(f"{self.source.identity} {how}" if how else self.source.identity)


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
