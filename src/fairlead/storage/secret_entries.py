"""A store as KServe's `storage-config` Secret describes it: one JSON entry per store, by key.

    {"type": "s3", "access_key_id": …, "secret_access_key": …, "endpoint_url": …, "region": …, "bucket": …,
     "anonymous": …, "verify_ssl": …, "ca_bundle": …, "cabundle_configmap": …}

A manifest names an entry and a path in it; `resolve` makes of both the URI and the variables that a transfer takes.
Messages are KServe's own, and hold no value of the entry.
"""

import json
from collections.abc import Mapping
from typing import Any

from fairlead.errors import StorageError
from fairlead.storage import hdfs

_TYPES = ("s3", "hdfs", "webhdfs")
_NEED_A_BUCKET = frozenset({"s3"})
_S3_VARIABLES = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "endpoint_url": "AWS_ENDPOINT_URL",
    "region": "AWS_DEFAULT_REGION",
    "anonymous": "awsAnonymousCredential",
    "verify_ssl": "S3_VERIFY_SSL",
    "ca_bundle": "AWS_CA_BUNDLE",
    "cabundle_configmap": "AWS_CA_BUNDLE_CONFIGMAP",
}


def resolve(
    values: Mapping[str, bytes],
    *,
    secret: str,
    key: str = "",
    path: str = "",
    parameters: Mapping[str, str] | None = None,
) -> tuple[str, dict[str, str]]:
    """The URI and the variables for a path of the store that an entry of the Secret `secret` describes. Without a key
    the entry is `default_<type>`, else `default`; `parameters` replace fields of the entry. Raises StorageError."""
    overrides = {name: value for name, value in (parameters or {}).items() if value}
    entry = _entry(values, secret, key, overrides.get("type", "")) | overrides
    kind = _text(entry.get("type"))
    if not kind:
        raise StorageError("unable to determine storage type")
    if kind not in _TYPES:
        raise StorageError(f"storage type must be one of [{', '.join(_TYPES)}]. storage type [{kind}] is not supported")
    bucket = _text(entry.get("bucket"))
    if kind in _NEED_A_BUCKET and not bucket:
        raise StorageError(f"format [{kind}] requires a bucket but one wasn't found in storage data or parameters")
    place = "/".join(part for part in (bucket if kind in _NEED_A_BUCKET else "", path.strip("/")) if part)
    return f"{kind}://{place}", _variables(kind, entry)


def _entry(values: Mapping[str, bytes], secret: str, key: str, kind: str) -> dict[str, Any]:
    wanted = (key,) if key else tuple(name for name in (f"default_{kind}" if kind else "", "default") if name)
    found = next((name for name in wanted if name in values), None)
    if found is None and key:
        raise StorageError(f"specified storage key {key} not found in storage secret {secret}")
    if found is None:
        # Parameters alone may be enough: a store that asks for no login.
        return {}
    try:
        entry = json.loads(values[found])
    except ValueError as error:
        # The decoder's own words quote nothing of the text but its place.
        said = error.msg if isinstance(error, json.JSONDecodeError) else "not text in UTF-8"
        raise StorageError(f"invalid json encountered in key {found} of storage secret {secret}: {said}") from None
    if not isinstance(entry, dict):
        raise StorageError(f"invalid json encountered in key {found} of storage secret {secret}: not an object")
    return entry


def _variables(kind: str, entry: Mapping[str, Any]) -> dict[str, str]:
    if kind == "s3":
        found = {name: _text(entry.get(field)) for field, name in _S3_VARIABLES.items()}
        found["AWS_REGION"] = found["AWS_DEFAULT_REGION"]
        return {name: text for name, text in found.items() if text}
    return {name: text for name in hdfs.VARIABLES if (text := _text(entry.get(name)))}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value).strip()
