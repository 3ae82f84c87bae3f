"""Rules of the core kinds: defaults, checks and columns, as far as they mean something without a cluster."""

import base64
import binascii
import re
from datetime import datetime
from typing import Any

from fairlead.control import faults
from fairlead.control.api.tables import AGE, Layout, age, layout_of
from fairlead.control.ledger import Document
from fairlead.dialects.base import Column
from fairlead.errors import Problem

_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_DATA_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_DATA_LIMIT = 1024 * 1024
_TYPED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def fold_string_data(document: Document) -> Document:
    """`stringData` becomes part of `data` and is never stored."""
    plain = document.get("stringData") or {}
    result = {key: value for key, value in document.items() if key != "stringData"}
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        result["data"] = {**(document.get("data") or {}), **encoded}
    return result


def prepare_secret(document: Document) -> Document:
    """A type is always there."""
    return {"type": "Opaque", **document}


def check_secret(new: Document, old: Document | None) -> list[Problem]:
    """Values must be base64, and a type's keys must be there. No message holds a value."""
    data = new.get("data") or {}
    found = _key_problems("data", data)
    for key, value in data.items():
        if not _is_base64(value):
            found.append(faults.problem(f"data[{key}]", "Invalid value: illegal base64 data"))
    for key in _TYPED_KEYS.get(new["type"], ()):
        if key not in data:
            found.append(faults.problem(f"data[{key}]", "Required value", cause="FieldValueRequired"))
    if sum(len(value or "") for value in data.values()) > _DATA_LIMIT:
        found.append(faults.problem("data", f"Too long: must have at most {_DATA_LIMIT} bytes"))
    if old is not None and old.get("type") != new["type"]:
        found.append(faults.problem("type", f'Invalid value: "{new["type"]}": field is immutable'))
    return found + _immutable_problems(new, old, ("data",), "secret")


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode(value or "", validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def check_config_map(new: Document, old: Document | None) -> list[Problem]:
    """Keys must be usable as file names, and one key holds one value."""
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    found = _key_problems("data", data) + _key_problems("binaryData", binary)
    for key in sorted(data.keys() & binary.keys()):
        found.append(faults.problem(f"data[{key}]", "Invalid value: duplicate of key present in binaryData"))
    if sum(len(value) for value in (*data.values(), *binary.values())) > _DATA_LIMIT:
        found.append(faults.problem("", f"Too long: must have at most {_DATA_LIMIT} bytes", cause="FieldValueTooLong"))
    return found + _immutable_problems(new, old, ("data", "binaryData"), "configmap")


def _key_problems(field: str, data: dict[str, Any]) -> list[Problem]:
    return [
        faults.problem(f"{field}[{key}]", f'Invalid value: "{key}": {_DATA_KEY_TEXT}')
        for key in data
        if _DATA_KEY.fullmatch(key) is None or key in (".", "..")
    ]


def _immutable_problems(new: Document, old: Document | None, fields: tuple[str, ...], what: str) -> list[Problem]:
    if old is None or not old.get("immutable"):
        return []
    changed = [field for field in fields if (old.get(field) or {}) != (new.get(field) or {})]
    if not new.get("immutable"):
        changed.append("immutable")
    text = f"Forbidden: field is immutable when `immutable` is set on this {what}"
    return [faults.problem(field, text, cause="FieldValueForbidden") for field in changed]


def prepare_namespace(document: Document) -> Document:
    """The finalizer that clients expect to see."""
    return {**document, "spec": {"finalizers": ["kubernetes"]}}


def active_namespace(_document: Document) -> dict[str, Any]:
    """A namespace is usable at once."""
    return {"phase": "Active"}


def prepare_claim(document: Document) -> Document:
    """A claim is a folder here, so it is bound to a volume of its own name."""
    spec = dict(document.get("spec") or {})
    spec.setdefault("volumeMode", "Filesystem")
    spec.setdefault("volumeName", f"folder-{document['metadata'].get('name', '')}")
    return {**document, "spec": spec}


def check_claim(new: Document, _old: Document | None) -> list[Problem]:
    """What every Kubernetes asks of a claim."""
    spec = new["spec"]
    found = []
    if not spec.get("accessModes"):
        text = "Required value: at least 1 access mode is required"
        found.append(faults.problem("spec.accessModes", text, cause="FieldValueRequired"))
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        found.append(faults.problem("spec.resources[storage]", "Required value", cause="FieldValueRequired"))
    return found


def bound_claim(document: Document) -> dict[str, Any]:
    """A folder needs no provisioning."""
    spec = document["spec"]
    return {
        "phase": "Bound",
        "accessModes": spec.get("accessModes", []),
        "capacity": (spec.get("resources") or {}).get("requests", {}),
    }


def check_event(new: Document, _old: Document | None) -> list[Problem]:
    """An event lives in the namespace of what it is about."""
    involved = new["involvedObject"].get("namespace") or "default"
    if involved != new["metadata"]["namespace"]:
        text = f'Invalid value: "{involved}": does not match event.namespace'
        return [faults.problem("involvedObject.namespace", text, value=involved)]
    return []


def event_v1(document: Document) -> Document:
    """A core/v1 Event as events.k8s.io/v1 shows it."""
    kept = ("metadata", "reason", "type", "action", "eventTime", "related", "reportingInstance")
    renamed = {
        "involvedObject": "regarding",
        "message": "note",
        "reportingComponent": "reportingController",
        "count": "deprecatedCount",
        "firstTimestamp": "deprecatedFirstTimestamp",
        "lastTimestamp": "deprecatedLastTimestamp",
        "source": "deprecatedSource",
    }
    result = {key: document[key] for key in kept if key in document}
    return result | {new: document[old] for old, new in renamed.items() if old in document}


def _column(name: str, type_: str = "string", *, path: str = "", wide: bool = False) -> Column:
    return Column(name=name, type=type_, path=path, priority=1 if wide else 0)


NAMESPACE_LAYOUT = layout_of((_column("Status", path=".status.phase"),))


def _born(document: Document, now: datetime) -> str:
    return age(document["metadata"].get("creationTimestamp"), now)


SECRET_LAYOUT = Layout(
    (_column("Type", path=".type"), _column("Data", "integer", path=".data"), AGE),
    lambda document, now: [document.get("type", ""), len(document.get("data") or {}), _born(document, now)],
)
CONFIG_MAP_LAYOUT = Layout(
    (_column("Data", "integer", path=".data"), AGE),
    lambda document, now: [
        len(document.get("data") or {}) + len(document.get("binaryData") or {}),
        _born(document, now),
    ],
)
SERVICE_ACCOUNT_LAYOUT = Layout(
    (_column("Secrets", "integer", path=".secrets"), AGE),
    lambda document, now: [len(document.get("secrets") or ()), _born(document, now)],
)

_SHORT_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _claim_cells(document: Document, now: datetime) -> list[Any]:
    status, spec = document.get("status") or {}, document["spec"]
    return [
        status.get("phase", ""),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", ""),
        ",".join(_SHORT_MODES.get(mode, mode) for mode in status.get("accessModes") or ()),
        spec.get("storageClassName", ""),
        _born(document, now),
        spec.get("volumeMode", ""),
    ]


CLAIM_LAYOUT = Layout(
    (
        _column("Status", path=".status.phase"),
        _column("Volume", path=".spec.volumeName"),
        _column("Capacity", path=".status.capacity.storage"),
        _column("Access Modes", path=".status.accessModes"),
        _column("StorageClass", path=".spec.storageClassName"),
        AGE,
        _column("VolumeMode", path=".spec.volumeMode", wide=True),
    ),
    _claim_cells,
)


def _event_cells(document: Document, now: datetime) -> list[Any]:
    involved = document.get("involvedObject") or document.get("regarding") or {}
    count = document.get("count") or document.get("deprecatedCount") or 1
    last = document.get("lastTimestamp") or document.get("deprecatedLastTimestamp") or document.get("eventTime")
    first = document.get("firstTimestamp") or document.get("deprecatedFirstTimestamp") or document.get("eventTime")
    source = document.get("source") or document.get("deprecatedSource") or {}
    message = str(document.get("message") or document.get("note") or "").strip()
    seen = age(last, now) if last else _born(document, now)
    if int(count) > 1:
        seen = f"{seen} (x{count} over {age(first, now)})"
    return [
        seen,
        document.get("type", ""),
        document.get("reason", ""),
        f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}",
        involved.get("fieldPath", ""),
        source.get("component", ""),
        message,
        age(first, now) if first else "",
        count,
        document["metadata"]["name"],
    ]


