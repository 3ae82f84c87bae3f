"""Seldon's messages as protobuf: `SeldonMessage`, its list, `Feedback` and the metadata messages.

The same rules as in JSON (`seldon_v1`), with what gRPC makes of them: every number is a double, names that are empty
are absent, `customData` is an `Any`. Answers are joined from bytes (`protobuf_fields`), requests read by protobuf.
Fields that follow each other are merged when they are read, so the routing of a walk is put behind an answer's bytes
without reading them.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.plan.model import Protocol
from fairlead.protocols import protos
from fairlead.protocols.message import Asked, Form, Message, Meta, Payload, Reward
from fairlead.protocols.protobuf_fields import entry, nested, packed, single, text, varint, whole
from fairlead.protocols.protobuf_values import (
    read_array,
    read_struct,
    read_value,
    write_array,
    write_fields,
    write_list,
    write_value,
)
from fairlead.protocols.seldon_json import without_tensors
from fairlead.protocols.seldon_v1 import BadData, to_object
from fairlead.protocols.tensor_messages import read_numbers, read_tensor, write_tensor
from fairlead.protocols.wire import Body

Array = np.ndarray[Any, Any]

MESSAGE, LIST, FEEDBACK = (f"seldon.protos.{name}" for name in ("SeldonMessage", "SeldonMessageList", "Feedback"))
GRPC = b"application/grpc"
_METRIC_TYPES = ("COUNTER", "GAUGE", "TIMER")
_STATUS_FLAGS = ("SUCCESS", "FAILURE")
_DOUBLE = np.dtype("<f8")


class SeldonProto:
    """`SeldonMessage` over gRPC."""

    name = Protocol.SELDON
    is_grpc = True
    is_symmetric = True

    def read_request(self, body: Body) -> Message:
        """What a client asks."""
        return decode(body.data)

    def read_answer(self, body: Body) -> Message:
        """What a unit answered."""
        return decode(body.data)

    def write_request(self, message: Message) -> Body:
        """A message for a unit."""
        return Body(encode(message), GRPC)

    def write_answer(self, message: Message, asked: Asked | None) -> Body:  # noqa: ARG002 - the seam's signature
        """A message for a client."""
        return Body(encode(message), GRPC)

    def failure(self, error: FairleadError) -> tuple[int, bytes]:
        """Errors have no body over gRPC."""
        return error.http, b""


def decode(data: bytes) -> Message:
    """The message in some bytes; raises `BadRequest`."""
    return message_of(protos.parse(MESSAGE, data))


def decode_list(data: bytes) -> list[Message]:
    """The messages an aggregator is asked about."""
    return [message_of(one) for one in protos.parse(LIST, data).seldonMessages]


def decode_feedback(data: bytes) -> Reward:
    """A reward. Its `raw` is the JSON object that a client of REST would have sent."""
    proto = protos.parse(FEEDBACK, data)
    parts = {
        key: message_of(getattr(proto, key)) if proto.HasField(key) else None
        for key in ("request", "response", "truth")
    }
    raw: dict[str, Any] = {key: _as_object(part) for key, part in parts.items() if part is not None}
    raw["reward"] = proto.reward
    return Reward(parts["request"], parts["response"], parts["truth"], proto.reward, raw=raw, raw_proto=proto)


def message_of(proto: Any) -> Message:
    """A SeldonMessage, of whichever descriptor pool, as a message."""
    return Message(
        _payload(proto),
        _meta(proto.meta) if proto.HasField("meta") else Meta(),
        status=_status(proto.status) if proto.HasField("status") else None,
    )


def encode(message: Message) -> bytes:
    """The bytes of a message. A proto that a unit's method gave is sent as it is."""
    if message.raw_proto is not None:
        return bytes(message.raw_proto.SerializeToString())
    message = without_tensors(message)
    status = message.status if message.raw is None else message.raw.get("status", message.status)
    parts = [nested(b"\x0a", _write_status(status))] if isinstance(status, dict) else []
    parts.append(nested(b"\x12", write_meta(message.meta)))
    parts.append(_WRITERS[message.payload.form](message.payload))
    return b"".join(parts)


