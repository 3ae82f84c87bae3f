"""From an address to the store of blobs behind it."""

from collections.abc import Mapping
from pathlib import Path

from fairlead.errors import ConfigError, StorageError
from fairlead.storage.blobs.folder import FolderStore
from fairlead.storage.blobs.objects import ObjectStoreBlobs
from fairlead.storage.blobs.store import BlobStore
from fairlead.storage.credentials import RcloneAccess, resolve
from fairlead.storage.redaction import secrets_of
from fairlead.storage.uris import FileUri, RemoteUri, parse

_ACCEPTED = "a folder, s3://bucket/path, gs://bucket/path or az://container/path"


def open_store(url: str, env: Mapping[str, str]) -> BlobStore:
    """The store; nothing is asked of it yet. `env` has the credentials, as for models: `RCLONE_CONFIG_S3_…`, `AWS_…`,
    `GOOGLE_…`, `AZURE_…`. Raises ConfigError for an address that is none of a store's."""
    try:
        uri = parse(url)
        if isinstance(uri, FileUri) and uri.path.is_absolute():
            return FolderStore(Path(uri.path))
        if isinstance(uri, RemoteUri) and uri.bucket:
            # The installation's own variables, so that a role of the machine's may sign.
            access = resolve(uri, {}, defaults=env, read_file=lambda path: path.read_text())
            if not isinstance(access, RcloneAccess):
                return ObjectStoreBlobs(access, bucket=uri.bucket, prefix=uri.key, secrets=secrets_of(env))
    except StorageError as error:
        raise ConfigError(f"the registry's store cannot be used: {error}") from error
    raise ConfigError(f"the registry's store cannot be used: it must be {_ACCEPTED}")
