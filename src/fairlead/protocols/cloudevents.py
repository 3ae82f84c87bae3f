"""CloudEvents around requests and answers over HTTP, as KServe's servers take and give them.

In the binary mode a request's body is the data and its `ce-` headers are the attributes; in the structured mode the
body is a JSON object that holds both. `unwrap` gives the request inside, `wrap` puts an answer into an event of the
mode that was used to ask. It knows nothing of models' messages: bodies are bytes on both sides, so every protocol that
is spoken over HTTP can have events around it. Ids and times are handed in.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from fairlead.errors import BadRequest
from fairlead.protocols import jsontext
from fairlead.protocols.exchange import Headers

STRUCTURED = b"application/cloudevents+json"
_BATCH = b"application/cloudevents-batch+json"
_JSON = "application/json"
_REQUIRED = ("specversion", "id", "source", "type")
_VERSIONS = ("1.0", "0.3")
_RESPONSE_TYPE = "io.kserve.inference.response"
# What the HTTP binding of CloudEvents 1.0 leaves as it is in a header (section 3.1.3.2).
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class BadEvent(BadRequest):
    """A request that says it is an event and is none."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Cloud Event Exceptions: {why}")


class Event(NamedTuple):
    """A request that was an event: its attributes, extensions included, and its mode."""

    attributes: Mapping[str, str]
    is_structured: bool


class Unwrapped(NamedTuple):
    """The request inside an event: a body and its media type."""

    event: Event
    content_type: bytes
    body: bytes


class Wrapped(NamedTuple):
    """An answer as an event: its media type, the lines of its `ce-` headers, and its body."""

    content_type: bytes
    lines: bytes
    body: bytes


class Identity(NamedTuple):
    """What a model's answers say of themselves when they are events."""

    source: str
    type: str
    merges: bool
    """Whether answers repeat the attributes of what was asked, but for the id and the time."""


def identity(model: str, env: Mapping[str, str]) -> Identity:
    """What KServe's variables CE_SOURCE, CE_TYPE and CE_MERGE say, or KServe's defaults."""
    return Identity(
        env.get("CE_SOURCE") or f"io.kserve.inference.{model}",
        env.get("CE_TYPE") or _RESPONSE_TYPE,
        env.get("CE_MERGE", "false").strip().lower() == "true",
    )


def may_be_event(headers: Headers) -> bool:
    """Whether it is worth to `unwrap` a request with these headers: a quick look, right for all that are none."""
    for name, value in headers:
        if name == b"ce-specversion" or (name == b"content-type" and b"cloudevents" in value):
            return True
    return False


def unwrap(headers: Headers, body: bytes) -> Unwrapped | None:
    """The request inside an event; `None` for a request that is none, one that lacks a required `ce-` header among
    them. Raises `BadRequest` for an event that cannot be read. `body` comes without its content encoding."""
    content_type = next((value for name, value in headers if name == b"content-type"), b"")
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == _BATCH:
        raise BadEvent("batches of events are not read; send one event per request")
    if kind == STRUCTURED:
        return _structured(body)
    attributes = {
        name[3:].decode("latin-1"): unquote(value.decode("latin-1")) for name, value in headers if name[:3] == b"ce-"
    }
    if any(not attributes.get(name) for name in _REQUIRED):
        return None
    _check_version(attributes)
    if kind in (b"", b"application/json") or kind.endswith(b"+json"):
        try:
            jsontext.loads(body)
        except ValueError as error:
            raise BadRequest(f"Failed to decode or parse binary json cloudevent: {error}") from error
    return Unwrapped(Event(attributes, is_structured=False), content_type or _JSON.encode(), body)


def wrap(
    event: Event, body: bytes, content_type: bytes, answering: Identity, *, event_id: str, time: datetime
) -> Wrapped:
    """An answer as an event of the mode it was asked in. JSON is written with Python's spaces, as KServe writes it."""
    attributes = _attributes(event, answering, event_id, time)
    value = _json_of(body, content_type)
    if event.is_structured:
        return Wrapped(STRUCTURED, b"", _whole(attributes, value, body, content_type))
    attributes.pop("datacontenttype", None)
    lines = b"".join(_line(name, text) for name, text in attributes.items())
    return Wrapped(content_type, lines, body if value is _NO_JSON else json.dumps(value).encode())


_NO_JSON: Any = object()


def _structured(body: bytes) -> Unwrapped:
    try:
        value = jsontext.loads(body)
    except ValueError as error:
        raise BadEvent(f"Failed to read specversion from both headers and data: {error}") from error
    if not isinstance(value, dict):
        raise BadEvent(f"expected an object with {', '.join(_REQUIRED)} and data, got {type(value).__name__}")
    attributes = {
        name: item if isinstance(item, str) else json.dumps(item)
        for name, item in value.items()
        if name not in ("data", "data_base64") and item is not None
    }
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise BadEvent(f"Failed to find required attributes {', '.join(missing)}")
    _check_version(attributes)
    event = Event(attributes, is_structured=True)
    kind = attributes.get("datacontenttype", _JSON)
    if "data_base64" in value:
        try:
            data = base64.b64decode(value["data_base64"], validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise BadEvent(f"data_base64 is not base64: {error}") from error
        return Unwrapped(event, kind.encode("latin-1", "replace"), data)
    inside = value.get("data")
    if isinstance(inside, str) and not _is_json(kind):
        return Unwrapped(event, kind.encode("latin-1", "replace"), inside.encode("utf-8", "surrogatepass"))
    return Unwrapped(event, _JSON.encode(), jsontext.compact(inside))


def _check_version(attributes: Mapping[str, str]) -> None:
    if attributes["specversion"] not in _VERSIONS:
        raise BadEvent(f"Invalid specversion {attributes['specversion']!r}; known: {', '.join(_VERSIONS)}")


def _attributes(event: Event, answering: Identity, event_id: str, time: datetime) -> dict[str, str]:
    asked = event.attributes
    if answering.merges:
        own = {name: text for name, text in asked.items() if name not in ("id", "time", "specversion")}
    else:
        own = {"source": answering.source, "type": answering.type}
    # An answer is of the version it was asked in, so whoever asked can read it.
    return {"specversion": asked["specversion"], "id": event_id, **own, "time": time.isoformat()}


def _whole(attributes: dict[str, str], value: Any, body: bytes, content_type: bytes) -> bytes:
    whole: dict[str, Any] = dict(attributes)
    if value is not _NO_JSON:
        whole.pop("datacontenttype", None)
        return json.dumps({**whole, "data": value}).encode()
    whole["datacontenttype"] = content_type.decode("latin-1")
    return json.dumps({**whole, "data_base64": base64.b64encode(body).decode()}).encode()


def _json_of(body: bytes, content_type: bytes) -> Any:
    if not _is_json(content_type.decode("latin-1")):
        return _NO_JSON
    try:
        return jsontext.loads(body)
    except ValueError:
        return _NO_JSON


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("", _JSON) or kind.endswith("+json")


def _line(name: str, text: str) -> bytes:
    """One attribute as a header, percent-encoded where a header could not carry it."""
    return f"ce-{name}: {quote(text, safe=_SAFE)}\r\n".encode("latin-1", "replace")
