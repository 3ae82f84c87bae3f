"""TensorFlow Serving's REST bodies as a `Wire` (https://www.tensorflow.org/tfx/serving/api_rest).

Requests have tensors by row (`instances`, answered as `predictions`) or by column (`inputs`, answered as `outputs`).
Texts of errors are those that ModelServer's clients know. Answers have as many digits as 32-bit floats need, and bytes
of outputs whose name ends in `_bytes` are `{"b64": …}`.
"""

import json
from typing import Any

import numpy as np

from fairlead.errors import BadRequest, FairleadError, UnitFailed
from fairlead.plan.model import Protocol
from fairlead.protocols import jsontext
from fairlead.protocols.json_tensors import array_of, columns_of, restored, row_count, rows_of, values_of, with_bytes
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import DEFAULT_INPUT, Tensor, tensor
from fairlead.protocols.wire import Body, GraphFailed

ROWS, COLUMNS = "instances", "inputs"
ROW_ANSWERS, COLUMN_ANSWERS = "predictions", "outputs"
SIGNATURE = "signature_name"
NOT_CHAINED = "Failed to convert tensorflow response so it could be chained to new input"
_AS_REQUEST = {ROW_ANSWERS: ROWS, COLUMN_ANSWERS: COLUMNS}
_OBJECT_KEYS = frozenset((ROWS, COLUMNS, ROW_ANSWERS, COLUMN_ANSWERS))


class TensorflowJson:
    """Bodies of `:predict`."""

    name = Protocol.TENSORFLOW
    is_grpc = False
    is_symmetric = False

    def read_request(self, body: Body) -> Message:
        """The tensors of a request. It keeps its object in `raw`, for code that works on it."""
        return request_of(read_object(body.data), may_hold_bytes=b'"b64"' in body.data)

    def read_answer(self, body: Body) -> Message:
        """What a peer answered; its object stays in `raw`."""
        try:
            value = jsontext.loads(body.data)
        except ValueError as error:
            raise GraphFailed("Data is not JSON") from error
        if not isinstance(value, dict):
            return Message(Payload(Form.JSON, value))
        try:
            if ROW_ANSWERS in value:
                return Message(_by_row(_binary(value[ROW_ANSWERS], body.data)), raw=value)
            if COLUMN_ANSWERS in value:
                return Message(_by_column(_binary(value[COLUMN_ANSWERS], body.data)), raw=value)
        except BadRequest:
            pass  # no tensors, then: a value for whoever takes JSON
        return Message(Payload(Form.JSON, value), raw=value)

    def write_request(self, message: Message) -> Body:
        """A message for a unit. Another unit's answer becomes a request by the name of its rows or columns."""
        payload = restored(message.payload)
        value = _object_of(message.raw, payload)
        if value is None:
            return Body(jsontext.compact(_request(payload, message.asked)))
        if ROWS not in value and COLUMNS not in value:
            if value.keys().isdisjoint(_AS_REQUEST):
                raise GraphFailed(NOT_CHAINED)
            value = {_AS_REQUEST.get(key, key): item for key, item in value.items()}
        return Body(jsontext.compact(value))

    def write_answer(self, message: Message, asked: Asked | None) -> Body:
        """A message for a client, by column when it asked so."""
        payload = restored(message.payload)
        value = _object_of(message.raw, payload)
        if value is not None:
            return Body(jsontext.compact(value))
        if asked is not None and asked.is_columnar:
            return Body(jsontext.compact({COLUMN_ANSWERS: _columns(payload)}))
        return Body(jsontext.compact({ROW_ANSWERS: _rows(payload)}))

    def failure(self, error: FairleadError) -> tuple[int, bytes]:
        """ModelServer's error object."""
        return error.http, jsontext.compact({"error": str(error)})


