"""From files as a store keeps them to files as a model server wants them: archives unpacked, image layers applied.

What comes out goes into the cache like any download: by digest, and only when it is complete.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path, PurePosixPath

from fairlead.errors import StorageError
from fairlead.storage import archives, layers
from fairlead.storage.archives import Budget
from fairlead.storage.cache import Blob, Cache, no_room
from fairlead.storage.source import Entry, Packing

Files = dict[str, Blob]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacker:
    """Unpacks into one cache. `written` names the source in messages; `check` raises when somebody wants to stop;
    `wants` says which files of an image are wanted."""

    cache: Cache
    written: str
    limit_bytes: int | None
    check: Callable[[], None]
    wants: Callable[[str], bool]

    def unpacked(self, fetched: Sequence[tuple[Entry, Blob]]) -> list[tuple[str, Blob]]:
        """The model's files in the order of their paths. A later entry wins over an earlier one of the same path."""
        files: Files = {}
        image = [(entry, blob) for entry, blob in fetched if entry.packing is Packing.LAYER]
        for entry, blob in fetched:
            if self._is_archive(entry, blob):
                files |= dict(self._archive(entry, blob))
            elif entry.packing is not Packing.LAYER:
                files[entry.path] = blob
        if image:
            files |= self._image(image)
        _refuse_clashes(self.written, files)
        return sorted(files.items())

    def _is_archive(self, entry: Entry, blob: Blob) -> bool:
        """A file whose name says nothing is looked at."""
        if entry.packing is Packing.PERHAPS:
            return archives.is_tar(self.cache.blob(blob))
        return entry.packing is Packing.ARCHIVE

    def _archive(self, entry: Entry, blob: Blob) -> Iterator[tuple[str, Blob]]:
        """The files of one archive, where the archive itself would lie."""
        folder = entry.path.rpartition("/")[0]
        budget = Budget(self.written, blob.size, self.limit_bytes)
        found = 0
        for member in archives.members(self.written, entry.path, self.cache.blob(blob), budget):
            found += 1
            yield f"{folder}/{member.path}".lstrip("/"), self._adopt(member.chunks)
        if not found:
            raise StorageError(f"{self.written}: {entry.path}: the archive holds no file")

    def _image(self, image: Sequence[tuple[Entry, Blob]]) -> Files:
        budget = Budget(self.written, sum(blob.size for _, blob in image), self.limit_bytes)
        tree: layers.Tree[Blob] = layers.Tree(self.written)
        for entry, blob in image:
            tree.apply(entry.path, self.cache.blob(blob), budget, keep=self._adopt)
        files = {path: blob for path, blob in tree.files().items() if self.wants(path)}
        if not files:
            raise StorageError(
                f"{self.written}: STORAGE_ALLOW_PATTERNS and STORAGE_IGNORE_PATTERNS leave none of the image's files"
            )
        return files

    def _adopt(self, chunks: Iterable[bytes]) -> Blob:
        """Write one file into the cache."""
        partial = self.cache.partial(f"unpacked-{uuid.uuid4().hex}")
        seen = hashlib.sha256()
        try:
            with _our_disk(self.cache.root):
                file = partial.open("xb", buffering=0)
            with file:
                for chunk in chunks:
                    self.check()
                    with _our_disk(self.cache.root):
                        _write_all(file, chunk)
                    seen.update(chunk)
            with _our_disk(self.cache.root):
                return self.cache.adopt(partial, seen.hexdigest())
        finally:
            partial.unlink(missing_ok=True)


def lone_archive(entries: Sequence[Entry]) -> Packing:
    """Whether a source is one archive and nothing else, which is what unpacking is for."""
    if len(entries) != 1 or entries[0].packing is not Packing.NONE:
        return Packing.NONE
    name = entries[0].path
    if archives.is_archive(name):
        return Packing.ARCHIVE
    return Packing.PERHAPS if archives.says_nothing(name) else Packing.NONE


@contextmanager
def _our_disk(root: Path) -> Iterator[None]:
    """Our disk's errors must not be taken for damage of the archive."""
    try:
        yield
    except OSError as error:
        raise no_room(error, root) or StorageError(f"the model cache cannot be written: {error}") from error


def _write_all(file: RawIOBase, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) or 0 :]


def _refuse_clashes(written: str, files: Files) -> None:
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    if both := sorted(folders & files.keys()):
        raise StorageError(f"{written}: {both[0]!r} is both a file and a folder, which no file system can hold")
