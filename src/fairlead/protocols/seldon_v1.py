"""The Seldon v1 protocol over REST: JSON objects to messages and back. No I/O, no HTTP.

`SeldonMessage`, `SeldonMessageList` and `Feedback` as the Python wrapper of Seldon Core reads and writes them:
integers stay integers, names pass through unchecked, the first payload in a fixed order wins. How a request's bytes
become a JSON object is `request_forms`; how objects become text is `jsontext`.
"""

import base64
import binascii
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.protocols import jsontext, tensorproto
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward

Array = np.ndarray[Any, Any]

BAD_DATA = "MICROSERVICE_BAD_DATA"
INTERNAL_ERROR = "MICROSERVICE_INTERNAL_ERROR"
NO_JSON = "Can't find JSON in data"

_NDARRAY = Form.NDARRAY  # a member of an enum costs a call to look up
_FEEDBACK_FIELDS = ["request", "response", "reward", "truth"]
_DEFAULT_NAMES = [f"t:{index}" for index in range(1024)]
_MESSAGE_FIELDS = {"request", "response", "truth"}
# Words of our own hierarchy that a Seldon client would not know.
_REASONS = {"BadRequest": BAD_DATA, "RequestEntityTooLarge": BAD_DATA, "UnitFailed": INTERNAL_ERROR}


class BadData(BadRequest):
    """A request that is not a Seldon message."""

    reason = BAD_DATA


class BadValues(UnitFailed):
    """Values that make no array. The wrapper answers these with 500 and numpy's words; clients know both."""

    reason = INTERNAL_ERROR


def decode(value: Any) -> Message:
    """The message in a parsed JSON value. Its `raw` is that value."""
    if value is None:
        raise BadData(NO_JSON)
    payload = _payload(value) if isinstance(value, dict) else None
    if payload is None:
        raise BadData(f"Invalid request data type: {value}")
    return Message(payload, _meta(value.get("meta")), raw=value)


def decode_list(value: Any) -> list[Message]:
    """The messages an aggregator is asked about: a JSON array, or an object with `seldonMessages`."""
    if isinstance(value, dict) and "seldonMessages" in value:
        value = value["seldonMessages"]
    if value is None:
        raise BadData(NO_JSON)
    if not isinstance(value, list):
        raise BadData(f"Invalid request data type: {value}")
    return [decode(item) for item in value]


def decode_feedback(value: Any) -> Reward:
    """A reward, read as protobuf JSON: unknown fields are refused and numbers are floats."""
    if not isinstance(value, dict):
        raise BadData("Invalid JSON: feedback must be an object")
    for key in value:
        if key not in _FEEDBACK_FIELDS:
            raise BadData(
                f'Invalid JSON: Message type "seldon.protos.Feedback" has no field named "{key}" at "Feedback".\n'
                f' Available Fields(except extensions): "{_FEEDBACK_FIELDS}"'
            )
    parts = {key: _part(value.get(key), key) for key in _MESSAGE_FIELDS}
    return Reward(parts["request"], parts["response"], parts["truth"], _reward(value.get("reward")), raw=value)


def to_object(message: Message) -> dict[str, Any]:
    """The JSON object of a message: its `raw` when it has one, else made from its parts."""
    if message.raw is not None:
        return message.raw
    answer: dict[str, Any] = {"meta": meta_object(message.meta)}
    if message.status is not None:
        answer["status"] = message.status
    _WRITERS[message.payload.form](answer, message.payload)
    return answer


def encode(message: Message) -> bytes:
    """The bytes of a message, as the wrapper writes them."""
    return jsontext.dumps(to_object(message))


def encode_feedback_answer(message: Message) -> bytes:
    """The answer to a reward. It went through protobuf on its way: numbers are floats, empty lists and zero enums
    are absent."""
    answer = dict(to_object(message))
    if isinstance(answer.get("data"), dict):
        answer["data"] = _as_protobuf_data(answer["data"])
    if "jsonData" in answer:
        answer["jsonData"] = _as_floats(answer["jsonData"])
    if isinstance(answer.get("meta"), dict):
        answer["meta"] = _as_protobuf_meta(answer["meta"])
    return jsontext.dumps(answer)


def meta_object(meta: Meta) -> dict[str, Any]:
    """The `meta` of an answer: only what there is."""
    answer: dict[str, Any] = {}
    if meta.puid:
        answer["puid"] = meta.puid
    if meta.tags:
        answer["tags"] = meta.tags
    if meta.routing:
        answer["routing"] = meta.routing
    if meta.request_path:
        answer["requestPath"] = meta.request_path
    if meta.metrics:
        answer["metrics"] = meta.metrics
    return answer


