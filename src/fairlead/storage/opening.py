"""From a URI and its credentials to the source that can read it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from fairlead.errors import StorageError
from fairlead.storage.folders import FolderSource, LocalAccess
from fairlead.storage.source import Source
from fairlead.storage.transfer import Patience
from fairlead.storage.uris import ClaimUri, FileUri, HttpUri, RemoteUri, parse


class Opener:
    """Knows this machine's rules for local files, and the installation's own credentials."""

    def __init__(
        self,
        *,
        access: LocalAccess,
        defaults: Mapping[str, str],
        patience: Patience,
        allow: Callable[[str], None],
    ) -> None:
        self._access = access
        self._defaults = defaults
        self._patience = patience
        self._allow = allow

    def open(self, uri: str, env: Mapping[str, str], claim_folder: Callable[[str], Path | None]) -> Source:
        """A source that has not been asked anything yet. Raises StorageError for URIs and remotes that cannot work."""
        match parse(uri):
            case FileUri() as local:
                path = self._access.allowed(uri, Path(local.path))
                return FolderSource(path, written=uri)
            case ClaimUri() as claim:
                return _claim(claim, claim_folder)
            case HttpUri() | RemoteUri():
                raise StorageError(f"{uri}: not yet")


def _claim(uri: ClaimUri, claim_folder: Callable[[str], Path | None]) -> Source:
    folder = claim_folder(uri.claim)
    if folder is None:
        raise StorageError(f"{uri}: there is no PersistentVolumeClaim {uri.claim!r} in the namespace")
    root = folder.resolve()
    return FolderSource((root / uri.path).resolve(), written=str(uri), within=root)