EVENT_LAYOUT = Layout(
    (
        _column("Last Seen"),
        _column("Type"),
        _column("Reason"),
        _column("Object"),
        _column("Subobject", wide=True),
        _column("Source", wide=True),
        _column("Message"),
        _column("First Seen", wide=True),
        _column("Count", "integer", wide=True),
        _column("Name", wide=True),
    ),
    _event_cells,
    starts_with_name=False,
)


def _pod_cells(document: Document, now: datetime) -> list[Any]:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    containers = status.get("containerStatuses") or []
    ready = sum(1 for container in containers if container.get("ready"))
    return [
        f"{ready}/{len(spec.get('containers') or containers)}",
        _pod_state(document, status, containers),
        max((int(container.get("restartCount") or 0) for container in containers), default=0),
        _born(document, now),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        "<none>",
        "<none>",
    ]


def _pod_state(document: Document, status: dict[str, Any], containers: list[dict[str, Any]]) -> str:
    if "deletionTimestamp" in document["metadata"]:
        return "Terminating"
    for container in containers:
        state = container.get("state") or {}
        for phase in ("waiting", "terminated"):
            if state.get(phase, {}).get("reason"):
                return str(state[phase]["reason"])
    return str(status.get("reason") or status.get("phase") or "Unknown")


POD_LAYOUT = Layout(
    (
        _column("Ready"),
        _column("Status"),
        _column("Restarts"),
        AGE,
        _column("IP", wide=True),
        _column("Node", wide=True),
        _column("Nominated Node", wide=True),
        _column("Readiness Gates", wide=True),
    ),
    _pod_cells,
)
