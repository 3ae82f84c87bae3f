"""Messages as the hooks of a KServe model want them, and what hooks give as messages.

A hook takes the JSON object of a V1 request as a dict, and an `InferRequest` where the message is made of tensors.
Seldon's arrays become `{"instances": […]}`, so a model written for V1 serves Seldon's clients too.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fairlead.errors import UnitFailed
from fairlead.plan.model import Protocol
from fairlead.protocols.message import Asked, Form, Message, Payload
from fairlead.protocols.tensors import BYTES, DEFAULT_OUTPUT, DTYPES, Tensor, as_tensors, tensor
from fairlead.runtimes.answers import array_payload, as_array, own_copy
from fairlead.runtimes.failures import unusable

_NO_WISHES = Asked()


class Payloads:
    """Conversions for one model, with the types of the package that its class comes from."""

    def __init__(self, model: str, protocol: Protocol) -> None:
        self._types = importlib.import_module("kserve.protocol.infer_type")
        self._model = model
        self._is_seldon = protocol is Protocol.SELDON

    def given(self, message: Message) -> Any:
        """The first hook's argument: the model's own, because hooks write into it."""
        payload = message.payload
        if message.raw is not None and not self._is_seldon:
            return own_copy(message.raw)
        if payload.form is Form.TENSORS:
            return self._request(payload.value, message.asked or _NO_WISHES)
        if isinstance(payload.value, np.ndarray):
            return {"instances": payload.value.tolist()}
        if payload.form is Form.STRING:
            return {"instances": [payload.value]}
        return payload.value if payload.form is Form.BINARY else own_copy(payload.value)

    def answered(self, message: Message) -> Any:
        """The last hook's argument, where it is asked alone: what another unit of the graph answered."""
        payload = message.payload
        if self._is_seldon or message.raw is not None:
            return self.given(message)
        if payload.form is Form.TENSORS:
            return self._response(payload.value, message.asked or _NO_WISHES)
        if isinstance(payload.value, np.ndarray):
            return {"predictions": payload.value.tolist()}
        return self.given(message)

    def question(self, message: Message) -> Payload:
        """What an answer follows: rows that came as an object of V1 are answered as one, though they made tensors."""
        if message.raw is not None and not self._is_seldon and message.payload.form is Form.TENSORS:
            return Payload(Form.NDARRAY, None)
        return message.payload

    def answer(self, value: Any, asked: Payload) -> tuple[Payload, dict[str, Any] | None]:
        """What a hook gave, as a payload and as the JSON object that clients of V1 get (`None` where there is none)."""
        if hasattr(value, "outputs") and not isinstance(value, Mapping):
            tensors = [_tensor(one) for one in value.outputs]
            return Payload(Form.TENSORS, tensors), None if asked.form is Form.TENSORS else _response_object(
                value, tensors
            )
        if hasattr(value, "inputs") and not isinstance(value, Mapping):  # preprocess gives a request
            return Payload(Form.TENSORS, [_tensor(one) for one in value.inputs]), None
        if asked.form is Form.TENSORS:
            return self._as_tensors(value), None
        if isinstance(value, Mapping):
            return self._of_object(dict(value), asked.form)
        if isinstance(value, str):
            return Payload(Form.STRING, value), None
        if isinstance(value, bytes | bytearray):
            return Payload(Form.BINARY, bytes(value)), None
        if isinstance(value, list | np.ndarray):
            return array_payload(value, asked.form, None), None
        raise unusable(value)

    def _request(self, tensors: list[Tensor], asked: Asked) -> Any:
        inputs = []
        for one in tensors:
            made = self._types.InferInput(
                name=one.name,
                shape=list(one.array.shape),
                datatype=one.datatype,
                parameters=dict(one.parameters) or None,
            )
            is_binary = asked.is_binary or one.datatype == "FP16"
            made.set_data_from_numpy(one.array if is_binary else _readable(one), binary_data=is_binary)
            inputs.append(made)
        wanted = [self._types.RequestedOutput(one.name, one.parameters) for one in asked.outputs]
        return self._types.InferRequest(
            model_name=asked.model or self._model,
            infer_inputs=inputs,
            request_id=asked.id or None,
            parameters=dict(asked.parameters) or None,
            request_outputs=wanted or None,
        )

    def _response(self, tensors: list[Tensor], asked: Asked) -> Any:
        outputs = []
        for one in tensors:
            made = self._types.InferOutput(
                name=one.name,
                shape=list(one.array.shape),
                datatype=one.datatype,
                parameters=dict(one.parameters) or None,
            )
            made.set_data_from_numpy(_readable(one), binary_data=one.datatype == "FP16")
            outputs.append(made)
        return self._types.InferResponse(asked.id or None, asked.model or self._model, outputs)

    def _as_tensors(self, value: Any) -> Payload:
        """An answer that is no InferResponse, for somebody who asked with tensors."""
        if isinstance(value, Mapping) and isinstance(value.get("outputs"), list):
            response = self._types.InferResponse.from_rest(dict(value))
            return Payload(Form.TENSORS, [_tensor(one) for one in response.outputs])
        if isinstance(value, Mapping) and isinstance(value.get("predictions"), list):
            value = value["predictions"]
        if isinstance(value, list | np.ndarray):
            return Payload(Form.TENSORS, [tensor(DEFAULT_OUTPUT, np.asarray(value))])
        forms: dict[type, Form] = {str: Form.STRING, bytes: Form.BINARY, dict: Form.JSON}
        form = forms.get(type(value))
        if form is None:
            raise unusable(value)
        return Payload(Form.TENSORS, as_tensors(Payload(form, value), name=DEFAULT_OUTPUT))

    def _of_object(self, value: dict[str, Any], asked: Form) -> tuple[Payload, dict[str, Any] | None]:
        """A V1 object. Rows in it are an array for units that know arrays; clients of Seldon get them as one."""
        key = "instances" if "instances" in value else "predictions" if self._is_seldon else ""
        rows = value.get(key)
        raw = None if self._is_seldon else value
        if isinstance(rows, list) and (array := as_array(rows)).dtype.kind != "O":
            return array_payload(array, asked, None), raw
        return Payload(Form.JSON, value), raw


