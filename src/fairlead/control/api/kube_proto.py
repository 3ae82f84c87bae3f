"""Kubernetes' protobuf bodies, for the few kinds that kubectl sends so.

Since 1.32 `kubectl create namespace|secret|configmap|serviceaccount` and `kubectl auth can-i` write protobuf whatever
discovery says, and take JSON back. The numbers are those of the public generated.proto files of k8s.io/api and
k8s.io/apimachinery; a field that is not in the tables here is refused by name of its number, never dropped silently.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from fairlead.errors import BadRequest

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Value = int | bytes
Read = Callable[[Value], Any]


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise BadRequest(f"the protobuf body holds wire type {wire}, which is not in use")
        if position + size > len(data):
            raise BadRequest("the protobuf body ends in the middle of a field")
        yield number, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise BadRequest("the protobuf body ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def _text(value: Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("the protobuf body holds text that is not UTF-8") from error


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise BadRequest("the protobuf body holds a number where text belongs")
    return value


def _base64(value: Value) -> str:
    return base64.b64encode(_bytes(value)).decode()


def _number(value: Value) -> int:
    if isinstance(value, bytes):
        raise BadRequest("the protobuf body holds text where a number belongs")
    return value - (1 << 64) if value >= 1 << 63 else value


def _flag(value: Value) -> bool:
    return bool(_number(value))


def _time(value: Value) -> str | None:
    seconds = next((_number(item) for number, item in _fields(_bytes(value)) if number == 1), 0)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds > 0 else None


class _Message:
    """A message's fields: number to name, how to read it, and whether it repeats (`list`) or maps (`dict`)."""

    def __init__(self, **fields: tuple[int, Read] | tuple[int, Read, type]) -> None:
        self._by_number = {
            field[0]: (name, field[1], field[2] if len(field) == 3 else None) for name, field in fields.items()
        }

    def __call__(self, value: Value) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for number, item in _fields(_bytes(value)):
            if number not in self._by_number:
                raise BadRequest(f"the protobuf body holds field {number}, which is not known here; send JSON instead")
            name, read, shape = self._by_number[number]
            if shape is list:
                found.setdefault(name, []).append(read(item))
            elif shape is dict:
                pair = dict(_fields(_bytes(item)))
                found.setdefault(name, {})[_text(pair.get(1, b""))] = read(pair.get(2, b""))
            elif (content := read(item)) not in ("", None):
                found[name] = content
        return found


def _ignored(_value: Value) -> None:
    return None


_OWNER = _Message(
    kind=(1, _text),
    name=(3, _text),
    uid=(4, _text),
    apiVersion=(5, _text),
    controller=(6, _flag),
    blockOwnerDeletion=(7, _flag),
)
_METADATA = _Message(
    name=(1, _text),
    generateName=(2, _text),
    namespace=(3, _text),
    selfLink=(4, _text),
    uid=(5, _text),
    resourceVersion=(6, _text),
    generation=(7, _number),
    creationTimestamp=(8, _time),
    deletionTimestamp=(9, _time),
    deletionGracePeriodSeconds=(10, _number),
    labels=(11, _text, dict),
    annotations=(12, _text, dict),
    ownerReferences=(13, _OWNER, list),
    finalizers=(14, _text, list),
    managedFields=(17, _ignored),
)
_REFERENCE = _Message(
    kind=(1, _text),
    namespace=(2, _text),
    name=(3, _text),
    uid=(4, _text),
    apiVersion=(5, _text),
    resourceVersion=(6, _text),
    fieldPath=(7, _text),
)
_RESOURCE_ATTRIBUTES = _Message(
    namespace=(1, _text),
    verb=(2, _text),
    group=(3, _text),
    version=(4, _text),
    resource=(5, _text),
    subresource=(6, _text),
    name=(7, _text),
    fieldSelector=(8, _ignored),
    labelSelector=(9, _ignored),
)
_ACCESS = _Message(
    resourceAttributes=(1, _RESOURCE_ATTRIBUTES),
    nonResourceAttributes=(2, _Message(path=(1, _text), verb=(2, _text))),
)
_KINDS: dict[str, _Message] = {
    "Namespace": _Message(
        metadata=(1, _METADATA), spec=(2, _Message(finalizers=(1, _text, list))), status=(3, _ignored)
    ),
    "Secret": _Message(
        metadata=(1, _METADATA),
        data=(2, _base64, dict),
        type=(3, _text),
        stringData=(4, _text, dict),
        immutable=(5, _flag),
    ),
    "ConfigMap": _Message(
        metadata=(1, _METADATA), data=(2, _text, dict), binaryData=(3, _base64, dict), immutable=(4, _flag)
    ),
    "ServiceAccount": _Message(
        metadata=(1, _METADATA),
        secrets=(2, _REFERENCE, list),
        imagePullSecrets=(3, _Message(name=(1, _text)), list),
        automountServiceAccountToken=(4, _flag),
    ),
    "SelfSubjectAccessReview": _Message(metadata=(1, _METADATA), spec=(2, _ACCESS), status=(3, _ignored)),
    "SelfSubjectRulesReview": _Message(
        metadata=(1, _METADATA), spec=(2, _Message(namespace=(1, _text))), status=(3, _ignored)
    ),
    "SelfSubjectReview": _Message(metadata=(1, _METADATA), status=(2, _ignored)),
    "DeleteOptions": _Message(
        gracePeriodSeconds=(1, _number),
        preconditions=(2, _Message(uid=(1, _text), resourceVersion=(2, _text))),
        orphanDependents=(3, _flag),
        propagationPolicy=(4, _text),
        dryRun=(5, _text, list),
        ignoreStoreReadErrorWithClusterBreakingPotential=(6, _flag),
    ),
}
_TYPE = _Message(apiVersion=(1, _text), kind=(2, _text))
_ENVELOPE = _Message(typeMeta=(1, _TYPE), raw=(2, _bytes), contentEncoding=(3, _text), contentType=(4, _text))


def decode(body: bytes) -> dict[str, Any]:
    """The document in an envelope of Kubernetes' own."""
    if not body.startswith(_MAGIC):
        raise BadRequest("the protobuf body does not start as Kubernetes' bodies do")
    envelope = _ENVELOPE(body[len(_MAGIC) :])
    kind = envelope.get("typeMeta", {}).get("kind", "")
    message = _KINDS.get(kind)
    if message is None:
        raise BadRequest(f"a {kind} in protobuf is not read here, send JSON; known: {', '.join(_KINDS)}")
    return {**envelope["typeMeta"], **message(envelope.get("raw", b""))}
