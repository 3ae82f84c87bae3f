"""V2 requests that come as CloudEvents: their answers are events of the same mode.

KServe's servers know events in V1 alone, and MLServer puts `ce-` headers on every answer; here the request decides.

A Seldon graph answers binary-mode events with the headers its clients know (`lines`), and structured ones, which
its servers could not read, as everybody else.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from fairlead.dataplane.graph.parcel import plain
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces.header_lines import one_line
from fairlead.dataplane.surfaces.v2.heads import Told
from fairlead.protocols import cloudevents
from fairlead.protocols.cloudevents import Event
from fairlead.protocols.exchange import Request
from fairlead.protocols.wire import JSON, Body


class Events:
    """The events of one worker."""

    def __init__(self, spec: WorkerSpec, *, is_seldon: bool, limit_bytes: int) -> None:
        env = spec.revision.settings
        for placement in spec.placements:
            env |= placement.env
        self._env: Mapping[str, str] = env
        self._is_seldon = is_seldon
        self._source = f"seldon.{spec.service}".encode()
        self._limit_bytes = limit_bytes

    def unwrap(self, request: Request, seen: Told) -> tuple[Body, Event | None]:
        """The body inside an event, or the request's own. Raises `BadRequest` for an event that cannot be read."""
        body = seen.body(request)
        is_structured = b"cloudevents" in seen.content_type
        if not is_structured and (self._is_seldon or not seen.is_event):
            return body, None
        inside = cloudevents.unwrap(request.headers, plain(body, self._limit_bytes).data)
        if inside is None:
            return body, None
        json_bytes = -1 if is_structured else seen.json_bytes
        return Body(inside.body, inside.content_type or JSON, json_bytes=json_bytes), inside.event

    def wrap(self, event: Event, body: Body, *, model: str, event_id: str) -> tuple[Body, bytes]:
        """An answer as an event, and its header lines."""
        given = plain(body, self._limit_bytes)
        whole = cloudevents.wrap(
            event,
            given.data,
            given.content_type,
            cloudevents.identity(model, self._env),
            event_id=event_id,
            time=datetime.now(UTC),
        )
        return Body(whole.body, whole.content_type, json_bytes=given.json_bytes), whole.lines

    def lines(self, request: Request, identity: str, model: str) -> bytes:
        """The headers that MLServer puts on the answer to an event which reached it through a Seldon graph."""
        said, named = one_line(identity), one_line(model)
        return (
            b"Ce-Specversion: 0.3\r\nCe-Type: io.seldon.serving.inference.response\r\nCe-Source: %b\r\nCe-Path: %b\r\n"
            b"Ce-Id: %b\r\nCe-Requestid: %b\r\nCe-Modelid: %b\r\nCe-Endpoint: %b\r\n"
        ) % (self._source, one_line(request.path), said, said, named, named)
