"""From a URI and its credentials to the source that can read it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from fairlead.errors import StorageError
from fairlead.storage import hdfs, hub, registry, repositories
from fairlead.storage.asking import Trust
from fairlead.storage.clouds import azure_files
from fairlead.storage.clouds.layer import CA_PEM, Timeouts
from fairlead.storage.credentials import RcloneAccess, resolve
from fairlead.storage.folders import FolderSource, LocalAccess
from fairlead.storage.oci import logins
from fairlead.storage.oci.source import OciSource
from fairlead.storage.rclone import RcloneSource
from fairlead.storage.redaction import secrets_of, secrets_of_query
from fairlead.storage.source import Source
from fairlead.storage.stores import ObjectSource
from fairlead.storage.tuning import Tuning
from fairlead.storage.uris import (
    ClaimUri,
    FileUri,
    GitUri,
    HdfsUri,
    HttpUri,
    HubUri,
    OciUri,
    RegistryUri,
    RemoteUri,
    ShareUri,
    parse,
)
from fairlead.storage.web import WebSource, headers_for

INSECURE_REGISTRIES = "FAIRLEAD_INSECURE_REGISTRIES"
"""Registries, by host and port, that are spoken to in clear: the owner's own wish, never a Secret's."""


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
        listed = defaults.get(INSECURE_REGISTRIES, "")
        self._insecure = frozenset(host.strip() for host in listed.split(",") if host.strip())

    def tuning(self, uri: str, env: Mapping[str, str]) -> Tuning:
        """What the variables of an S3 transfer say of its pace; nothing for other stores."""
        parsed = parse(uri)
        is_s3 = isinstance(parsed, RemoteUri) and parsed.remote == "s3"
        return Tuning.read({**self._defaults, **env}) if is_s3 else Tuning()

    def open(
        self,
        uri: str,
        env: Mapping[str, str],
        claim_folder: Callable[[str], Path | None],
        *,
        unpacks: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Source:
        """A source that has not been asked anything yet. Raises StorageError for URIs and remotes that cannot work."""
        match parse(uri):
            case FileUri() as local:
                return FolderSource(self._access.allowed(uri, Path(local.path)), written=uri)
            case ClaimUri() as claim:
                return _claim(claim, claim_folder)
            case RemoteUri() as remote:
                return self._remote(remote, env)
            case other:
                return self._ours(other, env, unpacks=unpacks, should_stop=should_stop)

    def _ours(
        self,
        uri: HttpUri | GitUri | HubUri | OciUri | HdfsUri | ShareUri | RegistryUri,
        env: Mapping[str, str],
        *,
        unpacks: bool,
        should_stop: Callable[[], bool],
    ) -> Source:
        """The stores that this package speaks to itself."""
        timeouts, allow = self._timeouts, self._allow
        secrets = secrets_of({**self._defaults, **env})
        trust = Trust(ca_pem=env.get(CA_PEM, ""))
        match uri:
            case HttpUri() as web:
                return WebSource(
                    web,
                    timeouts=timeouts,
                    allow=allow,
                    secrets=secrets,
                    headers=headers_for(web.url, env) or headers_for(web.url, self._defaults),
                    unpacks=unpacks,
                    trust=trust,
                )
            case GitUri() as repository:
                return repositories.GitSource(
                    repository, env, timeouts=timeouts, secrets=secrets, should_stop=should_stop
                )
            case HubUri() as model:
                access = hub.read(env, self._defaults)
                return hub.HubSource(model, access, timeouts=timeouts, secrets=secrets, allow=allow)
            case OciUri() as image:
                config = env.get(logins.VARIABLE, "") or self._defaults.get(logins.VARIABLE, "")
                return OciSource(
                    image, config=config, insecure=self._insecure, timeouts=timeouts, secrets=secrets, trust=trust
                )
            case RegistryUri() as model:
                shelf = registry.read(env, self._defaults)
                return registry.RegistrySource(
                    model, shelf, timeouts=timeouts, secrets=secrets, allow=allow, trust=trust
                )
            case HdfsUri() as path:
                cluster = hdfs.read(env, self._defaults)
                return hdfs.HdfsSource(path, cluster, timeouts=timeouts, secrets=secrets, allow=allow)
            case ShareUri() as share:
                files = azure_files.read(share, env, self._defaults)
                secrets = (*secrets, *secrets_of_query(share.query))
                return azure_files.ShareSource(share, files, timeouts=timeouts, secrets=secrets, allow=allow)

    def _remote(self, uri: RemoteUri, env: Mapping[str, str]) -> Source:
        access = resolve(uri, env, defaults=self._defaults, read_file=self._read_file)
        secrets = (*secrets_of_query(uri.query), *secrets_of({**self._defaults, **env}))
        if isinstance(access, RcloneAccess):
            restricted = self._access.roots is not None
            return RcloneSource(uri, access, timeouts=self._timeouts, secrets=secrets, restricted=restricted)
        timeouts = self.tuning(str(uri), env).timeouts(self._timeouts)
        return ObjectSource(
            access, bucket=uri.bucket, key=uri.key, written=str(uri), timeouts=timeouts, secrets=secrets
        )

    def _read_file(self, path: Path) -> str:
        return self._access.allowed(str(path), path).read_text()


def may_unpack(uri: str) -> bool:
    """Whether an archive there is unpacked when it is asked for: claims are used as they are, and repositories are
    more than one file by intent."""
    return not isinstance(parse(uri), ClaimUri | GitUri | HubUri)


def _claim(uri: ClaimUri, claim_folder: Callable[[str], Path | None]) -> Source:
    folder = claim_folder(uri.claim)
    if folder is None:
        raise StorageError(f"{uri}: there is no PersistentVolumeClaim {uri.claim!r} in the namespace")
    root = folder.resolve()
    return FolderSource((root / uri.path).resolve(), written=str(uri), within=root)
