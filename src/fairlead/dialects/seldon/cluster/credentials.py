"""Credentials as Seldon Core took them before Secrets were named: from the Secrets of a ServiceAccount, told apart by
their keys. A ServiceAccount or a Secret that is not there stops nothing, as upstream; it is a warning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.seldon.cluster.raw import Json
from fairlead.dialects.seldon.cluster.site import Site

_PREFIXES = ("machinelearning.seldon.io/", "serving.kubeflow.org/")
_GCS_VOLUME, _GCS_FOLDER = "user-gcp-sa", "/var/secrets/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What an init container gets of them."""

    env: tuple[Json, ...] = ()
    mounts: tuple[Json, ...] = ()
    volumes: tuple[Json, ...] = ()


def mentions_of(site: Site, account: str) -> tuple[tuple[str, str], ...]:
    """The objects that `credentials_of` reads."""
    if not account:
        return ()
    return ("ServiceAccount", account), *(("Secret", name) for name in _secret_names(site, account))


def credentials_of(site: Site, account: str) -> Credentials:
    """The credentials of a ServiceAccount's Secrets; none without a name."""
    if not account:
        return Credentials()
    if site.world.get("ServiceAccount", site.namespace, account) is None:
        site.findings.warn(f"ServiceAccount {account} is not in namespace {site.namespace}; its Secrets are not used")
    env: list[Json] = []
    mounts: list[Json] = []
    volumes: list[Json] = []
    for name in _secret_names(site, account):
        secret = site.world.get("Secret", site.namespace, name)
        if secret is None:
            site.findings.warn(f"Secret {name} of ServiceAccount {account} is not in namespace {site.namespace}")
            continue
        keys = secret.get("data") or {}
        s3, gcs = _table(site, "s3"), _table(site, "gcs")
        secret_key = str(s3.get("s3SecretAccessKeyName") or "awsSecretAccessKey")
        file = str(gcs.get("gcsCredentialFileName") or "gcloud-application-credentials.json")
        if secret_key in keys:
            access_key = str(s3.get("s3AccessKeyIDName") or "awsAccessKeyID")
            env += [_key("AWS_ACCESS_KEY_ID", name, access_key), _key("AWS_SECRET_ACCESS_KEY", name, secret_key)]
            env += _s3(secret)
        elif file in keys:
            env.append({"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": f"{_GCS_FOLDER}{file}"})
            mounts.append({"name": _GCS_VOLUME, "mountPath": _GCS_FOLDER, "readOnly": True})
            volumes.append({"name": _GCS_VOLUME, "secret": {"secretName": name}})
    return Credentials(env=tuple(env), mounts=tuple(mounts), volumes=tuple(volumes))


def _secret_names(site: Site, account: str) -> list[str]:
    found = site.world.get("ServiceAccount", site.namespace, account) or {}
    return [str(item["name"]) for item in found.get("secrets") or [] if item.get("name")]


def _table(site: Site, name: str) -> Mapping[str, Any]:
    found = site.installation.tables["credentials"].get(name)
    return found if isinstance(found, Mapping) else {}


def _key(variable: str, secret: str, key: str) -> Json:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _s3(secret: Mapping[str, Any]) -> list[Json]:
    """Where the store is, which the Secret's annotations say."""
    annotations = (secret.get("metadata") or {}).get("annotations") or {}

    def said(name: str) -> str:
        return next((str(annotations[prefix + name]) for prefix in _PREFIXES if annotations.get(prefix + name)), "")

    endpoint, uses_https = said("s3-endpoint"), said("s3-usehttps")
    scheme = "http" if uses_https == "0" else "https"
    variables = {
        "S3_USE_HTTPS": uses_https if endpoint else "",
        "S3_ENDPOINT": endpoint,
        "AWS_ENDPOINT_URL": f"{scheme}://{endpoint}" if endpoint else "",
        "AWS_REGION": said("s3-region"),
        "S3_VERIFY_SSL": said("s3-verifyssl"),
    }
    return [{"name": name, "value": value} for name, value in variables.items() if value]
