"""What the heads of V2 requests say and the header blocks of their answers.

A worker of a SeldonDeployment puts the orchestrator's headers on every answer; all others answer
with a media type and nothing else, as KServe's servers do.
"""

from typing import NamedTuple

from fairlead.dataplane.graph.contracts import METHOD_HEADER
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces.header_lines import one_line
from fairlead.dataplane.surfaces.seldon.heads import GraphHeads, has_orchestrator
from fairlead.protocols.exchange import Request
from fairlead.protocols.jsontext import html_safe
from fairlead.protocols.v2_json import OCTETS
from fairlead.protocols.wire import JSON, Body

LENGTH = b"inference-header-content-length"
JSON_LINE = b"Content-Type: application/json\r\n"
OCTETS_LINE = b"Content-Type: application/octet-stream\r\n"
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


class Heads:
    """Header blocks of one worker's answers."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.is_seldon = has_orchestrator(spec)
        self._graph = GraphHeads(spec)
        self._source = f"seldon.{spec.service}".encode()

    def parts(self, methods: bytes, content_type: bytes = JSON_LINE) -> tuple[bytes, bytes | None]:
        """What comes before and after the puid; without an `after` no puid is sent."""
        return self._graph.parts(methods, content_type) if self.is_seldon else (content_type, None)

    def block(self, puid: bytes, methods: bytes, content_type: bytes = JSON_LINE) -> bytes:
        """The headers of an answer."""
        before, after = self.parts(methods, content_type)
        return before if after is None else before + puid + after

    def of_body(self, body: Body) -> bytes:
        """The lines that say how a body is to be read."""
        lines = b"Content-Type: " + (body.content_type or JSON) + b"\r\n"
        if body.content_encoding:
            lines += b"Content-Encoding: " + body.content_encoding + b"\r\n"
        if body.json_bytes >= 0:
            lines += b"Inference-Header-Content-Length: %d\r\n" % body.json_bytes
        return lines

    def sent(self, body: Body) -> bytes:
        """A body as it leaves: Seldon's orchestrator escapes in JSON what HTML would read."""
        is_json = body.json_bytes < 0 and not body.content_encoding and (body.content_type or JSON).startswith(JSON)
        return html_safe(body.data) if self.is_seldon and is_json else body.data

    def event(self, request: Request, identity: str, model: str) -> bytes:
        """The CloudEvents headers of MLServer, for a request to a Seldon graph that is an event."""
        said, named = one_line(identity), one_line(model)
        return (
            b"Ce-Specversion: 0.3\r\nCe-Type: io.seldon.serving.inference.response\r\nCe-Source: %b\r\nCe-Path: %b\r\n"
            b"Ce-Id: %b\r\nCe-Requestid: %b\r\nCe-Modelid: %b\r\nCe-Endpoint: %b\r\n"
        ) % (self._source, one_line(request.path), said, said, named, named)
