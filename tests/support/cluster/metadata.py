"""Names, labels and annotations: what an API server accepts of them, and what it decides itself."""

import re
import uuid
from collections.abc import Callable
from random import Random
from typing import Any

from support.cluster.kinds import Resource
from support.cluster.refusals import Cause

Document = dict[str, Any]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_KEY_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_DNS_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_ANNOTATIONS_LIMIT = 256 * 1024
_GENERATED = "bcdfghjklmnpqrstvwxz2456789"

_AS_DNS_1035 = frozenset((("", "services"),))
_AS_LABEL = frozenset((("", "namespaces"),))
_FREE = frozenset(("roles", "rolebindings", "clusterroles", "clusterrolebindings"))


def generated_name(prefix: str, random: Random) -> str:
    """Five letters after the prefix, which is cut so that the whole fits."""
    return prefix[:58] + "".join(random.choice(_GENERATED) for _ in range(5))


def new_uid(random: Random) -> str:
    """A uid. No two clusters have the same, as those who keep what they read of an object may rely on."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def problems(resource: Resource, metadata: Document) -> list[Cause]:
    """What is wrong with the metadata of an object."""
    name = metadata.get("name", "")
    found = list(_name_problems(resource, name))
    found += labels_problems(metadata.get("labels"), "metadata.labels")
    found += _annotations_problems(metadata.get("annotations"))
    for place, owner in enumerate(metadata.get("ownerReferences") or ()):
        at = f"metadata.ownerReferences[{place}]"
        found += [Cause(f"{at}.{key}", 'Invalid value: "": must not be empty') for key in _OWNER if not owner.get(key)]
    if sum(bool(owner.get("controller")) for owner in metadata.get("ownerReferences") or ()) > 1:
        text = "Invalid value: []: Only one reference can have Controller set to true"
        found.append(Cause("metadata.ownerReferences", text))
    for finalizer in metadata.get("finalizers") or ():
        found += _key_problems(finalizer, "metadata.finalizers", prefix_needed=True)
    return found


_OWNER = ("apiVersion", "kind", "name", "uid")


def _name_problems(resource: Resource, name: str) -> list[Cause]:
    if not name:
        return [Cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")]
    if resource.plural in _FREE:
        return []
    pattern, text, limit = _SUBDOMAIN, _SUBDOMAIN_TEXT, 253
    if resource.key in _AS_DNS_1035:
        pattern, text, limit = _DNS_1035, _DNS_1035_TEXT, 63
    elif resource.key in _AS_LABEL:
        pattern, text, limit = _LABEL, _LABEL_TEXT, 63
    found = [] if pattern.fullmatch(name) else [text]
    found += [f"must be no more than {limit} characters"] if len(name) > limit else []
    return [Cause("metadata.name", f'Invalid value: "{name}": {item}') for item in found]


def labels_problems(labels: Any, path: str) -> list[Cause]:
    """What is wrong with a map of labels."""
    found: list[Cause] = []
    for key, value in (labels or {}).items():
        found += _key_problems(key, path)
        found += [Cause(path, f'Invalid value: "{value}": {text}') for text in value_problems(str(value))]
    return found


def value_problems(value: str) -> list[str]:
    """What is wrong with the value of a label."""
    found = [] if _VALUE.fullmatch(value) else [_VALUE_TEXT]
    return found + (["must be no more than 63 characters"] if len(value) > 63 else [])


def _key_problems(key: str, path: str, *, prefix_needed: bool = False) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    texts = [] if _KEY_NAME.fullmatch(name) else [_KEY_TEXT]
    texts += ["name part must be no more than 63 characters"] if len(name) > 63 else []
    texts += [f"prefix part {_SUBDOMAIN_TEXT}"] if slash and not _SUBDOMAIN.fullmatch(prefix) else []
    if prefix_needed and not slash and key not in ("kubernetes", "orphan", "foregroundDeletion"):
        texts.append("name is neither a standard finalizer name nor is it fully qualified")
    return [Cause(path, f'Invalid value: "{key}": {text}') for text in texts]


def _annotations_problems(annotations: Any) -> list[Cause]:
    found: list[Cause] = []
    for key in annotations or {}:
        found += _key_problems(key.lower(), "metadata.annotations")
    size = sum(len(key.encode()) + len(str(value).encode()) for key, value in (annotations or {}).items())
    if size > _ANNOTATIONS_LIMIT:
        text = f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes"
        found.append(Cause("metadata.annotations", text, "FieldValueTooLong"))
    return found


_KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def begun(metadata: Document, *, now: str, random: Random, has_generation: bool) -> Document:
    """The metadata of a new object, with what the server decides."""
    given = {key: value for key, value in metadata.items() if key not in (*_KEPT, "resourceVersion")}
    if not given.get("name") and given.get("generateName"):
        given["name"] = generated_name(given["generateName"], random)
    decided: Document = {"uid": new_uid(random), "creationTimestamp": now}
    return given | decided | ({"generation": 1} if has_generation else {})


def continued(metadata: Document, old: Document) -> Document:
    """The metadata of a changed object: what belongs to the server stays as it was."""
    given = {key: value for key, value in metadata.items() if key not in (*_KEPT, "resourceVersion")}
    kept = {key: old[key] for key in (*_KEPT, "name", "namespace", "generateName", "resourceVersion") if key in old}
    return given | kept


Clock = Callable[[], str]
