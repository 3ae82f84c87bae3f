"""Who we are to a store: from environment variables (rclone remotes, the clouds' own names) to one typed value.

Pure but for `read_file`: checks happen before anything is asked of a store, and messages name variables, not values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.storage import hdfs, hub, registry, remotes, repositories
from fairlead.storage.clouds import azure, gcs, s3
from fairlead.storage.clouds.layer import CA_PEM, Layer, ReadFile
from fairlead.storage.oci import logins
from fairlead.storage.remotes import Remote
from fairlead.storage.uris import RemoteUri

_BUILT_IN = {"GS": "gcs", "S3": "s3", "AZ": "azureblob", "AZBLOB": "azureblob", "AZUREBLOB": "azureblob"}
_TYPES = {"s3": "s3", "google cloud storage": "gcs", "gcs": "gcs", "azureblob": "azureblob"}
_VARIABLES = {"s3": s3.VARIABLES, "gcs": gcs.VARIABLES, "azureblob": azure.VARIABLES}
_OPTIONS = {"s3": s3.OPTIONS, "gcs": gcs.OPTIONS, "azureblob": azure.OPTIONS}
_S3_KEYS = (("awsAccessKeyID", "awsSecretAccessKey"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
_S3_SETTINGS = (
    ("s3-endpoint", "s3Endpoint", "S3_ENDPOINT"),
    ("s3-region", "s3Region", "AWS_REGION"),
    ("s3-verifyssl", "s3VerifySSL", "S3_VERIFY_SSL"),
    ("s3-usehttps", "s3UseHttps", "S3_USE_HTTPS"),
    ("s3-useanoncredential", "s3UseAnonymousCredential", "awsAnonymousCredential"),
    ("s3-usevirtualbucket", "s3UseVirtualBucket", "S3_USER_VIRTUAL_BUCKET"),
    ("s3-useaccelerate", "s3UseAccelerate", "S3_USE_ACCELERATE"),
    ("s3-cabundle-configmap", "s3CABundleConfigMap", "AWS_CA_BUNDLE_CONFIGMAP"),
    ("s3-cabundle", "s3CABundle", "AWS_CA_BUNDLE"),
)
"""The end of an annotation's name, the setting of an installation that it goes before, and the variable."""
_GOOGLE_FILE = "gcloud-application-credentials.json"
_DOCKER_SECRETS = (".dockerconfigjson", ".dockercfg")
_PASSED_ON = re.compile(
    r"(AWS|AZURE|AZ|GOOGLE|S3)_[A-Z0-9_]+|RCLONE_CONFIG_[A-Z0-9_]+|STORAGE_(ALLOW|IGNORE)_PATTERNS|"
    + "|".join((*hub.VARIABLES, *registry.VARIABLES, *repositories.VARIABLES, logins.VARIABLE))
)
CA_BUNDLES = (
    ("AWS_CA_BUNDLE_CONFIGMAP", s3.CA_BUNDLE, s3.CA_BUNDLE_PEM),
    ("CA_BUNDLE_CONFIGMAP_NAME", "", CA_PEM),
)
"""Variables that name a ConfigMap with a CA bundle, the file in it (else `cabundle.crt`), and what has its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RcloneAccess:
    """A remote that only the rclone program speaks, with all remotes' variables (remotes may wrap others)."""

    remote: Remote
    env: Mapping[str, str] = field(repr=False)
    why: str


Access = s3.S3Access | gcs.GcsAccess | azure.AzureAccess | RcloneAccess