def answer_form(asked: Form, array: Array) -> Form:
    """How an array goes back to somebody who asked in this form."""
    if asked is _NDARRAY or array.dtype.kind not in "iufc":
        return _NDARRAY
    if asked in (Form.TENSOR, Form.TFTENSOR):
        return asked
    return _NDARRAY if asked is Form.EMPTY_DATA else Form.TENSOR


def column_names(class_names: list[str] | None, array: Array) -> list[str]:
    """The names of an answer's columns; a list of single values has none."""
    if array.ndim < 2:
        return []
    if class_names is not None:
        return class_names
    width = array.shape[1]
    return _DEFAULT_NAMES[:width] if width <= len(_DEFAULT_NAMES) else [f"t:{index}" for index in range(width)]


def failure(error: BaseException) -> tuple[int, bytes]:
    """Status and body a unit answers an error with."""
    http, reason = 500, INTERNAL_ERROR
    if isinstance(error, FairleadError):
        http, reason = error.http, _REASONS.get(error.reason, error.reason)
    status = {"code": -1, "info": str(error) or type(error).__name__, "reason": reason, "status": 1}
    return http, jsontext.dumps({"status": status})


def orchestrator_failure(code: int, info: str, *, reason: str = "") -> bytes:
    """Body of an error of the graph itself rather than of a unit."""
    status: dict[str, Any] = {"code": code, "info": info, "status": "FAILURE"}
    if reason:
        status["reason"] = reason
    return jsontext.dumps({"status": status})


def route_of(value: Any) -> int:
    """The branch in a router's answer: the first number of its array, or of a bare JSON array; -1 (every branch)
    when it holds none."""
    if isinstance(value, Message):
        payload = value.payload
        value = payload.value
        if payload.form is Form.TENSORS:
            value = value[0].array if value else None
    if type(value) is np.ndarray and value.size and value.dtype.kind in "iu":
        return int(value.item(0))  # what routers answer: 0.2 us against 0.5 us for the way of any value
    try:
        array = np.asarray(value)
    except ValueError:
        return -1
    if array.dtype.kind not in "iuf" or not array.size or isinstance(value, int | float):
        return -1
    first = array.reshape(-1)[0]
    return int(first) if math.isfinite(first) else -1


def _payload(value: dict[str, Any]) -> Payload | None:
    if "data" in value:
        return _data(value["data"])
    if "jsonData" in value:
        return Payload(Form.JSON, value["jsonData"])
    if "strData" in value:
        return Payload(Form.STRING, value["strData"])
    if "binData" in value:
        return Payload(Form.BINARY, _from_base64(value["binData"]))
    return None


def _data(data: Any) -> Payload:
    if not isinstance(data, dict):
        raise BadData(f"data: expected an object with ndarray, tensor or tftensor, got {type(data).__name__}")
    names = data.get("names", [])
    if "tensor" in data:
        return Payload(Form.TENSOR, _tensor(data["tensor"]), names)
    if "ndarray" in data:
        return Payload(Form.NDARRAY, _array(data["ndarray"]), names)
    if "tftensor" in data:
        return Payload(Form.TFTENSOR, tensorproto.decode(data["tftensor"]), names)
    return Payload(Form.EMPTY_DATA, np.array([]), names)


def _tensor(tensor: Any) -> Array:
    if not isinstance(tensor, dict) or "shape" not in tensor or not ("values" in tensor or _is_empty(tensor)):
        raise BadData("data.tensor: expected an object with shape and values")
    array = _array(tensor.get("values", []))
    try:
        return array.reshape(tensor["shape"])
    except (ValueError, TypeError, OverflowError) as error:
        raise BadValues(str(error)) from error


def _is_empty(tensor: dict[str, Any]) -> bool:
    """Protobuf's JSON leaves empty lists out, so a tensor of nothing has a shape alone."""
    return isinstance(tensor["shape"], list) and 0 in tensor["shape"]


def _array(values: Any) -> Array:
    try:
        return np.array(values)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadValues(str(error)) from error


def _from_base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text)
    except (TypeError, ValueError, binascii.Error) as error:
        raise BadValues(str(error)) from error