def encode_list(messages: list[bytes]) -> bytes:
    """Messages that are bytes as the list that an aggregator is asked about."""
    return b"".join([nested(b"\x0a", one) for one in messages])


def encode_feedback(reward: Reward) -> bytes:
    """A reward for a unit."""
    if reward.raw_proto is not None:
        return bytes(reward.raw_proto.SerializeToString())
    parts = ((b"\x0a", reward.request), (b"\x12", reward.response), (b"\x22", reward.truth))
    return b"".join(nested(start, encode(part)) for start, part in parts if part is not None) + single(
        b"\x1d", reward.reward
    )


def with_routing(data: bytes, routing: Mapping[str, int]) -> bytes:
    """A message's bytes with these entries in its `meta.routing`, besides those it has."""
    return data + nested(b"\x12", _write_routing(routing)) if routing else data


def proto_of(message: Message) -> Any:
    """The message for a method that wants a proto: of the class that the user's code knows, when it imported
    Seldon's own module, because protobuf's classes of one name do not mix."""
    return _users_class("SeldonMessage").FromString(encode(message))


def proto_list_of(messages: list[Message]) -> Any:
    """The same for the method of a combiner."""
    return _users_class("SeldonMessageList").FromString(encode_list([encode(one) for one in messages]))


def feedback_proto_of(reward: Reward) -> Any:
    """The same for a reward."""
    return _users_class("Feedback").FromString(encode_feedback(reward))


def is_message(value: Any) -> bool:
    """Whether a method gave a SeldonMessage, of whichever descriptor pool."""
    return getattr(getattr(value, "DESCRIPTOR", None), "full_name", "") == MESSAGE


def write_model_metadata(known: Mapping[str, Any]) -> bytes:
    """What a unit says of itself as a SeldonModelMetadata."""
    parts = [text(b"\x0a", str(known.get("name") or ""))]
    parts += [nested(b"\x12", str(version).encode()) for version in known.get("versions") or ()]
    parts.append(text(b"\x1a", str(known.get("platform") or "")))
    parts += [nested(b"\x22", _write_described(one)) for one in known.get("inputs") or ()]
    parts += [nested(b"\x2a", _write_described(one)) for one in known.get("outputs") or ()]
    parts += [_text_entry(b"\x32", key, value) for key, value in (known.get("custom") or {}).items()]
    return b"".join(parts)


def write_graph_metadata(known: Mapping[str, Any]) -> bytes:
    """What a graph says of itself as a SeldonGraphMetadata."""
    parts = [text(b"\x0a", str(known.get("name") or ""))]
    for name, model in (known.get("models") or {}).items():
        parts.append(entry(b"\x12", name, nested(b"\x12", write_model_metadata(model))))
    parts += [nested(b"\x1a", _write_described(one)) for one in known.get("graphinputs") or ()]
    parts += [nested(b"\x22", _write_described(one)) for one in known.get("graphoutputs") or ()]
    return b"".join(parts)


def read_model_metadata(data: bytes) -> dict[str, Any]:
    """A SeldonModelMetadata as the JSON object that REST has."""
    proto = protos.parse("seldon.protos.SeldonModelMetadata", data)
    return {
        "name": proto.name,
        "versions": list(proto.versions),
        "platform": proto.platform,
        "inputs": [_read_described(one) for one in proto.inputs],
        "outputs": [_read_described(one) for one in proto.outputs],
        "custom": dict(proto.custom),
    }


def write_meta(meta: Meta) -> bytes:
    """The bytes of a Meta."""
    parts = [text(b"\x0a", meta.puid)]
    if meta.tags:
        parts.append(write_fields(meta.tags, start=b"\x12"))
    if meta.routing:
        parts.append(_write_routing(meta.routing))
    parts += [_text_entry(b"\x22", key, value) for key, value in meta.request_path.items()]
    parts += [nested(b"\x2a", _write_metric(metric)) for metric in meta.metrics]
    return b"".join(parts)


