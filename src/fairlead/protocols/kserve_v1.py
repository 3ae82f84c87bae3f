"""KServe's V1 protocol as a `Wire`: `{"instances": […]}` in, `{"predictions": […]}` out.

An object with any other keys is a request too, because a model may define its own; `needs_rows` says in words
what is wrong with one for models that take arrays. Requests keep their object in `raw` for code that works on it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.plan.model import Protocol
from fairlead.protocols import jsontext
from fairlead.protocols.json_tensors import (
    array_of,
    columns_of,
    restored,
    row_count,
    rows_of,
    values_of,
    with_bytes,
    without_bytes,
)
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import Tensor
from fairlead.protocols.wire import JSON, Body

PREDICTIONS = "predictions"
EXPLANATIONS = "explanations"
_INPUTS = ("instances", "inputs")
_OWN_KEYS = frozenset((PREDICTIONS, EXPLANATIONS, "outputs", *_INPUTS))
# Whoever wrote these meant JSON; anything else that is no JSON is bytes for the model's own code.
_JSON_TYPES = frozenset(
    (
        b"",
        JSON,
        b"application/ld+json",
        b"application/octet-stream",
        b"application/x-www-form-urlencoded",
        b"text/plain",
    )
)


class BadInput(BadRequest):
    """A body that is no V1 request."""


class V1Json:
    """V1 bodies. `answers` is the key that an array is answered under."""

    name = Protocol.V1
    is_grpc = False
    is_symmetric = False

    def __init__(self, answers: str = PREDICTIONS) -> None:
        self._answers = answers

    def read_request(self, body: Body) -> Message:
        """The rows of an object as arrays; anything else as the JSON value it is."""
        try:
            value = jsontext.loads(body.data)
        except ValueError as error:
            kind = body.content_type.partition(b";")[0].strip().lower()
            if kind in _JSON_TYPES or kind.endswith(b"+json"):
                raise BadInput(f"Unrecognized request format: {error}") from error
            return Message(Payload(Form.BINARY, body.data))
        if not isinstance(value, dict):
            return Message(Payload(Form.JSON, value))
        key = next((key for key in _INPUTS if key in value), None)
        if key is None:
            return Message(Payload(Form.JSON, value), raw=value)
        if not isinstance(value[key], list):
            raise BadInput(f'Expected "{key}" to be a list')
        return Message(_payload(value[key], body.data), raw=value)

    def read_answer(self, body: Body) -> Message:
        """What a peer answered. Its object stays in `raw` when there is more in it than the rows."""
        value = jsontext.loads(body.data)
        rows = value.get(PREDICTIONS) if isinstance(value, dict) else None
        if not isinstance(rows, list):
            return Message(Payload(Form.JSON, value))
        return Message(_payload(rows, body.data), raw=value if len(value) > 1 else None)

    def write_request(self, message: Message) -> Body:
        """A message for a unit."""
        payload = restored(message.payload)
        raw = _object_of(message.raw, payload)
        if raw is None:
            return Body(_text_of({_INPUTS[0]: _listed(payload)}, jsontext.compact))
        if PREDICTIONS in raw and not any(key in raw for key in _INPUTS):
            raw = {_INPUTS[0] if key == PREDICTIONS else key: value for key, value in raw.items()}
        return Body(_text_of(raw, jsontext.compact))

    def write_answer(self, message: Message, asked: Asked | None) -> Body:  # noqa: ARG002 - the seam's signature
        """A message for a client. Text and bytes are bodies of their own."""
        payload = restored(message.payload)
        if payload.form is Form.STRING:
            return Body(payload.value.encode("utf-8", "replace"), b"text/plain; charset=utf-8")
        if payload.form is Form.BINARY:
            return Body(payload.value, b"application/octet-stream")
        answer = _object_of(message.raw, payload)
        value = {self._answers: _listed(payload)} if answer is None else answer
        return Body(_text_of(value, jsontext.compact_without_nan))

    def failure(self, error: FairleadError) -> tuple[int, bytes]:
        """KServe's error object; an exception of a model's code goes by its type."""
        return error.http, jsontext.compact({"error": words_of(error)})


def needs_rows(message: Message) -> BadRequest | None:
    """What to say to a request when the model takes arrays and this holds none; `None` when it does."""
    if message.payload.form is not Form.JSON:
        return None
    key = next((key for key in _INPUTS if message.raw is not None and key in message.raw), None)
    if key is None:
        return BadInput('Expected a JSON object with the key "instances" or "inputs", a list of rows')
    return BadInput(f'Expected "{key}" to be rows of one length, of numbers or of text')


def words_of(error: FairleadError) -> str:
    """An error in the words of KServe's server: `ValueError : …` for what a model's code raised."""
    text = str(error)
    cause = error.__cause__
    if isinstance(error, UnitFailed) and cause is not None and not isinstance(cause, FairleadError):
        return f"{type(cause).__name__} : {text}" if text == str(cause) else text
    return text


def _text_of(value: Any, write: Callable[[Any], bytes]) -> bytes:
    """JSON, of a value that may have bytes deep inside: a request whose `{"b64": …}` a model handed on, say."""
    try:
        return write(value)
    except TypeError:
        return write(without_bytes(value))


def _payload(rows: list[Any], source: bytes) -> Payload:
    if b'"b64"' in source:
        rows = with_bytes(rows)
    array = array_of(rows)
    if array is not None:
        return Payload(Form.NDARRAY, array)
    tensors = columns_of(rows)
    return Payload(Form.JSON, rows) if tensors is None else Payload(Form.TENSORS, tensors)


def _object_of(raw: dict[str, Any] | None, payload: Payload) -> dict[str, Any] | None:
    """The JSON object that a message is, when it is one of V1's rather than rows. One of another protocol, which may
    have come from a peer that speaks it, is none."""
    if raw is not None and not _OWN_KEYS.isdisjoint(raw):
        return raw
    return payload.value if payload.form is Form.JSON and isinstance(payload.value, dict) else None


def _listed(payload: Payload) -> Any:
    """A payload as the list of V1."""
    value = payload.value
    if payload.form is Form.TENSORS:
        return _rows(value)
    if isinstance(value, np.ndarray):
        return _plain(value)
    if payload.form is Form.BINARY:
        return [values_of(np.array(value, dtype=object), as_base64=True)]
    return [value] if payload.form is Form.STRING else value


def _rows(tensors: list[Tensor]) -> Any:
    """The rows of a lone tensor; an object for each row of several, or their lists by name when they have not the same
    number of rows."""
    if len(tensors) == 1:
        return _plain(tensors[0].array)
    named = {one.name: _plain(one.array) for one in tensors}
    rows = rows_of(named, [row_count(one) for one in tensors])
    return named if rows is None else rows


def _plain(array: np.ndarray[Any, Any]) -> Any:
    """As numpy lists it, which is how KServe's servers write it: 32-bit floats have the digits of doubles."""
    value = values_of(array)
    return value.tolist() if isinstance(value, np.ndarray) else value


V1_JSON = V1Json()
V1_EXPLANATIONS = V1Json(EXPLANATIONS)
