"""What the heads of V2 requests say."""

from typing import NamedTuple

from fairlead.dataplane.graph.contracts import METHOD_HEADER
from fairlead.protocols.exchange import Request
from fairlead.protocols.v2_json import OCTETS
from fairlead.protocols.wire import JSON, Body

LENGTH = b"inference-header-content-length"
_UNUSUAL = frozenset((b"content-encoding", b"ce-specversion", METHOD_HEADER))
_JSON_TYPES = frozenset((b"", JSON))


class Told(NamedTuple):
    """What the head of a request says. `is_plain`: the body is JSON, or JSON and tensors, as it stands."""

    is_plain: bool
    puid: bytes
    content_type: bytes
    content_encoding: bytes
    json_bytes: int
    is_event: bool

    def body(self, request: Request) -> Body:
        """The body of a request with this head."""
        return Body(request.body, self.content_type or JSON, self.content_encoding, self.json_bytes)


def told(request: Request) -> Told:
    """It is kept at the head, because clients send the same one again and again."""
    head = request.head
    known: Told | None = head.note if head is not None else None
    if known is None:
        known = _scan(request)
        if head is not None:
            head.note = known
    return known


def _scan(request: Request) -> Told:
    content_type = request.header(b"content-type")
    length = request.header(LENGTH)
    json_bytes = int(length) if length.isdigit() and len(length) < 16 else -1
    kind = content_type.partition(b";")[0].strip().lower()
    is_usual = not any(name in _UNUSUAL for name, _ in request.headers)
    return Told(
        is_usual and (kind in _JSON_TYPES or (kind == OCTETS and json_bytes >= 0)),
        request.header(b"seldon-puid"),
        content_type,
        request.header(b"content-encoding"),
        json_bytes,
        bool(request.header(b"ce-specversion")),
    )