def _payload(proto: Any) -> Payload:
    kind = proto.WhichOneof("data_oneof")
    if kind == "data":
        return _data(proto.data)
    if kind == "jsonData":
        return Payload(Form.JSON, read_value(proto.jsonData))
    if kind == "strData":
        return Payload(Form.STRING, proto.strData)
    if kind == "binData":
        return Payload(Form.BINARY, proto.binData)
    if kind == "customData":
        return Payload(Form.CUSTOM, _public_any(proto.customData))
    return Payload(Form.NONE, None)


def _data(data: Any) -> Payload:
    names = list(data.names)
    kind = data.WhichOneof("data_oneof")
    if kind == "ndarray":
        return Payload(Form.NDARRAY, _ndarray(data.ndarray), names)
    if kind == "tensor":
        return Payload(Form.TENSOR, tensor_values(data.tensor), names)
    if kind == "tftensor":
        return Payload(Form.TFTENSOR, read_tensor(data.tftensor, "data.tftensor"), names)
    return Payload(Form.EMPTY_DATA, np.array([]), names)


def _ndarray(listed: Any) -> Array:
    try:
        return read_array(listed)
    except ValueError as error:
        raise BadData(f"data.ndarray: {error}") from error


def tensor_values(tensor: Any) -> Array:
    """The array in a Tensor; raises `BadRequest`."""
    values, shape = read_numbers(tensor.values, _DOUBLE), tuple(tensor.shape)
    try:
        return values.reshape(shape) if shape else values
    except ValueError as error:
        raise BadData(f"data.tensor: {error}") from error


def _meta(meta: Any) -> Meta:
    return Meta(
        puid=meta.puid,
        tags=read_struct(meta.tags) if meta.tags else {},
        routing=dict(meta.routing) if meta.routing else {},
        request_path=dict(meta.requestPath) if meta.requestPath else {},
        metrics=[_read_metric(metric) for metric in meta.metrics] if meta.metrics else [],
    )


def _read_metric(metric: Any) -> dict[str, Any]:
    kind = _METRIC_TYPES[metric.type] if 0 <= metric.type < len(_METRIC_TYPES) else _METRIC_TYPES[0]
    known: dict[str, Any] = {"key": metric.key, "type": kind, "value": metric.value}
    return {**known, "tags": dict(metric.tags)} if metric.tags else known


def _status(status: Any) -> dict[str, Any]:
    flag = _STATUS_FLAGS[status.status] if 0 <= status.status < len(_STATUS_FLAGS) else status.status
    known = {"code": status.code, "info": status.info, "reason": status.reason}
    return {**{key: value for key, value in known.items() if value}, "status": flag}


def _write_status(status: Mapping[str, Any]) -> bytes:
    flag = status.get("status", 0)
    if isinstance(flag, str):
        flag = _STATUS_FLAGS.index(flag) if flag in _STATUS_FLAGS else 0
    code = status.get("code", 0)
    return b"".join(
        (
            whole(b"\x08", code if isinstance(code, int) else 0),
            text(b"\x12", str(status.get("info") or "")),
            text(b"\x1a", str(status.get("reason") or "")),
            whole(b"\x20", flag if isinstance(flag, int) else 0),
        )
    )


def _write_routing(routing: Mapping[str, int]) -> bytes:
    return b"".join([entry(b"\x1a", key, b"\x10" + varint(branch)) for key, branch in routing.items()])


def _write_metric(metric: Mapping[str, Any]) -> bytes:
    kind = str(metric.get("type", _METRIC_TYPES[0]))
    if kind not in _METRIC_TYPES:
        raise UnitFailed(f"a metric's type must be one of {', '.join(_METRIC_TYPES)}, not {kind!r}")
    parts = [
        text(b"\x0a", str(metric.get("key", ""))),
        whole(b"\x10", _METRIC_TYPES.index(kind)),
        single(b"\x1d", float(metric.get("value", 0.0))),
    ]
    parts += [_text_entry(b"\x22", str(key), value) for key, value in (metric.get("tags") or {}).items()]
    return b"".join(parts)