def request_of(value: dict[str, Any], *, may_hold_bytes: bool = True) -> Message:
    """The tensors of a `:predict` request; the object stays in `raw`. Raises `BadRequest`."""
    given = with_bytes if may_hold_bytes else _as_it_is
    asked = Asked(signature=signature_of(value))
    if ROWS in value and COLUMNS in value:
        raise BadRequest("Not formatted correctly: expecting either 'instances' or 'inputs', not both")
    if ROWS in value:
        payload = _by_row(given(value[ROWS]))
    elif COLUMNS in value:
        asked.is_columnar = True
        payload = _by_column(given(value[COLUMNS]))
    else:
        raise BadRequest("Missing 'inputs' or 'instances' key")
    if asked.signature and payload.form is Form.NDARRAY:
        # An array would be taken for the input of the default signature.
        payload = Payload(Form.TENSORS, [tensor(DEFAULT_INPUT, payload.value)])
    return Message(payload, raw=value, asked=asked)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of any request to a model. Raises `BadRequest`."""
    try:
        value = jsontext.loads(body)
    except json.JSONDecodeError as error:
        raise BadRequest(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except ValueError as error:
        raise BadRequest(f"JSON Parse error: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"JSON Value: {jsontext.compact(value)[:100].decode('utf-8', 'replace')} Is not object")
    return value


def signature_of(value: dict[str, Any]) -> str:
    """The signature that a request names, empty for none. Raises `BadRequest` for a name that is no text."""
    name = value.get(SIGNATURE, "")
    if not isinstance(name, str):
        raise BadRequest("'signature_name' key must be a string value.")
    return name


def text_of(answer: np.ndarray[Any, Any]) -> bytes:
    """Numbers as answers have them, for rows that are written without a message."""
    return jsontext.compact(answer)


def _as_it_is(value: Any) -> Any:
    return value


def _binary(value: Any, source: bytes) -> Any:
    return with_bytes(value) if b'"b64"' in source else value


def _by_row(rows: Any) -> Payload:
    if not isinstance(rows, list):
        raise BadRequest("Expecting 'instances' value to be a list")
    if any(isinstance(row, dict) for row in rows):
        _check_objects(rows)
        tensors = columns_of(rows)
        if tensors is None:
            raise BadRequest(_uneven(rows))
        return Payload(Form.TENSORS, tensors)
    array = array_of(rows)
    if array is None:
        raise BadRequest(
            "Failed to process 'instances' list. Expecting tensor size and shape to be the same for each element, of "
            "numbers or of strings"
        )
    return Payload(Form.NDARRAY, array)


def _check_objects(rows: list[Any]) -> None:
    for index, row in enumerate(rows):
        if not isinstance(rows[0], dict) and isinstance(row, dict):
            problem = "Expecting value/list but got object"
        elif not isinstance(row, dict):
            problem = "Expecting object but got list/value"
        elif row.keys() != rows[0].keys():
            problem = f"Expecting the keys {', '.join(rows[0])}"
        else:
            continue
        if isinstance(rows[0], dict) or isinstance(row, dict):
            raise BadRequest(f"Failed to process element: {index} of 'instances' list. Error: {problem}")


def _uneven(rows: list[dict[str, Any]]) -> str:
    for key in rows[0]:
        if array_of([row[key] for row in rows]) is None:
            return (
                f"Failed to process element key: {key} of 'instances' list. Expecting tensor size and shape to be the "
                "same for each element, of numbers or of strings"
            )
    return "Failed to process 'instances' list: its objects are empty"


def _by_column(value: Any) -> Payload:
    if isinstance(value, dict):
        return Payload(Form.TENSORS, [tensor(name, _array(name, item)) for name, item in value.items()])
    return Payload(Form.NDARRAY, _array("", value))


def _array(name: str, value: Any) -> np.ndarray[Any, Any]:
    array = array_of(value)
    if array is None:
        which = f"key: {name} of " if name else ""
        raise BadRequest(
            f"Failed to process {which}'inputs'. Expecting tensor size and shape to be the same for each element, of "
            "numbers or of strings"
        )
    return array


def _object_of(raw: dict[str, Any] | None, payload: Payload) -> dict[str, Any] | None:
    """The JSON object that a message is, when it is one of this protocol's or code made it; see `kserve_v1`."""
    if raw is not None and not _OBJECT_KEYS.isdisjoint(raw):
        return raw
    return payload.value if payload.form is Form.JSON and isinstance(payload.value, dict) else None


def _request(payload: Payload, asked: Asked | None) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if asked is not None and asked.signature:
        request[SIGNATURE] = asked.signature
    if payload.form is Form.TENSORS and len({row_count(one) for one in payload.value}) > 1:
        return request | {COLUMNS: _columns(payload)}
    return request | {ROWS: _named_rows(payload.value) if payload.form is Form.TENSORS else _rows(payload)}


def _rows(payload: Payload) -> Any:
    if payload.form is not Form.TENSORS:
        return _unnamed(payload)
    tensors: list[Tensor] = payload.value
    return _values(tensors[0]) if len(tensors) == 1 else _named_rows(tensors)


def _named_rows(tensors: list[Tensor]) -> list[dict[str, Any]]:
    rows = rows_of({one.name: _values(one) for one in tensors}, [row_count(one) for one in tensors])
    if rows is None:
        counts = ", ".join(f"{one.name}: {max(row_count(one), 0)}" for one in tensors)
        raise UnitFailed(f"Tensors have inconsistent batch size ({counts}); ask with 'inputs' to get them by column")
    return rows


def _columns(payload: Payload) -> Any:
    if payload.form is not Form.TENSORS:
        return _unnamed(payload)
    tensors: list[Tensor] = payload.value
    return _values(tensors[0]) if len(tensors) == 1 else {one.name: _values(one) for one in tensors}


def _unnamed(payload: Payload) -> Any:
    value = payload.value
    if isinstance(value, np.ndarray):
        return values_of(value)
    if payload.form is Form.BINARY:
        return [values_of(np.array(value, dtype=object), as_base64=True)]
    return [value] if payload.form is Form.STRING else value


def _values(one: Tensor) -> Any:
    return values_of(one.array, as_base64=one.name.endswith("_bytes"))


TENSORFLOW_JSON = TensorflowJson()
