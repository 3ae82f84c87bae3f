"""What the API server itself decides about an object: names, uid, generation, times, finalizers. Pure.

Nothing here reads a clock or makes randomness; both are handed in.
"""

import re
from copy import deepcopy
from typing import Any

from fairlead.control import faults
from fairlead.control.ledger import Document
from fairlead.dialects.base import Kind
from fairlead.errors import BadRequest, Problem

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{_SUBDOMAIN.pattern}')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    f"'{_LABEL.pattern}')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_LABEL_VALUE.pattern}')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_QUALIFIED.pattern}')"
)
_ANNOTATIONS_LIMIT = 256 * 1024
# Kubernetes shortens the given part so that name and suffix fit 63 characters.
_GENERATED_PREFIX = 58

# Set by the server; what a client sends in them is ignored.
_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)


def generated_name(prefix: str, suffix: str) -> str:
    """The name of an object created with `generateName`."""
    return prefix[:_GENERATED_PREFIX] + suffix


def born(kind: Kind, document: Document, *, uid: str, now: str) -> Document:
    """A new object as it will be stored; the status a client sends along is not taken."""
    new = deepcopy(document)
    metadata = new["metadata"]
    for name in (*_SERVER_OWNED, "resourceVersion"):
        metadata.pop(name, None)
    metadata |= {"uid": uid, "creationTimestamp": now}
    if kind.has_status:
        new.pop("status", None)
    if _counts_generations(kind):
        metadata["generation"] = 1
    return new


def edited(kind: Kind, old: Document, new: Document, *, subresource: str = "") -> Document:
    """An update as it will be stored: what belongs to the server, and to the other half of the object, stays."""
    result = deepcopy(new)
    if subresource == "status":
        result = {**deepcopy(old), "status": result.get("status", {})}
        if "managedFields" in (new.get("metadata") or {}):
            result["metadata"]["managedFields"] = deepcopy(new["metadata"]["managedFields"])
        return result
    metadata = result["metadata"]
    for name in (*_SERVER_OWNED, "name", "namespace", "resourceVersion"):
        if name in old["metadata"]:
            metadata[name] = old["metadata"][name]
        else:
            metadata.pop(name, None)
    if kind.has_status:
        result.pop("status", None)
        if "status" in old:
            result["status"] = deepcopy(old["status"])
    if _counts_generations(kind) and _wish(old) != _wish(result):
        metadata["generation"] = old["metadata"].get("generation", 1) + 1
    return result


def is_same(old: Document, new: Document) -> bool:
    """Whether nothing worth a new resourceVersion changed; times of field managers alone are not."""
    return _settled(old) == _settled(new)


def _settled(document: Document) -> Document:
    metadata = {k: v for k, v in document["metadata"].items() if k != "resourceVersion"}
    if "managedFields" in metadata:
        metadata["managedFields"] = [
            {k: v for k, v in entry.items() if k != "time"} for entry in metadata["managedFields"]
        ]
    return {**document, "metadata": metadata}


def _wish(document: Document) -> Document:
    return {key: value for key, value in document.items() if key not in ("metadata", "status", "apiVersion")}


def _counts_generations(kind: Kind) -> bool:
    """Core kinds that Kubernetes counts no generations for have no group."""
    return bool(kind.group)


def check_identity(kind: Kind, document: Document, *, namespace: str, name: str) -> None:
    """The name and namespace in a body must be those of its address."""
    metadata = document["metadata"]
    if name and metadata.get("name") != name:
        raise BadRequest(
            f"the name of the object ({metadata.get('name') or ''}) does not match the name on the URL ({name})"
        )
    if kind.is_namespaced and metadata.get("namespace") != namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def problems_of(kind: Kind, metadata: dict[str, Any]) -> list[Problem]:
    """What is wrong with an object's metadata, in Kubernetes' words."""
    return [
        *_name_problems(kind, metadata),
        *_pairs_problems("metadata.labels", metadata.get("labels") or {}, check_values=True),
        *_pairs_problems("metadata.annotations", metadata.get("annotations") or {}, check_values=False),
        *_owner_problems(metadata.get("ownerReferences") or []),
    ]


def _name_problems(kind: Kind, metadata: dict[str, Any]) -> list[Problem]:
    name = metadata.get("name") or ""
    if not name:
        return [
            faults.problem(
                "metadata.name", "Required value: name or generateName is required", cause="FieldValueRequired"
            )
        ]
    is_label = kind.kind == "Namespace"
    longest = 63 if is_label else 253
    if len(name) > longest:
        return [faults.problem("metadata.name", f'Invalid value: "{name}": must be no more than {longest} characters')]
    pattern, text = (_LABEL, _LABEL_TEXT) if is_label else (_SUBDOMAIN, _SUBDOMAIN_TEXT)
    if pattern.fullmatch(name) is None:
        return [faults.problem("metadata.name", f'Invalid value: "{name}": {text}', value=name)]
    return []


def _pairs_problems(field: str, pairs: dict[str, str], *, check_values: bool) -> list[Problem]:
    found = []
    for key, value in pairs.items():
        prefix, slash, name = key.rpartition("/")
        if _QUALIFIED.fullmatch(name) is None or len(name) > 63:
            found.append(faults.problem(field, f'Invalid value: "{key}": {_QUALIFIED_TEXT}', value=key))
        elif slash and (_SUBDOMAIN.fullmatch(prefix) is None or len(prefix) > 253):
            found.append(faults.problem(field, f'Invalid value: "{key}": prefix part {_SUBDOMAIN_TEXT}', value=key))
        if check_values and len(value) > 63:
            found.append(
                faults.problem(field, f'Invalid value: "{value}": must be no more than 63 characters', value=value)
            )
        elif check_values and _LABEL_VALUE.fullmatch(value) is None:
            found.append(faults.problem(field, f'Invalid value: "{value}": {_LABEL_VALUE_TEXT}', value=value))
    if not check_values and sum(len(k) + len(v) for k, v in pairs.items()) > _ANNOTATIONS_LIMIT:
        text = f"Too long: must have at most {_ANNOTATIONS_LIMIT} bytes"
        found.append(faults.problem(field, text, cause="FieldValueTooLong"))
    return found


def _owner_problems(owners: list[dict[str, Any]]) -> list[Problem]:
    return [
        faults.problem(
            f"metadata.ownerReferences[{index}].{name}",
            f'Invalid value: "": {name} must not be empty',
        )
        for index, owner in enumerate(owners)
        for name in ("apiVersion", "kind", "name", "uid")
        if not owner.get(name)
    ]
