"""Google Cloud Storage: public buckets need nothing; service accounts come as JSON, as a file, or from the machine."""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairlead.errors import StorageError
from fairlead.storage.clouds.layer import (
    Layer,
    Timeouts,
    client_options,
    refuse_process_variables,
    retries,
    with_scheme,
)

if TYPE_CHECKING:
    from obstore.store import GCSConfig, GCSCredential, ObjectStore

VARIABLES = ("GOOGLE_",)
_USED = {"ENV_AUTH", "ANONYMOUS", "SERVICE_ACCOUNT_CREDENTIALS", "SERVICE_ACCOUNT_FILE", "ACCESS_TOKEN", "ENDPOINT"}
_FOR_WRITING_OR_SPEED = {
    "PROJECT_NUMBER", "OBJECT_ACL", "BUCKET_ACL", "BUCKET_POLICY_ONLY", "LOCATION", "STORAGE_CLASS", "NO_CHECK_BUCKET",
    "DIRECTORY_MARKERS", "DESCRIPTION", "ENCODING", "CHUNK_SIZE",
}  # fmt: skip
OPTIONS = frozenset(_USED | _FOR_WRITING_OR_SPEED)
_ENDPOINT = "https://storage.googleapis.com"
_KINDS = ("service_account", "authorized_user")


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsAccess:
    """Google Cloud Storage. Without a key or token requests are unsigned, unless `is_ambient`."""

    endpoint: str = _ENDPOINT
    key_json: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    is_ambient: bool = False

    @property
    def is_anonymous(self) -> bool:
        """Whether requests carry no credential: enough for public buckets."""
        return not (self.key_json or self.token or self.is_ambient)

    @property
    def caller(self) -> str:
        """Tells one caller from another without holding the secret."""
        digest = hashlib.sha256(f"{self.key_json}\0{self.token}".encode()).hexdigest()
        return f"ambient={self.is_ambient} {digest}"

    def name(self, bucket: str, key: str) -> str:
        """The canonical place."""
        return f"gs://{bucket}/{key}" if self.endpoint == _ENDPOINT else f"{self.endpoint}/{bucket}/{key}"

    def hint(self) -> str:
        """What to say beside a refusal."""
        return "requests were anonymous: no Google credentials are configured" if self.is_anonymous else ""

    def open(self, bucket: str, timeouts: Timeouts) -> "ObjectStore":
        """The bucket, with exactly this credential."""
        from obstore.store import GCSStore

        options = client_options(self.endpoint, timeouts)
        config: GCSConfig = {"base_url": self.endpoint, "skip_signature": self.is_anonymous}
        if self.token:
            return GCSStore(
                bucket, config=config, client_options=options, retry_config=retries(), credential_provider=self._bearer
            )
        if self.key_json:
            refuse_process_variables(("GOOGLE_BEARER_TOKEN",), "Google")
        with self._credential_file() as path:
            if path:
                config["application_credentials"] = path
            elif self.key_json:
                config["service_account_key"] = self.key_json
            return GCSStore(bucket, config=config, client_options=options, retry_config=retries())

    @contextlib.contextmanager
    def _credential_file(self) -> Iterator[str]:
        """obstore takes a user's credential (gcloud auth) as a file only, and reads it while opening."""
        if not self.key_json or json.loads(self.key_json)["type"] == "service_account":
            yield ""
            return
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(self.key_json)
            file.flush()
            yield file.name

    def _bearer(self) -> "GCSCredential":
        return {"token": self.token, "expires_at": None}


def read(layer: Layer) -> GcsAccess:
    """The access these variables describe."""
    remote = layer.remote
    asked_endpoint = layer.option("ENDPOINT", "GOOGLE_BASE_URL")
    endpoint = with_scheme(asked_endpoint) if asked_endpoint else _ENDPOINT
    if remote.is_on("ANONYMOUS"):
        return GcsAccess(endpoint=endpoint)
    if token := layer.option("ACCESS_TOKEN", "GOOGLE_BEARER_TOKEN"):
        return GcsAccess(endpoint=endpoint, token=token)
    if key := _key(layer):
        return GcsAccess(endpoint=endpoint, key_json=key)
    if not remote.is_on("ENV_AUTH"):
        return GcsAccess(endpoint=endpoint)
    if asked_endpoint and not layer.is_owners:
        raise StorageError(
            f"{remote.variable('ENV_AUTH')}: the server's own credentials are not sent to an endpoint that a Secret "
            f"chose; put {remote.variable('SERVICE_ACCOUNT_CREDENTIALS')} into it"
        )
    return GcsAccess(endpoint=endpoint, is_ambient=True)


def _key(layer: Layer) -> str:
    remote = layer.remote
    if text := remote.text("SERVICE_ACCOUNT_CREDENTIALS"):
        return _checked(remote.variable("SERVICE_ACCOUNT_CREDENTIALS"), text)
    if path := remote.text("SERVICE_ACCOUNT_FILE"):
        variable = remote.variable("SERVICE_ACCOUNT_FILE")
        return _checked(variable, layer.file(variable, path))
    if text := layer.first("GOOGLE_SERVICE_ACCOUNT_KEY"):
        return _checked("GOOGLE_SERVICE_ACCOUNT_KEY", text)
    for variable in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT"):
        if path := layer.first(variable):
            return _checked(variable, layer.file(variable, path))
    return ""


def _checked(variable: str, text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        raise StorageError(f"{variable} is not JSON; it must hold the credential file's text") from None
    kind = value.get("type", "service_account") if isinstance(value, dict) else None
    if kind not in _KINDS:
        raise StorageError(f"{variable}: credentials of type {kind!r} cannot be used; accepted: {', '.join(_KINDS)}")
    return json.dumps({**value, "type": kind})