def resolve(uri: RemoteUri, env: Mapping[str, str], *, defaults: Mapping[str, str], read_file: ReadFile) -> Access:
    """The access a URI's remote asks for. Raises StorageError naming the variable that is missing or wrong."""
    name = remotes.remote_name(uri.remote)
    mine, owners = remotes.partly_configured(name, env), remotes.partly_configured(name, defaults)
    remote = mine or owners or Remote(name=name, type="", options={})
    written = (remote.type or _BUILT_IN.get(name, "")).lower()
    if not written:
        raise remotes.unknown_remote(str(uri), uri.remote, {**defaults, **env})
    kind = _TYPES.get(written, "")
    if not kind:
        return _by_rclone(remote, env if mine else defaults, f"remotes of type {written!r}")
    speaks = mine is not None or any(variable.startswith(_VARIABLES[kind]) for variable in env)
    if not speaks and owners is None and kind == "s3" and remotes.configured(env):
        # Somebody wrote a Secret for another name: an anonymous request would only fail later and say less.
        raise remotes.unknown_remote(str(uri), uri.remote, {**defaults, **env})
    if unknown := remote.other_than(_OPTIONS[kind]):
        return _by_rclone(remote, env if mine else defaults, f"the option {remote.variable(unknown[0])}")
    layer = Layer(
        remote=mine or Remote(name=name, type="", options={}) if speaks else remote,
        env=env if speaks else defaults,
        owners=defaults,
        is_owners=not speaks,
        read_file=read_file,
    )
    if kind == "s3":
        return s3.read(layer)
    return gcs.read(layer) if kind == "gcs" else azure.read(uri, layer)


def from_secret(
    values: Mapping[str, bytes], annotations: Mapping[str, str], settings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment that a ServiceAccount's Secret stands for; empty if it holds no credential we know.

    The first kind that matches decides: S3 keys (with endpoint, region and TLS in annotations, under any prefix), a
    Google credential file, a web server's headers, a Hadoop cluster, logins of registries, Azure's and others' own
    variables. `settings` are an installation's for S3 where annotations say nothing, and what it calls the keys
    (`s3AccessKeyIDName`, `s3SecretAccessKeyName`, `gcsCredentialFileName`).
    """
    given = settings or {}
    text = {name: value.decode(errors="replace").strip() for name, value in values.items()}
    named = (
        given.get("s3AccessKeyIDName") or "AWS_ACCESS_KEY_ID",
        given.get("s3SecretAccessKeyName") or "AWS_SECRET_ACCESS_KEY",
    )
    for key_name, secret_name in (named, *_S3_KEYS):
        if text.get(secret_name):
            keys = {"AWS_ACCESS_KEY_ID": text.get(key_name, ""), "AWS_SECRET_ACCESS_KEY": text[secret_name]}
            return keys | s3_settings(annotations, given)
    if credentials := text.get(given.get("gcsCredentialFileName") or _GOOGLE_FILE):
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": credentials}
    if host := text.get("https-host"):
        return {f"{host}-headers": text.get("headers", "")}
    if text.get("HDFS_NAMENODE"):
        return {name: text[name] for name in hdfs.VARIABLES if text.get(name)}
    for name in _DOCKER_SECRETS:
        if text.get(name):
            return {logins.VARIABLE: text[name] if name == ".dockerconfigjson" else _as_config(text[name])}
    return {name: value for name, value in text.items() if _PASSED_ON.fullmatch(name)}


def merged(environments: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What several Secrets stand for together: of two values the later, and the logins of all registries."""
    env: dict[str, str] = {}
    for one in environments:
        env |= one
    configs = [one[logins.VARIABLE] for one in environments if one.get(logins.VARIABLE)]
    return env | {logins.VARIABLE: logins.merged(configs)} if len(configs) > 1 else env


def s3_settings(annotations: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """The variables that annotations (under any prefix) and, where they say nothing, settings stand for."""
    tails = {name.rpartition("/")[2]: value.strip() for name, value in annotations.items()}
    found = {variable: tails.get(tail) or settings.get(name, "") for tail, name, variable in _S3_SETTINGS}
    return {variable: value for variable, value in found.items() if value}


def _as_config(auths: str) -> str:
    """The older form of a registry Secret: what a configuration has under `auths`."""
    return f'{{"auths": {auths}}}'


def _by_rclone(remote: Remote, env: Mapping[str, str], why: str) -> RcloneAccess:
    only = {name: value for name, value in env.items() if name.startswith(remotes.PREFIX)}
    return RcloneAccess(remote=remote, env=only, why=why)
