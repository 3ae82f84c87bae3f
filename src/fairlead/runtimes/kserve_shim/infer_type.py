"""Requests and answers of the Open Inference Protocol as KServe's hooks see them.

A tensor's values are an array inside, whichever way they came; lists and bytes are made when somebody asks for them.
"""

from typing import Any

import numpy as np

from fairlead.protocols.v2_binary import read_elements, write_elements
from fairlead.runtimes.kserve_shim.errors import InferenceError, InvalidInput
from fairlead.runtimes.kserve_shim.utils.numpy_codec import from_np_dtype, to_np_dtype

Array = np.ndarray[Any, Any]
Parameters = dict[str, Any]


def serialize_byte_tensor(input_tensor: Array) -> Array:
    """An array of BYTES as one array that holds its binary form."""
    return np.array([_elements(input_tensor)], dtype=np.object_)


def deserialize_bytes_tensor(encoded_tensor: bytes) -> Array:
    """The BYTES in their binary form."""
    return read_elements(encoded_tensor, "BYTES in binary")


class _Tensor:
    """What inputs and outputs have in common."""

    _what = "tensor"

    def __init__(
        self,
        name: str,
        shape: list[int],
        datatype: str,
        data: Any = None,
        parameters: Parameters | None = None,
    ) -> None:
        self._name = name
        self._shape = [int(size) for size in shape]
        self._datatype = datatype.upper()
        self._parameters = parameters
        self._data = data
        self._array: Array | None = None
        self._is_binary = False

    @property
    def name(self) -> str:
        """The tensor's name."""
        return self._name

    @property
    def datatype(self) -> str:
        """Its datatype, in the protocol's words."""
        return self._datatype

    @property
    def shape(self) -> list[int]:
        """Its shape."""
        return self._shape

    @shape.setter
    def shape(self, shape: list[int]) -> None:
        self._shape = shape

    def set_shape(self, shape: list[int]) -> None:
        """Give it another shape."""
        self._shape = shape

    @property
    def parameters(self) -> Parameters | None:
        """What is said of it besides."""
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: Parameters | None) -> None:
        self._parameters = parameters

    @property
    def data(self) -> Any:
        """The values as a list; `None` for a tensor that travels in binary."""
        if self._data is None and self._array is not None and not self._is_binary:
            self._data = self._array.reshape(-1).tolist()
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data, self._array = data, None

    @property
    def raw_data(self) -> bytes | None:
        """The values as they travel in binary; `None` for a tensor that travels as JSON."""
        if not self._is_binary or self._array is None:
            return None
        return _elements(self._array) if self._datatype == "BYTES" else self._array.tobytes()

    def as_numpy(self) -> Array:
        """The values as an array of the tensor's shape."""
        if self._array is None:
            dtype = to_np_dtype(self._datatype)
            if dtype is None:
                raise InvalidInput(f"invalid datatype {self._datatype} in the {self._what}")
            if self._data is None:
                raise InvalidInput(f"{self._what} {self._name!r} has no data")
            self._array = np.array(self._data, dtype=dtype)
        return self._array.reshape(self._shape)

    def as_string(self) -> list[str]:
        """The values of a tensor of BYTES as text."""
        if self._datatype != "BYTES":
            raise InvalidInput(f"invalid datatype {self._datatype} in the {self._what}")
        values = self.as_numpy().reshape(-1).tolist()
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values]

    def _take(self, tensor: Array, *, is_binary: bool) -> None:
        if not isinstance(tensor, np.ndarray):
            raise InferenceError("input_tensor must be a numpy array")
        datatype = from_np_dtype(tensor.dtype)
        if self._datatype != datatype:
            raise InferenceError(f"got unexpected datatype {datatype} from numpy array, expected {self._datatype}")
        if list(tensor.shape) != list(self._shape):
            raise InferenceError(f"got unexpected numpy array shape {list(tensor.shape)}, expected {self._shape}")
        if not is_binary and datatype == "FP16":
            raise InferenceError("FP16 travels in binary alone: pass binary_data=True")
        self._array, self._data, self._is_binary = tensor, None, is_binary
        parameters = dict(self._parameters or {})
        parameters.pop("binary_data_size", None)
        if is_binary:
            parameters["binary_data_size"] = len(self.raw_data or b"")
        self._parameters = parameters or None

    def to_dict(self) -> dict[str, Any]:
        """The tensor as a JSON object, its values listed."""
        named: dict[str, Any] = {"name": self._name, "shape": self._shape, "datatype": self._datatype}
        if self._parameters:
            named["parameters"] = self._parameters
        data = self.data
        named["data"] = self._array.reshape(-1).tolist() if data is None and self._array is not None else data
        return named

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # mutable, as the SDK's

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r}, shape={self._shape}, datatype={self._datatype!r})"


class InferInput(_Tensor):
    """One tensor of a request."""

    _what = "input"

    def set_data_from_numpy(self, input_tensor: Array, binary_data: bool = True) -> None:
        """Take the values of an array, whose datatype and shape must be the input's own."""
        self._take(input_tensor, is_binary=binary_data)


class InferOutput(_Tensor):
    """One tensor of an answer."""

    _what = "output"

    def set_data_from_numpy(self, output_tensor: Array, binary_data: bool = True) -> None:
        """Take the values of an array, whose datatype and shape must be the output's own."""
        self._take(output_tensor, is_binary=binary_data)


