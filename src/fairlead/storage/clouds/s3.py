"""S3 and what speaks like it: MinIO, Ceph, R2, … from rclone's options, AWS variables, or legacy annotations."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairlead.errors import StorageError
from fairlead.storage.clouds.layer import CA_PEM, Layer, Timeouts, client_options, first, retries, with_scheme

if TYPE_CHECKING:
    from obstore.store import ObjectStore, S3Config, S3Credential

VARIABLES = ("AWS_", "S3_", "awsAnonymousCredential")
CA_BUNDLE = "AWS_CA_BUNDLE"
CA_BUNDLE_PEM = "AWS_CA_BUNDLE_PEM"
"""A bundle's text, for those who have no file of it."""
_USED = {
    "PROVIDER", "ENV_AUTH", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "REGION", "ENDPOINT",
    "FORCE_PATH_STYLE", "REQUESTER_PAYS", "ANONYMOUS",
}  # fmt: skip
_FOR_WRITING_OR_SPEED = {
    "LOCATION_CONSTRAINT", "ACL", "BUCKET_ACL", "STORAGE_CLASS", "UPLOAD_CUTOFF", "CHUNK_SIZE", "MAX_UPLOAD_PARTS",
    "COPY_CUTOFF", "DISABLE_CHECKSUM", "UPLOAD_CONCURRENCY", "LIST_CHUNK", "LIST_VERSION", "LIST_URL_ENCODE",
    "NO_CHECK_BUCKET", "NO_HEAD", "NO_HEAD_OBJECT", "NO_CHECK_CERTIFICATE", "MEMORY_POOL_FLUSH_TIME",
    "MEMORY_POOL_USE_MMAP", "DISABLE_HTTP2", "DIRECTORY_MARKERS", "USE_MULTIPART_ETAG", "USE_MULTIPART_UPLOADS",
    "USE_PRESIGNED_REQUEST", "USE_ALREADY_EXISTS", "USE_UNSIGNED_PAYLOAD", "NO_SYSTEM_METADATA", "DESCRIPTION",
    "SERVER_SIDE_ENCRYPTION", "SSE_KMS_KEY_ID", "ENCODING", "SIGN_ACCEPT_ENCODING", "USE_ACCEPT_ENCODING_GZIP",
    "LEAVE_PARTS_ON_ERROR",
}  # fmt: skip
_ROLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_AMAZON_HOST = re.compile(r"s3([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?")
_ACCELERATED = "https://s3-accelerate.amazonaws.com"
OPTIONS = frozenset(_USED | _FOR_WRITING_OR_SPEED)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """An S3 endpoint and how to sign for it. Without keys requests are unsigned, unless `is_ambient`: then the
    machine's role (instance, container, web identity) signs."""

    endpoint: str
    is_amazon: bool
    region: str = "us-east-1"
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    is_ambient: bool = False
    is_virtual_hosted: bool = False
    requester_pays: bool = False
    verify_tls: bool = True
    ca_pem: str = field(default="", repr=False)

    @property
    def is_anonymous(self) -> bool:
        """Whether requests are not signed."""
        return not self.access_key_id and not self.is_ambient

    @property
    def caller(self) -> str:
        """Tells one caller from another without holding the secret."""
        secret = "\0".join((self.access_key_id, self.secret_access_key, self.session_token))
        return f"ambient={self.is_ambient} {hashlib.sha256(secret.encode()).hexdigest()}"

    def name(self, bucket: str, key: str) -> str:
        """The canonical place: Amazon's own buckets by scheme, others by their endpoint."""
        return f"s3://{bucket}/{key}" if self.is_amazon else f"{self.endpoint}/{bucket}/{key}"

    def hint(self) -> str:
        """What to say beside a refusal."""
        return "requests were not signed: no S3 credentials are configured" if self.is_anonymous else ""

    def open(self, bucket: str, timeouts: Timeouts) -> "ObjectStore":
        """The bucket. Everything is set explicitly, because obstore fills gaps from the process's environment."""
        from obstore.store import S3Store

        config: S3Config = {
            "endpoint": self._bucket_endpoint(bucket),
            "aws_endpoint_url_s3": self._bucket_endpoint(bucket),
            "region": self.region,
            "virtual_hosted_style_request": self.is_virtual_hosted,
            "request_payer": self.requester_pays,
            "skip_signature": self.is_anonymous,
            "s3_express": False,
        }
        options = client_options(self.endpoint, timeouts, verify_tls=self.verify_tls, ca_pem=self.ca_pem)
        if not self.access_key_id:
            return S3Store(bucket, config=config, client_options=options, retry_config=retries())
        provider = self._credential
        return S3Store(
            bucket, config=config, client_options=options, retry_config=retries(), credential_provider=provider
        )

    def _bucket_endpoint(self, bucket: str) -> str:
        if not self.is_virtual_hosted:
            return self.endpoint
        scheme, _, host = self.endpoint.partition("://")
        return f"{scheme}://{bucket}.{host}"

    def _credential(self) -> "S3Credential":
        return {
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            "token": self.session_token or None,
            "expires_at": None,
        }


