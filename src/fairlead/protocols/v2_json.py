"""The Open Inference Protocol (V2) over REST as a `Wire`: JSON objects and the binary extension.

Members with nothing in them are left out, except `model_version` and `id`, which answers always have: clients of
Triton, KServe and MLServer read an absent `parameters` as they read null, and strict schemas refuse null.
"""

import base64
import binascii
import json
from typing import Any

import numpy as np
import orjson

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.plan.model import Protocol
from fairlead.protocols.message import Asked, Form, Message, Meta, Output, Payload
from fairlead.protocols.tensors import BYTES, DEFAULT_INPUT, DEFAULT_OUTPUT, Array, Tensor, as_tensors
from fairlead.protocols.v2_binary import read_raw, write_raw
from fairlead.protocols.v2_data import checked_datatype, checked_shape, read_data, write_data
from fairlead.protocols.wire import JSON, Body, GraphFailed

OCTETS = b"application/octet-stream"
NO_LENGTH = "received byte inputs, but the'inference-header-content-length' header is missing."
NOT_CHAINED = "Failed to convert kfserving response so it could be chained to new input"
_SIZE = "binary_data_size"
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_NOTHING = Asked()


class V2Json:
    """Requests and answers of `/v2/models/{name}/infer`."""

    name = Protocol.V2
    is_grpc = False
    is_symmetric = False

    def read_request(self, body: Body) -> Message:
        """What a client asks."""
        return read_request(body)

    def read_answer(self, body: Body) -> Message:
        """What a unit answered. Its parameters are tags of the message, and those of the request it may become."""
        try:
            return _answer(*_parts(body))
        except BadRequest as error:
            raise GraphFailed(f"{NOT_CHAINED}: {error}") from error

    def read_answers(self, text: bytes) -> list[Message]:
        """What several units answered, as a combiner is told: a JSON array of answers."""
        listed = loads(text)
        if type(listed) is not list or not listed or not all(type(item) is dict for item in listed):
            raise BadRequest("expected a JSON array of answers, each an object with outputs")
        return [_answer(item, None) for item in listed]

    def write_request(self, message: Message) -> Body:
        """A message for a unit: JSON, and in binary only what JSON cannot hold."""
        asked = message.asked or _NOTHING
        tensors = as_tensors(message.payload, name=DEFAULT_INPUT)
        value: dict[str, Any] = {"id": asked.id} if asked.id else {}
        if asked.parameters:
            value["parameters"] = asked.parameters
        tail: list[bytes] = []
        value["inputs"] = [_item(one, tail, is_binary=one.datatype == "FP16") for one in tensors]
        if asked.outputs:
            value["outputs"] = [_output(output) for output in asked.outputs]
        return _body(value, tail)

    def write_answer(self, message: Message, asked: Asked | None) -> Body:
        """The answer to a client. `asked.model`, `asked.version` and `asked.id` are put into it."""
        asked = asked or _NOTHING
        wanted = {output.name: output.parameters.get("binary_data") for output in asked.outputs}
        tail: list[bytes] = []
        items = []
        for one in wanted_tensors(_answered(message), asked):
            asks_binary = wanted.get(one.name)
            is_binary = asked.is_binary if asks_binary is None else asks_binary is True
            if one.datatype == "FP16" and not is_binary:
                raise BadRequest(
                    "Sending FP16 data via JSON is not supported. "
                    f"Please use the binary data format for input {one.name}"
                )
            items.append(_item(one, tail, is_binary=is_binary))
        value: dict[str, Any] = {"id": asked.id or None} if tail else {}
        value["model_name"] = asked.model
        value["model_version"] = asked.version or None
        if not tail:
            value["id"] = asked.id or None
        if message.meta.tags:
            value["parameters"] = message.meta.tags
        value["outputs"] = items
        return _body(value, tail)

    def failure(self, error: FairleadError) -> tuple[int, bytes]:
        """KServe's shape."""
        return error.http, orjson.dumps({"error": _sendable(str(error) or type(error).__name__)})


def read_request(body: Body, *, model: str = "") -> Message:
    """What a client asks; `model` is for the words of errors."""
    if body.json_bytes < 0 and body.content_type.partition(b";")[0].strip().lower() == OCTETS:
        raise BadRequest(NO_LENGTH)
    value, tail = _parts(body)
    tensors = _tensors(value.get("inputs"), tail, "input", model)
    parameters = _object(value, "parameters", "the request")
    asked = Asked(
        model=model,
        id=_identity(value),
        parameters=parameters,
        outputs=_outputs(value.get("outputs")),
        is_binary=parameters.get("binary_data_output") is True,
    )
    decode_contents(tensors, parameters)
    return Message(Payload(Form.TENSORS, tensors), asked=asked)