def _meta(meta: Any) -> Meta:
    if meta is None:
        return Meta()
    if not isinstance(meta, dict):
        raise BadData(f"meta: expected an object, got {type(meta).__name__}")
    if not meta:
        return Meta()
    return Meta(
        puid=meta.get("puid") or "",
        tags=dict(_member(meta, "tags", dict)),
        routing=dict(_member(meta, "routing", dict)),
        request_path=dict(_member(meta, "requestPath", dict)),
        metrics=list(_member(meta, "metrics", list)),
    )


def _member(meta: dict[str, Any], key: str, kind: type) -> Any:
    value = meta.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise BadData(f"meta.{key}: expected {'a list' if kind is list else 'an object'}")
    return value


def _part(value: Any, field: str) -> Message | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadData(f"Invalid JSON: Failed to parse {field} field: expected an object at Feedback.{field}.")
    payload = _payload(value) or Payload(Form.NONE, None)
    if payload.is_array and payload.value.dtype.kind in "iu":
        payload.value = payload.value.astype(np.float64)
    return Message(payload, _meta(value.get("meta")), raw=value)


def _reward(value: Any) -> float:
    try:
        return float(0.0 if value is None else value)
    except (TypeError, ValueError) as error:
        raise BadData(
            f"Invalid JSON: Failed to parse reward field: Couldn't parse float: {value} at Feedback.reward."
        ) from error


def _write_ndarray(answer: dict[str, Any], payload: Payload) -> None:
    answer["data"] = {"names": payload.names, "ndarray": payload.value.tolist()}


def _write_tensor(answer: dict[str, Any], payload: Payload) -> None:
    array: Array = payload.value
    tensor = {"shape": list(array.shape), "values": array.reshape(-1).tolist()}
    answer["data"] = {"names": payload.names, "tensor": tensor}


def _write_tftensor(answer: dict[str, Any], payload: Payload) -> None:
    answer["data"] = {"names": payload.names, "tftensor": tensorproto.encode(payload.value)}


def _write_binary(answer: dict[str, Any], payload: Payload) -> None:
    answer["binData"] = base64.b64encode(payload.value).decode()


def _write_as_is(answer: dict[str, Any], payload: Payload) -> None:
    answer[payload.form.value] = payload.value


def _write_custom(answer: dict[str, Any], payload: Payload) -> None:  # noqa: ARG001 - a writer's signature
    raise BadData("customData travels over gRPC alone: it has no form in JSON")


def _write_nothing(answer: dict[str, Any], payload: Payload) -> None:
    """A message without a payload: status and meta only."""


_WRITERS: dict[Form, Callable[[dict[str, Any], Payload], None]] = {
    Form.NDARRAY: _write_ndarray,
    Form.EMPTY_DATA: _write_ndarray,
    Form.TENSOR: _write_tensor,
    Form.TFTENSOR: _write_tftensor,
    Form.BINARY: _write_binary,
    Form.STRING: _write_as_is,
    Form.JSON: _write_as_is,
    Form.CUSTOM: _write_custom,
    Form.NONE: _write_nothing,
}


def _as_floats(value: Any) -> Any:
    """A `google.protobuf.Value`: every number is a double, and those that JSON lacks are words."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        number = float(value)
        return number if math.isfinite(number) else _WORDS.get(number, "NaN")
    if isinstance(value, dict):
        return {key: _as_floats(item) for key, item in value.items()}
    return [_as_floats(item) for item in value]


_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}


def _as_protobuf_data(data: dict[str, Any]) -> dict[str, Any]:
    answer = {key: value for key, value in data.items() if not (key == "names" and not value)}
    if "ndarray" in answer:
        answer["ndarray"] = _as_floats(answer["ndarray"])
    if "tensor" in answer:
        tensor = {key: value for key, value in answer["tensor"].items() if value}
        answer["tensor"] = tensor | ({"values": _as_floats(tensor["values"])} if "values" in tensor else {})
    return answer


def _as_protobuf_meta(meta: dict[str, Any]) -> dict[str, Any]:
    answer = dict(meta)
    if "tags" in answer:
        answer["tags"] = _as_floats(answer["tags"])
    if "metrics" in answer:
        answer["metrics"] = [_as_protobuf_metric(metric) for metric in answer["metrics"]]
    return answer


def _as_protobuf_metric(metric: dict[str, Any]) -> dict[str, Any]:
    answer = {key: value for key, value in metric.items() if (key, value) != ("type", "COUNTER")}
    if "value" in answer:
        answer["value"] = _as_floats(answer["value"])
    return answer