def _text_entry(start: bytes, key: str, value: Any) -> bytes:
    return entry(start, key, nested(b"\x12", str(value).encode("utf-8", "replace")))


def _write_names(names: Any) -> bytes:
    if not isinstance(names, list | tuple):
        return b""
    return b"".join([nested(b"\x0a", str(name).encode("utf-8", "replace")) for name in names])


def _write_ndarray(payload: Payload) -> bytes:
    value = payload.value
    content = write_array(value) if value.ndim else write_list([value.item()])
    return nested(b"\x1a", _write_names(payload.names) + nested(b"\x1a", content))


def _write_tensor(payload: Payload) -> bytes:
    array: Array = payload.value
    shape = nested(b"\x0a", packed(array.shape)) if array.ndim else b""
    if array.size:
        shape += nested(b"\x12", np.ascontiguousarray(array, dtype=_DOUBLE).tobytes())
    return nested(b"\x1a", _write_names(payload.names) + nested(b"\x12", shape))


def _write_tftensor(payload: Payload) -> bytes:
    return nested(b"\x1a", _write_names(payload.names) + nested(b"\x22", write_tensor(payload.value)))


def _write_custom(payload: Payload) -> bytes:
    value = payload.value
    descriptor = getattr(value, "DESCRIPTOR", None)
    if descriptor is None:
        raise UnitFailed(f"customData must be a protobuf message, not {type(value).__name__}")
    if descriptor.full_name == "google.protobuf.Any":
        return nested(b"\x3a", value.SerializeToString())
    url = f"type.googleapis.com/{descriptor.full_name}"
    return nested(b"\x3a", text(b"\x0a", url) + nested(b"\x12", value.SerializeToString()))


_WRITERS: dict[Form, Callable[[Payload], bytes]] = {
    Form.NDARRAY: _write_ndarray,
    Form.EMPTY_DATA: _write_ndarray,
    Form.TENSOR: _write_tensor,
    Form.TFTENSOR: _write_tftensor,
    Form.BINARY: lambda payload: nested(b"\x22", payload.value),
    Form.STRING: lambda payload: nested(b"\x2a", payload.value.encode("utf-8", "replace")),
    Form.JSON: lambda payload: nested(b"\x32", write_value(payload.value)),
    Form.CUSTOM: _write_custom,
    Form.NONE: lambda payload: b"",  # noqa: ARG005 - a writer's signature
}


def _public_any(value: Any) -> Any:
    """An `Any` of protobuf's own module, which user code knows."""
    from google.protobuf.any_pb2 import Any as PublicAny

    return PublicAny(type_url=value.type_url, value=value.value)


def _users_class(name: str) -> Any:
    own = getattr(sys.modules.get("seldon_core.proto.prediction_pb2"), name, None)
    return protos.message(f"seldon.protos.{name}") if own is None else own


def _as_object(message: Message) -> dict[str, Any]:
    try:
        return to_object(message)
    except BadRequest:  # what JSON has no form for
        return to_object(Message(Payload(Form.NONE, None), message.meta))


def _write_described(one: Mapping[str, Any]) -> bytes:
    shape = one.get("shape")
    return b"".join(
        (
            text(b"\x0a", str(one.get("messagetype") or "")),
            nested(b"\x12", write_value(one["schema"])) if one.get("schema") is not None else b"",
            text(b"\x1a", str(one.get("name") or "")),
            text(b"\x22", str(one.get("datatype") or "")),
            nested(b"\x2a", packed(shape)) if shape else b"",
        )
    )


def _read_described(one: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "messagetype": one.messagetype,
        "schema": read_value(one.schema) if one.HasField("schema") else None,
        "name": one.name,
        "datatype": one.datatype,
        "shape": list(one.shape),
    }
    return {key: value for key, value in known.items() if value not in ("", None, [])}


SELDON_PROTO = SeldonProto()