def _answer(value: dict[str, Any], tail: "_Tail | None") -> Message:
    tensors = _tensors(value.get("outputs"), tail, "output", "")
    identity, parameters = _identity(value), _object(value, "parameters", "the answer")
    decode_contents(tensors, parameters)
    asked = Asked(id=identity, parameters=parameters)
    return Message(Payload(Form.TENSORS, tensors), Meta(tags=dict(parameters)), asked=asked)


def with_id(body: Body, identity: str) -> Body:
    """A peer's answer under the id of the request that it answers, which units in between did not hand on to it; all
    else stays as the peer wrote it."""
    end = len(body.data) if body.json_bytes < 0 else body.json_bytes
    if body.content_encoding or body.data.find(orjson.dumps(identity), 0, end) >= 0:
        return body
    try:
        value = loads(body.data[:end])
    except BadRequest:
        return body
    if type(value) is not dict:
        return body
    text = json.dumps(value | {"id": identity}, separators=(",", ":")).encode()
    json_bytes = body.json_bytes if body.json_bytes < 0 else len(text)
    return body._replace(data=text + body.data[end:], json_bytes=json_bytes)


def wanted_tensors(tensors: list[Tensor], asked: Asked) -> list[Tensor]:
    """The outputs a request asks for, in its order; all when it names none."""
    if not asked.outputs:
        return tensors
    known = {one.name: one for one in tensors}
    for output in asked.outputs:
        if output.name not in known:
            of = f" for model {asked.model!r}" if asked.model else ""
            raise BadRequest(f"Unexpected inference output {output.name!r}{of}; available: {', '.join(known)}")
    return [known[output.name] for output in asked.outputs]


