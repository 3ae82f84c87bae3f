"""Writing to a bucket: what payload logs need of the stores that models come from."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.errors import ConfigError, Retryable
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.credentials import RcloneAccess, resolve
from fairlead.storage.uris import RemoteUri, parse

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_TIMEOUTS = Timeouts(connect_s=5.0, read_s=30.0)


class Bucket:
    """The objects below an address. Raises `ConfigError` for an address that names no bucket of S3's, Google's or
    Azure's. `env` holds the credentials."""

    def __init__(self, url: str, env: Mapping[str, str]) -> None:
        uri = parse(url)
        if not isinstance(uri, RemoteUri):
            raise ConfigError("the address names no bucket; expected s3://bucket/path")
        access = resolve(uri, env, defaults={}, read_file=lambda path: Path(path).read_text())
        if isinstance(access, RcloneAccess):
            raise ConfigError("only S3's, Google's and Azure's stores are written to")
        self._store: ObjectStore = access.open(uri.bucket, _TIMEOUTS)
        self._prefix = uri.key.strip("/")

    def put(self, name: str, data: bytes) -> None:
        """Write one object, blocking. Raises `Retryable`, without the library's words: they may hold an address with a
        key."""
        import obstore

        try:
            obstore.put(self._store, f"{self._prefix}/{name}".lstrip("/"), data)
        except Exception as error:
            raise Retryable(f"{name.rpartition('/')[2]} was not written: {type(error).__name__}") from error
