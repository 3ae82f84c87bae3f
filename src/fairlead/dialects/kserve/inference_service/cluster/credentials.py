"""Credentials of a transfer, as variables and volumes of the container that does it.

A cluster's world has Secrets without their values, so what a Secret is for is told by the keys that it has, and values
reach the container by reference alone. The first kind of credential whose key is there decides what a Secret is.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.config import CredentialsConfig, S3Config
from fairlead.dialects.kserve.inference_service.cluster.draft import Draft, add_env, add_mount

Json = dict[str, Any]

ROLE_ARN = "eks.amazonaws.com/role-arn"
_PREFIX = "serving.kserve.io/"
_GCS_FOLDER, _HDFS_FOLDER = "/var/secrets/", "/var/secrets/kserve-hdfscreds"
_AZURE_CLIENT = ("SUBSCRIPTION_ID", "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")
HEADERS_HOST, HEADERS = "FAIRLEAD_HEADERS_HOST", "FAIRLEAD_HEADERS"
_DOCKER = {"DOCKER_AUTH_CONFIG": ".dockerconfigjson"}
_HDFS = (
    "HDFS_NAMENODE", "HDFS_ROOTPATH", "USER_PROXY", "HEADERS", "TLS_CA", "TLS_SKIP_VERIFY", "N_THREADS",
    "KERBEROS_PRINCIPAL", "KERBEROS_KEYTAB", "TLS_CERT", "TLS_KEY",
)  # fmt: skip
_TOKENS = ("HF_TOKEN", "MODELSCOPE_API_TOKEN")
_GIT = ("GIT_USERNAME", "GIT_PASSWORD")


@dataclass(slots=True)
class Access:
    """What a container gets."""

    env: list[Json] = field(default_factory=list)
    volumes: list[Json] = field(default_factory=list)
    mounts: list[Json] = field(default_factory=list)


def give_credentials(draft: Draft, container: Json, *, account: str, secret: str = "") -> None:
    """The credentials of a service account, or those of one Secret in their place."""
    access = access_of(draft, account=account, secret=secret)
    add_env(container, access.env)
    for volume in access.volumes:
        draft.add_volume(volume)
    for mount in access.mounts:
        add_mount(container, mount)


def access_of(draft: Draft, *, account: str, secret: str = "") -> Access:
    """What a service account's Secrets stand for. One that is not there is nobody's."""
    config, world = draft.site.config.credentials, draft.site.world
    namespace, access = draft.template.namespace, Access()
    names = [secret] if secret else []
    if not secret:
        draft.mentions.append(("ServiceAccount", account))
        stored = world.get("ServiceAccount", namespace, account)
        if stored is None:
            return access
        annotations = stored["metadata"].get("annotations") or {}
        if annotations.get(ROLE_ARN):
            access.env += s3_variables({}, config.s3)
        names = [one["name"] for one in stored.get("secrets") or () if one.get("name")]
    for name in names:
        draft.mentions.append(("Secret", name))
        found = world.get("Secret", namespace, name)
        if found is not None:
            _read(found, config, access)
    return access


def s3_variables(annotations: Mapping[str, str], config: S3Config) -> list[Json]:
    """What a Secret's annotations and, where they say nothing, the installation say of a store."""

    def said(tail: str, default: str) -> str:
        return annotations.get(f"{_PREFIX}{tail}") or default

    endpoint, use_https = said("s3-endpoint", config.s3_endpoint), said("s3-usehttps", config.s3_use_https)
    values = {
        "S3_USE_HTTPS": use_https if endpoint else "",
        "S3_ENDPOINT": endpoint,
        "AWS_ENDPOINT_URL": f"{'http' if use_https == '0' else 'https'}://{endpoint}" if endpoint else "",
        "awsAnonymousCredential": said("s3-useanoncredential", config.s3_use_anonymous_credential),
        "AWS_DEFAULT_REGION": said("s3-region", config.s3_region),
        "S3_VERIFY_SSL": said("s3-verifyssl", config.s3_verify_ssl),
        "S3_USER_VIRTUAL_BUCKET": said("s3-usevirtualbucket", config.s3_use_virtual_bucket),
        "S3_USE_ACCELERATE": said("s3-useaccelerate", config.s3_use_accelerate),
        "AWS_CA_BUNDLE": said("s3-cabundle", config.s3_ca_bundle),
        "AWS_CA_BUNDLE_CONFIGMAP": said("s3-cabundle-configmap", config.s3_ca_bundle_config_map),
    }
    return [{"name": name, "value": value} for name, value in values.items() if value]


def from_secret(name: str, secret: str, key: str, *, is_optional: bool = False) -> Json:
    """A variable with a value of a Secret."""
    reference: Json = {"name": secret, "key": key}
    return {"name": name, "valueFrom": {"secretKeyRef": {**reference, **({"optional": True} if is_optional else {})}}}