def loads(text: bytes | memoryview) -> Any:
    """The value in a JSON text, `NaN` and `Infinity` included; `BadRequest` when there is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        value = json.loads(bytes(text))
        # Lone surrogates are no text: nothing that holds them could be answered.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Unrecognized request format: {error}") from error
    return value


def _parts(body: Body) -> tuple[dict[str, Any], "_Tail | None"]:
    """The JSON object of a body, and what follows it."""
    length, data = body.json_bytes, body.data
    if length > len(data):
        raise BadRequest(f"inference-header-content-length is {length}, the body has only {len(data)} bytes")
    value = loads(data if length < 0 else data[:length])
    if type(value) is not dict:
        raise BadRequest(f"Unrecognized request format: expected a JSON object, got {type(value).__name__}")
    return value, None if length < 0 else _Tail(memoryview(data)[length:])


class _Tail:
    """The binary part of a body, taken from the front."""

    def __init__(self, data: memoryview) -> None:
        self._data = data

    def take(self, size: Any, what: str) -> memoryview:
        if type(size) is not int or size < 0:
            raise BadRequest(f"{what}: {_SIZE} must be a number of bytes, got {size!r}")
        if size > len(self._data):
            raise BadRequest(f"{what}: {_SIZE} is {size}, only {len(self._data)} bytes are left in the body")
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def end(self) -> None:
        if len(self._data):
            raise BadRequest(f"{len(self._data)} bytes follow the last binary tensor; expected none")


def _tensors(items: Any, tail: _Tail | None, kind: str, model: str) -> list[Tensor]:
    if type(items) is not list or not items:
        raise BadRequest(f"'{kind}s' must be a list of at least one tensor: [{{name, shape, datatype, data}}]")
    tensors = [_tensor(item, tail, kind, model) for item in items]
    if tail is not None:
        tail.end()
    return tensors


def _tensor(item: Any, tail: _Tail | None, kind: str, model: str) -> Tensor:
    if type(item) is not dict or type(item.get("name")) is not str:
        raise BadRequest(f"every one of '{kind}s' must be an object with a name")
    name: str = item["name"]
    what = f"{kind} {name!r}"
    checked_datatype(item.get("datatype"), what)
    datatype: str = item["datatype"]
    shape = checked_shape(item.get("shape"), what)
    parameters = _object(item, "parameters", what)
    of = f" for {what} for model {model!r}" if model else f" for {what}"
    if tail is not None and _SIZE in parameters:
        array = read_raw(tail.take(parameters[_SIZE], what), datatype, shape, what)
        parameters = {key: value for key, value in parameters.items() if key != _SIZE}
    elif "data" not in item:
        raise BadRequest(f"'data' field is missing{of}" if tail is None else f"'{_SIZE}' is not specified{of}")
    elif datatype == "FP16":
        raise BadRequest(
            f"Receiving FP16 data via JSON is not supported. Please use the binary data format for {kind} {name}"
        )
    else:
        array = read_data(item["data"], datatype, shape, what)
    return Tensor(name, array, datatype, parameters)


def _object(value: dict[str, Any], key: str, what: str) -> dict[str, Any]:
    found = value.get(key)
    if found is None:
        return {}
    if type(found) is not dict:
        raise BadRequest(f"{what}: {key} must be an object")
    return found


def _identity(value: dict[str, Any]) -> str:
    found = value.get("id")
    if found is None:
        return ""
    if type(found) is not str:
        raise BadRequest(f"id must be a string, got {type(found).__name__}")
    return found


def _outputs(items: Any) -> list[Output]:
    if items is None:
        return []
    if type(items) is not list or not all(type(item) is dict and type(item.get("name")) is str for item in items):
        raise BadRequest("'outputs' must be a list of objects with a name")
    return [Output(item["name"], _object(item, "parameters", f"output {item['name']!r}")) for item in items]


def decode_contents(tensors: list[Tensor], parameters: dict[str, Any]) -> None:
    """BYTES that are base64 text become the bytes they stand for; the other content types need nothing here."""
    general = parameters.get("content_type")
    for one in tensors:
        if one.datatype != BYTES or one.parameters.get("content_type", general) != "base64":
            continue
        try:
            one.array = _each(one.array, lambda value: base64.b64decode(value, validate=True))
        except (ValueError, binascii.Error) as error:
            raise BadRequest(f"tensor {one.name!r}: its content_type is base64, its data is not: {error}") from error
        one.parameters = one.parameters | {"content_type": "base64"}


def _each(array: Array, change: Any) -> Array:
    changed = np.empty(array.size, dtype=np.object_)
    changed[:] = [change(value) for value in array.reshape(-1).tolist()]
    return changed.reshape(array.shape)


def _answered(message: Message) -> list[Tensor]:
    try:
        return as_tensors(message.payload, name=DEFAULT_OUTPUT)
    except (BadRequest, TypeError) as error:  # what the unit gave is not the client's mistake
        raise UnitFailed(str(error)) from error


def _item(one: Tensor, tail: list[bytes], *, is_binary: bool) -> dict[str, Any]:
    one = encoded_contents(one, is_binary=is_binary)
    item: dict[str, Any] = {"name": one.name, "shape": list(one.array.shape), "datatype": one.datatype}
    if is_binary:
        raw = write_raw(one.array, one.datatype)
        tail.append(raw)
        item["parameters"] = {**one.parameters, _SIZE: len(raw)}
        return item
    if one.parameters:
        item["parameters"] = one.parameters
    item["data"] = orjson.Fragment(write_data(one.array) if one.datatype != BYTES else _strings(one.array))
    return item


def encoded_contents(one: Tensor, *, is_binary: bool) -> Tensor:
    """BYTES as they are to be written: base64 when the tensor says so, or when JSON could not hold them."""
    if one.datatype != BYTES:
        return one
    if one.parameters.get("content_type") != "base64" and (is_binary or all(map(_is_text, one.array.reshape(-1)))):
        return one
    return Tensor(one.name, _each(one.array, base64.b64encode), BYTES, {**one.parameters, "content_type": "base64"})


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _strings(array: Array) -> bytes:
    return orjson.dumps([value.decode() for value in array.reshape(-1).tolist()])


def _output(output: Output) -> dict[str, Any]:
    return {"name": output.name, "parameters": output.parameters} if output.parameters else {"name": output.name}


def _body(value: dict[str, Any], tail: list[bytes]) -> Body:
    try:
        text = orjson.dumps(value, None, _OPTIONS)
    except TypeError as error:
        raise UnitFailed(f"the message cannot be written as JSON: {error}") from error
    if not tail:
        return Body(text, JSON)
    return Body(b"".join((text, *tail)), OCTETS, json_bytes=len(text))


def _sendable(text: str) -> str:
    """Text that UTF-8 can carry."""
    return text.encode("utf-8", "replace").decode()


V2_JSON = V2Json()
