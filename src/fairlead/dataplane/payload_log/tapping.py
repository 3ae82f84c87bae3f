"""What a logger of the plan copies, and what the event about it says, in the words of the system its manifest is of.

Seldon's orchestrator sends `io.seldon.serving.inference.*` (specs/seldon 3.9), KServe's agent
`org.kubeflow.serving.inference.*` (specs/kserve 6.2).
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from fairlead.dataplane.graph.parcel import Parcel, Walk, plain
from fairlead.dataplane.payload_log.dispatching import Dispatcher
from fairlead.dataplane.payload_log.event import Event
from fairlead.dataplane.payload_log.redaction import Path, redacted
from fairlead.dataplane.puids import Puids
from fairlead.plan.model import Logger, LogStyle
from fairlead.protocols import jsontext
from fairlead.protocols.wire import Body, Wire

REQUEST, RESPONSE, FEEDBACK = "request", "response", "feedback"
_REQUEST_ID = b"x-request-id"
_SKIP = b"seldon-skip-logging"
_TRUE = frozenset((b"true", b"on", b"1"))
_SELDON_TYPES = {
    REQUEST: "io.seldon.serving.inference.request",
    RESPONSE: "io.seldon.serving.inference.response",
    FEEDBACK: "io.seldon.serving.feedback",
}
_KSERVE_TYPES = {
    REQUEST: "org.kubeflow.serving.inference.request",
    RESPONSE: "org.kubeflow.serving.inference.response",
}


class Origin(NamedTuple):
    """Who sends the events."""

    service: str
    namespace: str
    component: str
    protocol: str
    replica: str
    endpoint: str = ""


class Tap:
    """One logger at work. `wire` is how a message that was never bytes is written."""

    def __init__(self, logger: Logger, origin: Origin, dispatcher: Dispatcher, wire: Wire, *, limit_bytes: int) -> None:
        self._logger = logger
        self._origin = origin
        self._dispatcher = dispatcher
        self._wire = wire
        self._limit_bytes = limit_bytes
        self._ids = Puids()
        self._paths: Sequence[Path] = tuple(tuple(path.split(".")) for path in logger.redact)
        self._takes = {
            REQUEST: logger.mode in ("all", REQUEST),
            RESPONSE: logger.mode in ("all", RESPONSE),
            FEEDBACK: logger.mode in ("all", RESPONSE) and logger.style is LogStyle.SELDON,
        }

    def request(self, parcel: Parcel, walk: Walk) -> None:
        """A message enters the step."""
        self._offer(REQUEST, walk, lambda: self._request_body(parcel))

    def response(self, parcel: Parcel, walk: Walk) -> None:
        """The step's answer."""
        self._offer(RESPONSE, walk, lambda: self._answer_body(parcel))

    def feedback(self, parcel: Parcel, walk: Walk) -> None:
        """A reward reached the unit."""
        self._offer(FEEDBACK, walk, lambda: self._request_body(parcel))

    def _offer(self, kind: str, walk: Walk, body: Callable[[], Body]) -> None:
        if not self._takes[kind] or _is_skipped(walk):
            return
        if self._logger.style is LogStyle.KSERVE and not walk.puid:
            walk.puid = self._ids.take()  # what tells which answer is whose
        now = datetime.now(UTC)

        def write() -> Event:
            came = plain(body(), self._limit_bytes)
            data = redacted(came.data, self._paths) if self._paths else came.data
            content_type = came.content_type.decode("latin-1") or "application/json"
            return Event(self._attributes(kind, walk, now), content_type, data)

        self._dispatcher.offer(write)

    def _request_body(self, parcel: Parcel) -> Body:
        came = parcel.bytes_
        if came is not None and not (self._paths and parcel.wire.is_grpc):
            return came
        return self._wire.write_request(parcel.message())

    def _answer_body(self, parcel: Parcel) -> Body:
        came = parcel.bytes_
        if came is not None and not (self._paths and parcel.wire.is_grpc):
            return came
        return self._wire.write_answer(parcel.message(), None)

    def _attributes(self, kind: str, walk: Walk, now: datetime) -> dict[str, str]:
        if self._logger.style is LogStyle.KSERVE:
            return self._kserve(kind, walk, now)
        origin = self._origin
        return {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "time": _rfc3339(now),
            "type": _SELDON_TYPES[kind],
            "source": "http://:8000/",
            "modelid": self._logger.unit,
            "requestid": walk.puid.decode("latin-1"),
            "inferenceservicename": origin.service,
            "namespace": origin.namespace,
            "endpoint": origin.component,
            "protocol": origin.protocol,
            **_request_id(walk),
        }

    def _kserve(self, kind: str, walk: Walk, now: datetime) -> dict[str, str]:
        origin, headers = self._origin, dict(reversed(walk.headers))
        given = headers.get(b"ce-id", b"") or walk.puid
        attributes = {
            "specversion": "1.0",
            "id": given.decode("latin-1"),
            "time": _rfc3339(now),
            "recordedtime": _rfc3339(now),
            "type": _KSERVE_TYPES[kind],
            "source": origin.replica,
            "inferenceservicename": origin.service,
            "namespace": origin.namespace,
            "component": origin.component,
            "endpoint": origin.endpoint,
            **_request_id(walk),
        }
        wanted = {name.lower().encode(): name for name in self._logger.metadata_headers}
        found: dict[str, list[str]] = {}
        for name, value in walk.headers:
            if name in wanted:
                found.setdefault(wanted[name], []).append(value.decode("latin-1"))
        if found:
            attributes["metadata"] = jsontext.dumps(found).decode().strip()
        if self._logger.annotations:
            attributes["annotations"] = jsontext.dumps(dict(self._logger.annotations)).decode().strip()
        return attributes


def _is_skipped(walk: Walk) -> bool:
    return any(name == _SKIP and value.strip().lower() in _TRUE for name, value in walk.headers)


def _request_id(walk: Walk) -> dict[str, str]:
    """The id that a client or the gateway gave the request, by which logs and traces know it."""
    return next(({"xrequestid": value.decode("latin-1")} for name, value in walk.headers if name == _REQUEST_ID), {})


def _rfc3339(now: datetime) -> str:
    return now.isoformat().replace("+00:00", "Z")
