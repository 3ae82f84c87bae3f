"""Azure Blob Storage: account keys, shared access signatures, service principals, and public containers."""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairlead.errors import StorageError
from fairlead.storage.clouds.layer import (
    Layer,
    Timeouts,
    client_options,
    refuse_process_variables,
    retries,
    with_scheme,
)
from fairlead.storage.uris import RemoteUri

if TYPE_CHECKING:
    from obstore.store import AzureConfig, AzureCredential, ObjectStore

VARIABLES = ("AZURE_", "AZ_")
_USED = {
    "ACCOUNT", "KEY", "SAS_URL", "CONNECTION_STRING", "TENANT", "CLIENT_ID", "CLIENT_SECRET", "ENDPOINT", "ENV_AUTH",
}  # fmt: skip
_FOR_WRITING_OR_SPEED = {
    "UPLOAD_CUTOFF", "CHUNK_SIZE", "UPLOAD_CONCURRENCY", "LIST_CHUNK", "ACCESS_TIER", "ARCHIVE_TIER_DELETE",
    "DISABLE_CHECKSUM", "MEMORY_POOL_FLUSH_TIME", "MEMORY_POOL_USE_MMAP", "ENCODING", "PUBLIC_ACCESS",
    "DIRECTORY_MARKERS", "NO_CHECK_CONTAINER", "NO_HEAD_OBJECT", "DELETE_SNAPSHOTS", "DESCRIPTION",
}  # fmt: skip
OPTIONS = frozenset(_USED | _FOR_WRITING_OR_SPEED)
_OAUTH = ("AZURE_STORAGE_TOKEN",)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureAccess:
    """Blobs of one account. Without any credential requests are unsigned, unless `is_ambient`."""

    account: str
    endpoint: str
    key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    is_ambient: bool = False

    @property
    def is_anonymous(self) -> bool:
        """Whether requests carry no credential: enough for public containers."""
        return not (self.key or self.sas or self.client_secret or self.token or self.is_ambient)

    @property
    def caller(self) -> str:
        """Tells one caller from another without holding the secret."""
        secret = "\0".join((self.key, self.sas, self.tenant_id, self.client_id, self.client_secret, self.token))
        return f"ambient={self.is_ambient} {hashlib.sha256(secret.encode()).hexdigest()}"

    def name(self, bucket: str, key: str) -> str:
        """The canonical place: the blob's own URL."""
        return f"{self.endpoint}/{bucket}/{key}"

    def hint(self) -> str:
        """What to say beside a refusal."""
        return "requests were anonymous: no Azure credentials are configured" if self.is_anonymous else ""

    def open(self, bucket: str, timeouts: Timeouts) -> "ObjectStore":
        """The container, with exactly this credential."""
        from obstore.store import AzureStore

        config: AzureConfig = {
            "account_name": self.account,
            "endpoint": self.endpoint,
            "skip_signature": self.is_anonymous,
            "use_emulator": False,
        }
        options = client_options(self.endpoint, timeouts)
        if self.key or self.sas or self.token:
            return AzureStore(
                bucket,
                config=config,
                client_options=options,
                retry_config=retries(),
                credential_provider=self._credential,
            )
        if self.client_secret:
            refuse_process_variables(_OAUTH, "Azure")
            config |= {
                "tenant_id": self.tenant_id,
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "credential_type": "client_secret",
            }
        return AzureStore(bucket, config=config, client_options=options, retry_config=retries())

    def _credential(self) -> "AzureCredential":
        if self.sas:
            return {"sas_token": self.sas, "expires_at": None}
        if self.token:
            return {"token": self.token, "expires_at": None}
        return {"access_key": self.key, "expires_at": None}


def read(uri: RemoteUri, layer: Layer) -> AzureAccess:
    """The access these variables and the URI describe. Raises StorageError naming the variable that is missing."""
    remote = layer.remote
    parts = _connection(
        layer.option("CONNECTION_STRING", "AZURE_STORAGE_CONNECTION_STRING"), remote.variable("CONNECTION_STRING")
    )
    sas_url = urlsplit(remote.text("SAS_URL"))
    configured = (
        layer.option("ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
        or parts.get("AccountName", "")
        or (sas_url.hostname or "").partition(".")[0]
    )
    account = layer.need("ACCOUNT", uri.account or configured, "Azure needs to know the storage account")
    asked = layer.option("ENDPOINT", "AZURE_STORAGE_ENDPOINT") or parts.get("BlobEndpoint", "")
    if not asked and sas_url.hostname:
        asked = f"{sas_url.scheme}://{sas_url.netloc}"
    named = f"https://{uri.host}" if uri.host else f"https://{account}.blob.core.windows.net"
    if uri.query:
        return AzureAccess(account=account, endpoint=named, sas=uri.query)
    if uri.account and configured not in ("", uri.account):
        # Another account's key or signature is no use there, and none of its business.
        return AzureAccess(account=account, endpoint=named)
    key = layer.option("KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCESS_KEY")
    key = key or parts.get("AccountKey", "")
    sas = sas_url.query or layer.first("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY")
    sas = sas or parts.get("SharedAccessSignature", "")
    access = AzureAccess(
        account=account,
        endpoint=with_scheme(asked) if asked else named,
        key=key,
        sas=sas.removeprefix("?"),
        tenant_id=layer.option("TENANT", "AZURE_TENANT_ID", "AZ_TENANT_ID"),
        client_id=layer.option("CLIENT_ID", "AZURE_CLIENT_ID", "AZ_CLIENT_ID"),
        client_secret="" if key or sas else layer.option("CLIENT_SECRET", "AZURE_CLIENT_SECRET", "AZ_CLIENT_SECRET"),
        token="" if key or sas else layer.first("AZURE_ACCESS_TOKEN"),
        is_ambient=remote.is_on("ENV_AUTH") and not key and not sas,
    )
    _check(access, layer, from_secret=bool(asked) and not layer.is_owners)
    return access


def _check(access: AzureAccess, layer: Layer, *, from_secret: bool) -> None:
    remote = layer.remote
    if access.client_secret:
        layer.need("TENANT", access.tenant_id, "a client secret needs its tenant")
        layer.need("CLIENT_ID", access.client_id, "a client secret needs its client")
    if access.is_ambient and from_secret:
        raise StorageError(
            f"{remote.variable('ENV_AUTH')}: the server's own credentials are not sent to an endpoint that a Secret "
            f"chose; put {remote.variable('KEY')} or {remote.variable('SAS_URL')} into it"
        )


def _connection(text: str, variable: str) -> dict[str, str]:
    """`Name=value;…`; values may hold `=` themselves."""
    if not text:
        return {}
    parts = [part.partition("=") for part in text.strip().rstrip(";").split(";")]
    if not all(equals for _, equals, _ in parts):
        raise StorageError(f"{variable} is not a connection string: Name=value parts divided by ';'")
    return {name.strip(): value for name, _, value in parts}
