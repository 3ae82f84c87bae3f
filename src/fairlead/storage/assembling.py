"""One model folder from several: what a server would see if each were copied to its own path below a common one.

The result is a snapshot like any other, by its content; its files are the parts' own, linked and not copied.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

from fairlead.errors import StorageError
from fairlead.storage.cache import Blob, Cache
from fairlead.storage.source import check_path


def assembled(cache: Cache, parts: Sequence[tuple[str, str]]) -> str:
    """The digest of the folder that holds each part's snapshot at its relative path (empty: at the top). Of two files
    at one path the later part's counts. Raises StorageError when a file would lie where a folder must."""
    files: dict[str, Blob] = {}
    for path, snapshot in parts:
        manifest = cache.manifest(snapshot)
        if manifest is None:
            raise StorageError(f"{path or '.'}: the cached copy went away while it was put together")
        prefix = path.strip("/")
        if prefix:
            check_path("a part of the model", prefix)
        for file in manifest.files:
            files[f"{prefix}/{file.path}".lstrip("/")] = file.blob
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    if both := sorted(folders & files.keys()):
        raise StorageError(f"{both[0]!r} is a file of one part of the model and a folder of another")
    return cache.snapshot(sorted(files.items()))