def _readable(one: Tensor) -> np.ndarray[Any, Any]:
    """BYTES that came as JSON are text, and hooks expect them so."""
    if one.datatype != BYTES:
        return one.array
    readable = np.empty(one.array.shape, dtype=np.object_)
    flat = readable.reshape(-1)
    for index, value in enumerate(one.array.reshape(-1).tolist()):
        try:
            flat[index] = value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            return one.array
    return readable


def _tensor(one: Any) -> Tensor:
    """A tensor of an answer, which says its datatype itself."""
    dtype = DTYPES.get(one.datatype)
    if dtype is None:
        raise UnitFailed(f"the output {one.name!r} has the datatype {one.datatype!r}; known: {', '.join(DTYPES)}")
    parameters = {key: value for key, value in (one.parameters or {}).items() if key != "binary_data_size"}
    array = one.as_numpy()
    return tensor(one.name, array if one.datatype == BYTES else array.astype(dtype, copy=False), parameters)


def _response_object(response: Any, tensors: list[Tensor]) -> dict[str, Any]:
    """What the SDK answers a V1 request with when the model gives an InferResponse: V2's object."""
    outputs = [
        {"name": one.name, "shape": list(one.array.shape), "datatype": one.datatype, "data": _flat(one)}
        for one in tensors
    ]
    return {"model_name": response.model_name, "id": response.id, "outputs": outputs}


def _flat(one: Tensor) -> list[Any]:
    values: list[Any] = one.array.reshape(-1).tolist()
    return [value.decode(errors="replace") for value in values] if one.datatype == BYTES else values


def headers_of(message: Message) -> dict[str, str]:
    """The request's headers as hooks take them."""
    given = message.asked.headers if message.asked is not None else []
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in given}
