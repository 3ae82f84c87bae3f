"""From a URI and its credentials to the source that can read it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from fairlead.errors import StorageError
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.credentials import RcloneAccess, resolve
from fairlead.storage.folders import FolderSource, LocalAccess
from fairlead.storage.rclone import RcloneSource
from fairlead.storage.redaction import secrets_of, secrets_of_query
from fairlead.storage.source import Source
from fairlead.storage.stores import ObjectSource
from fairlead.storage.uris import ClaimUri, FileUri, HttpUri, RemoteUri, parse
from fairlead.storage.web import WebSource


class Opener:
    """Knows this machine's rules for local files, and the installation's own credentials."""

    def __init__(
        self,
        *,
        access: LocalAccess,
        defaults: Mapping[str, str],
        timeouts: Timeouts,
        allow: Callable[[str], None],
    ) -> None:
        self._access = access
        self._defaults = defaults
        self._timeouts = timeouts
        self._allow = allow

    def open(self, uri: str, env: Mapping[str, str], claim_folder: Callable[[str], Path | None]) -> Source:
        """A source that has not been asked anything yet. Raises StorageError for URIs and remotes that cannot work."""
        match parse(uri):
            case FileUri() as local:
                return FolderSource(self._access.allowed(uri, Path(local.path)), written=uri)
            case ClaimUri() as claim:
                return _claim(claim, claim_folder)
            case HttpUri() as web:
                return WebSource(web, timeouts=self._timeouts, allow=self._allow, secrets=secrets_of(env))
            case RemoteUri() as remote:
                return self._remote(remote, env)

    def _remote(self, uri: RemoteUri, env: Mapping[str, str]) -> Source:
        access = resolve(uri, env, defaults=self._defaults, read_file=self._read_file)
        secrets = (*secrets_of_query(uri.query), *secrets_of({**self._defaults, **env}))
        if isinstance(access, RcloneAccess):
            restricted = self._access.roots is not None
            return RcloneSource(uri, access, timeouts=self._timeouts, secrets=secrets, restricted=restricted)
        return ObjectSource(
            access, bucket=uri.bucket, key=uri.key, written=str(uri), timeouts=self._timeouts, secrets=secrets
        )

    def _read_file(self, path: Path) -> str:
        return self._access.allowed(str(path), path).read_text()


def _claim(uri: ClaimUri, claim_folder: Callable[[str], Path | None]) -> Source:
    folder = claim_folder(uri.claim)
    if folder is None:
        raise StorageError(f"{uri}: there is no PersistentVolumeClaim {uri.claim!r} in the namespace")
    root = folder.resolve()
    return FolderSource((root / uri.path).resolve(), written=str(uri), within=root)