class RequestedOutput:
    """An output that a request asks for."""

    def __init__(self, name: str, parameters: Parameters | None = None) -> None:
        self.name = name
        self.parameters = parameters or {}

    @property
    def binary_data(self) -> bool | None:
        """Whether its answer is to be binary; `None` when the request does not say."""
        return self.parameters.get("binary_data")


class InferRequest:
    """A request: its tensors, and what it says besides."""

    def __init__(
        self,
        model_name: str,
        infer_inputs: list[InferInput],
        request_id: str | None = None,
        raw_inputs: list[bytes] | None = None,
        from_grpc: bool | None = False,
        parameters: Parameters | None = None,
        request_outputs: list[RequestedOutput] | None = None,
        model_version: str | None = None,
    ) -> None:
        self.id = request_id
        self.model_name = model_name
        self.model_version = model_version
        self.inputs = infer_inputs
        self.parameters = parameters
        self.from_grpc = from_grpc
        self.request_outputs = request_outputs or []
        for one, raw in zip(infer_inputs, raw_inputs or [], strict=False):
            one.set_data_from_numpy(_from_raw(one, raw))

    @property
    def use_binary_outputs(self) -> bool:
        """Whether all outputs are to be binary."""
        return bool((self.parameters or {}).get("binary_data_output", False))

    def get_input_by_name(self, name: str) -> InferInput | None:
        """The input of that name."""
        return next((one for one in self.inputs if one.name == name), None)

    @classmethod
    def from_rest(cls, request: dict[str, Any], model_name: str = "") -> "InferRequest":
        """A request from its JSON object."""
        wanted = [RequestedOutput(one["name"], one.get("parameters")) for one in request.get("outputs") or ()]
        return cls(
            model_name,
            [InferInput(**_fields(one)) for one in request["inputs"]],
            request.get("id"),
            parameters=request.get("parameters"),
            request_outputs=wanted,
        )

    def to_dict(self) -> dict[str, Any]:
        """The request's JSON object."""
        answer: dict[str, Any] = {"id": self.id} if self.id else {}
        if self.parameters:
            answer["parameters"] = self.parameters
        answer["inputs"] = [one.to_dict() for one in self.inputs]
        if self.request_outputs:
            answer["outputs"] = [
                {"name": one.name, **({"parameters": one.parameters} if one.parameters else {})}
                for one in self.request_outputs
            ]
        return answer

    def to_rest(self) -> tuple[dict[str, Any], int | None]:
        """The request's JSON object, and how long its JSON is when binary follows it: here it never does."""
        return self.to_dict(), None

    def as_dataframe(self) -> Any:
        """A pandas DataFrame with a column for each input."""
        return _frame(self.inputs)


class InferResponse:
    """An answer: its tensors, and what it says besides."""

    def __init__(
        self,
        response_id: str | None,
        model_name: str,
        infer_outputs: list[InferOutput],
        model_version: str | None = None,
        raw_outputs: list[bytes] | None = None,
        from_grpc: bool | None = False,
        parameters: Parameters | None = None,
        use_binary_outputs: bool | None = False,
        requested_outputs: list[RequestedOutput] | None = None,
    ) -> None:
        self.id = response_id
        self.model_name = model_name
        self.model_version = model_version
        self.outputs = infer_outputs
        self.parameters = parameters
        self.from_grpc = from_grpc
        self.use_binary_outputs = use_binary_outputs
        self.requested_outputs = requested_outputs or []
        for one, raw in zip(infer_outputs, raw_outputs or [], strict=False):
            one.set_data_from_numpy(_from_raw(one, raw))

    def get_output_by_name(self, name: str) -> InferOutput | None:
        """The output of that name."""
        return next((one for one in self.outputs if one.name == name), None)

    @classmethod
    def from_rest(cls, response: dict[str, Any]) -> "InferResponse":
        """An answer from its JSON object."""
        return cls(
            response.get("id"),
            response.get("model_name", ""),
            [InferOutput(**_fields(one)) for one in response["outputs"]],
            model_version=response.get("model_version"),
            parameters=response.get("parameters"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The answer's JSON object."""
        answer: dict[str, Any] = {"id": self.id, "model_name": self.model_name, "model_version": self.model_version}
        if self.parameters:
            answer["parameters"] = self.parameters
        return answer | {"outputs": [one.to_dict() for one in self.outputs]}

    def to_rest(self) -> tuple[dict[str, Any], int | None]:
        """The answer's JSON object, and how long its JSON is when binary follows it: here it never does."""
        return self.to_dict(), None


def _fields(one: dict[str, Any]) -> dict[str, Any]:
    return {key: one.get(key) for key in ("name", "shape", "datatype", "data", "parameters")}


def _elements(array: Array) -> bytes:
    values = array.reshape(-1).tolist()
    return write_elements(value if isinstance(value, bytes) else str(value).encode() for value in values)


def _from_raw(one: _Tensor, raw: bytes) -> Array:
    if one.datatype == "BYTES":
        return read_elements(raw, f"tensor {one.name!r}").reshape(one.shape)
    return np.frombuffer(raw, dtype=to_np_dtype(one.datatype)).reshape(one.shape)


def _frame(tensors: list[InferInput]) -> Any:
    from fairlead.runtimes.libraries import need

    frame = need("pandas", extra="mlflow").DataFrame
    columns: dict[str, Any] = {}
    for one in tensors:
        is_text = one.datatype == "BYTES"
        columns[one.name] = one.as_string() if is_text else one.as_numpy().reshape(-1)
    return frame(columns)