def give_store(draft: Draft, container: Json, storage: Mapping[str, Any], findings: Findings) -> None:
    """The entry of the Secret of stores that a manifest's `storage` names. `parameters` go over it."""
    config, world = draft.site.config.credentials, draft.site.world
    name = draft.annotations.get(config.storage_secret_name_annotation) or config.storage_spec_secret_name
    draft.mentions.append(("Secret", name))
    stored = world.get("Secret", draft.template.namespace, name)
    parameters = {key: str(value) for key, value in (storage.get("parameters") or {}).items()}
    kind, asked = parameters.get("type", ""), storage.get("key") or ""
    wanted = [asked] if asked else [f"default_{kind}", "default"] if kind else ["default"]
    keys = (stored or {}).get("data") or {}
    found = next((key for key in wanted if key in keys), None)
    if asked and stored is not None and found is None:
        path = f"spec.{draft.template.role}.model.storage.key"
        findings.refuse(path, f"specified storage key {asked} not found in storage secret {name}")
    key = found or asked
    if key:
        add_env(container, [from_secret("STORAGE_CONFIG", name, key)])
    if parameters:
        add_env(container, [{"name": "STORAGE_OVERRIDE_CONFIG", "value": _json(parameters)}])


def _read(secret: Document, config: CredentialsConfig, access: Access) -> None:
    """What one Secret stands for."""
    keys, name = frozenset(secret.get("data") or ()), str(secret["metadata"]["name"])
    annotations = secret["metadata"].get("annotations") or {}
    for key_name, secret_name in (
        (config.s3.s3_access_key_id_name, config.s3.s3_secret_access_key_name),
        ("awsAccessKeyID", "awsSecretAccessKey"),
    ):
        if secret_name in keys:
            access.env += [
                from_secret("AWS_ACCESS_KEY_ID", name, key_name),
                from_secret("AWS_SECRET_ACCESS_KEY", name, secret_name),
                *s3_variables(annotations, config.s3),
            ]
            return
    if config.gcs.gcs_credential_file_name in keys:
        _google(name, config.gcs.gcs_credential_file_name, access)
        return
    for is_one, add in _KINDS:
        if is_one(keys):
            add(name, keys, access)
            return


def _google(secret: str, key: str, access: Access) -> None:
    access.volumes.append({"name": "user-gcp-sa", "secret": {"secretName": secret}})
    access.mounts.append({"name": "user-gcp-sa", "mountPath": _GCS_FOLDER, "readOnly": True})
    access.env.append({"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": f"{_GCS_FOLDER}{key}"})


def _headers(secret: str, keys: frozenset[str], access: Access) -> None:
    """A web server's headers. KServe calls their variable by the server, which is a value that is not known here, so
    that our storage initializer is told both and makes it itself."""
    access.env += _named(secret, keys, {HEADERS_HOST: "https-host", HEADERS: "headers"})


def _hadoop(secret: str, keys: frozenset[str], access: Access) -> None:
    """As files for KServe's initializer, as variables for ours."""
    access.env += _named(secret, keys, {name: name for name in _HDFS})
    access.volumes.append({"name": "hdfs-secrets", "secret": {"secretName": secret}})
    access.mounts.append({"name": "hdfs-secrets", "mountPath": _HDFS_FOLDER, "readOnly": True})


def _azure_client(secret: str, keys: frozenset[str], access: Access) -> None:
    """A service principal, by either of the prefixes that are in use."""
    prefix = "AZURE_" if "AZURE_CLIENT_ID" in keys else "AZ_"
    access.env += _named(secret, keys, {f"AZURE_{tail}": f"{prefix}{tail}" for tail in _AZURE_CLIENT})


def _plain(*names: str) -> Callable[[str, frozenset[str], Access], None]:
    """Variables that are called as their keys."""

    def add(secret: str, keys: frozenset[str], access: Access) -> None:
        access.env += _named(secret, keys, {name: name for name in names})

    return add


def _named(secret: str, keys: frozenset[str], wanted: Mapping[str, str]) -> Iterator[Json]:
    yield from (from_secret(name, secret, key) for name, key in wanted.items() if key in keys)


def _has(*names: str) -> Callable[[frozenset[str]], bool]:
    return lambda keys: any(name in keys for name in names)


_KINDS: Sequence[tuple[Callable[[frozenset[str]], bool], Callable[[str, frozenset[str], Access], None]]] = (
    (_has("AZURE_CLIENT_ID", "AZ_CLIENT_ID"), _azure_client),
    (_has("AZURE_ACCESS_TOKEN"), _plain("AZURE_ACCESS_TOKEN")),
    (_has("AZURE_STORAGE_ACCESS_KEY"), _plain("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCESS_KEY")),
    (_has("https-host"), _headers),
    (_has("HDFS_NAMENODE"), _hadoop),
    (_has(*_TOKENS), _plain(*_TOKENS, "HF_ENDPOINT")),
    (_has(*_GIT), _plain(*_GIT)),
    (_has(*_DOCKER.values()), lambda secret, keys, access: access.env.extend(_named(secret, keys, _DOCKER))),
)
"""Kinds of credentials by their keys, in the order in which they are looked for."""


def _json(value: Mapping[str, str]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
