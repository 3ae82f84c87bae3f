"""Who we are to a store: from environment variables (rclone remotes, the clouds' own names) to one typed value.

Pure but for `read_file`: checks happen before anything is asked of a store, and messages name variables, not values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead.storage import remotes
from fairlead.storage.clouds import azure, gcs, s3
from fairlead.storage.clouds.layer import Layer, ReadFile
from fairlead.storage.remotes import Remote
from fairlead.storage.uris import RemoteUri

_BUILT_IN = {"GS": "gcs", "S3": "s3", "AZ": "azureblob", "AZBLOB": "azureblob", "AZUREBLOB": "azureblob"}
_TYPES = {"s3": "s3", "google cloud storage": "gcs", "gcs": "gcs", "azureblob": "azureblob"}
_VARIABLES = {"s3": s3.VARIABLES, "gcs": gcs.VARIABLES, "azureblob": azure.VARIABLES}
_OPTIONS = {"s3": s3.OPTIONS, "gcs": gcs.OPTIONS, "azureblob": azure.OPTIONS}
_S3_KEYS = (("awsAccessKeyID", "awsSecretAccessKey"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
_PASSED_ON = re.compile(r"(AWS|AZURE|AZ|GOOGLE|S3)_[A-Z0-9_]+|RCLONE_CONFIG_[A-Z0-9_]+|HF_TOKEN")


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


def from_secret(values: Mapping[str, bytes], annotations: Mapping[str, str]) -> dict[str, str]:
    """The environment that a ServiceAccount's Secret stands for; empty if it holds no credential we know.

    The first kind that matches decides: S3 keys (with endpoint, region and TLS in annotations, under any prefix), a
    Google credential file, Azure's and others' own variables.
    """
    text = {name: value.decode(errors="replace").strip() for name, value in values.items()}
    for key_name, secret_name in _S3_KEYS:
        if text.get(secret_name):
            keys = {"AWS_ACCESS_KEY_ID": text.get(key_name, ""), "AWS_SECRET_ACCESS_KEY": text[secret_name]}
            return keys | _s3_annotations(annotations)
    if credentials := text.get("gcloud-application-credentials.json"):
        return {"GOOGLE_SERVICE_ACCOUNT_KEY": credentials}
    return {name: value for name, value in text.items() if _PASSED_ON.fullmatch(name)}


def _s3_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    tails = {name.rpartition("/")[2]: value.strip() for name, value in annotations.items()}
    return {
        variable: tails[tail]
        for tail, variable in (
            ("s3-endpoint", "S3_ENDPOINT"),
            ("s3-region", "AWS_REGION"),
            ("s3-verifyssl", "S3_VERIFY_SSL"),
            ("s3-usehttps", "S3_USE_HTTPS"),
            ("s3-useanoncredential", "awsAnonymousCredential"),
            ("s3-usevirtualbucket", "S3_USER_VIRTUAL_BUCKET"),
        )
        if tails.get(tail)
    }


def _by_rclone(remote: Remote, env: Mapping[str, str], why: str) -> RcloneAccess:
    only = {name: value for name, value in env.items() if name.startswith(remotes.PREFIX)}
    return RcloneAccess(remote=remote, env=only, why=why)