def read(layer: Layer) -> S3Access:
    """The access these variables describe. Raises StorageError naming the variable that is missing."""
    remote = layer.remote
    endpoint = layer.option("ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "S3_ENDPOINT")
    provider = remote.text("PROVIDER")
    if not endpoint and provider and provider.lower() not in ("aws", "other"):
        layer.need("ENDPOINT", "", f"the provider {provider} has no endpoint of its own")
    may_be_ambient = layer.is_owners or not endpoint
    key, secret, token = _keys(layer, may_be_ambient=may_be_ambient)
    region = layer.option("REGION", "AWS_REGION", "AWS_DEFAULT_REGION") or "us-east-1"
    wants_no_key = remote.is_on("ANONYMOUS") or layer.flag("awsAnonymousCredential", default=False)
    is_ambient = not key and may_be_ambient and not wants_no_key and _has_role(layer)
    if remote.is_on("ENV_AUTH") and not key and not may_be_ambient:
        raise StorageError(
            f"{remote.variable('ENV_AUTH')}: the server's own credentials are not sent to an endpoint that a Secret "
            f"chose; put {remote.variable('ACCESS_KEY_ID')} and {remote.variable('SECRET_ACCESS_KEY')} into it"
        )
    ca_path = "" if layer.first(CA_BUNDLE_PEM) else layer.first(CA_BUNDLE)
    ca_pem = layer.first(CA_BUNDLE_PEM, CA_PEM)
    url = with_scheme(endpoint, secure=layer.flag("S3_USE_HTTPS", default=True)) if endpoint else _amazon(region)
    is_accelerated = layer.flag("S3_USE_ACCELERATE", default=False)
    if is_accelerated and _AMAZON_HOST.fullmatch(urlsplit(url).hostname or ""):
        url = _ACCELERATED
    return S3Access(
        endpoint=url,
        is_amazon=bool(_AMAZON_HOST.fullmatch(urlsplit(url).hostname or "")),
        region=region,
        access_key_id="" if wants_no_key else key,
        secret_access_key="" if wants_no_key else secret,
        session_token="" if wants_no_key else token,
        is_ambient=is_ambient,
        is_virtual_hosted=url == _ACCELERATED
        or not remote.is_on("FORCE_PATH_STYLE", default=True)
        or layer.flag("S3_USER_VIRTUAL_BUCKET", default=False),
        requester_pays=remote.is_on("REQUESTER_PAYS"),
        verify_tls=layer.flag("S3_VERIFY_SSL", default=not _skips_certificates(layer)),
        ca_pem=layer.file(CA_BUNDLE, ca_path) if ca_path else ca_pem,
    )


def _keys(layer: Layer, *, may_be_ambient: bool) -> tuple[str, str, str]:
    """Access key, secret and session token, all three from the same place."""
    remote = layer.remote
    if remote.text("ACCESS_KEY_ID") or remote.text("SECRET_ACCESS_KEY"):
        why = "a key and its secret go together"
        return (
            layer.need("ACCESS_KEY_ID", remote.text("ACCESS_KEY_ID"), why),
            layer.need("SECRET_ACCESS_KEY", remote.text("SECRET_ACCESS_KEY"), why),
            remote.text("SESSION_TOKEN"),
        )
    for env in (layer.env, layer.owners) if may_be_ambient and remote.is_on("ENV_AUTH") else (layer.env,):
        key, secret = first(env, "AWS_ACCESS_KEY_ID"), first(env, "AWS_SECRET_ACCESS_KEY")
        if bool(key) != bool(secret):
            missing = "AWS_SECRET_ACCESS_KEY" if key else "AWS_ACCESS_KEY_ID"
            raise StorageError(f"{missing} is missing: a key and its secret go together")
        if key:
            return key, secret, first(env, "AWS_SESSION_TOKEN")
    return "", "", ""


def _has_role(layer: Layer) -> bool:
    """Whether something says that this machine has a role: asking a metadata service that is not there takes long."""
    return layer.remote.is_on("ENV_AUTH") or (layer.is_owners and bool(layer.first(*_ROLES)))


def _skips_certificates(layer: Layer) -> bool:
    return layer.remote.is_on("NO_CHECK_CERTIFICATE") or layer.flag("RCLONE_NO_CHECK_CERTIFICATE", default=False)


def _amazon(region: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://s3.{region}.{suffix}"
