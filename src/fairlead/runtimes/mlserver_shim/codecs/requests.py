"""Codecs of whole requests: the first tensor as an array or text, or all tensors as the columns of a DataFrame."""

from typing import Any, ClassVar

import numpy as np

from fairlead.runtimes.libraries import need
from fairlead.runtimes.mlserver_shim.codecs.base import InputCodec, RequestCodec
from fairlead.runtimes.mlserver_shim.codecs.inputs import NumpyCodec, StringCodec
from fairlead.runtimes.mlserver_shim.types import (
    InferenceRequest,
    InferenceResponse,
    Parameters,
    RequestInput,
    ResponseOutput,
)


class _Single(RequestCodec):
    """One value in one tensor."""

    InputCodec: ClassVar[type[InputCodec]] = NumpyCodec

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether the tensor's codec can."""
        return cls.InputCodec.can_encode(payload)

    @classmethod
    def encode_response(
        cls, model_name: str, payload: Any, model_version: str | None = None, **kwargs: Any
    ) -> InferenceResponse:
        """One output, `output-1`."""
        return InferenceResponse(
            model_name=model_name,
            model_version=model_version,
            parameters=Parameters(content_type=cls.ContentType),
            outputs=[cls.InputCodec.encode_output("output-1", payload, **kwargs)],
        )

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        """The value of the only output."""
        _only(response.outputs, "output")
        return cls.InputCodec.decode_output(response.outputs[0])

    @classmethod
    def encode_request(cls, payload: Any, **kwargs: Any) -> InferenceRequest:
        """One input, `input-1`."""
        parameters = Parameters(content_type=cls.ContentType)
        return InferenceRequest(
            parameters=parameters, inputs=[cls.InputCodec.encode_input("input-1", payload, **kwargs)]
        )

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        """The value of the only input."""
        _only(request.inputs, "input")
        return cls.InputCodec.decode_input(request.inputs[0])


class NumpyRequestCodec(_Single):
    """A request of one array."""

    ContentType: ClassVar[str] = "np"
    InputCodec: ClassVar[type[InputCodec]] = NumpyCodec
    TypeHint: ClassVar[Any] = np.ndarray


class StringRequestCodec(_Single):
    """A request of one list of text."""

    ContentType: ClassVar[str] = "str"
    InputCodec: ClassVar[type[InputCodec]] = StringCodec
    TypeHint: ClassVar[Any] = list[str]


class PandasCodec(RequestCodec):
    """A request as a DataFrame; each tensor is a column."""

    ContentType: ClassVar[str] = "pd"

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether it is a DataFrame."""
        return hasattr(payload, "columns") and hasattr(payload, "to_numpy")

    @classmethod
    def encode_outputs(cls, payload: Any) -> list[ResponseOutput]:
        """An output for each column."""
        return [_column(str(name), payload[name]) for name in payload.columns]

    @classmethod
    def encode_response(
        cls,
        model_name: str,
        payload: Any,
        model_version: str | None = None,
        **kwargs: Any,  # noqa: ARG003 - options of other codecs
    ) -> InferenceResponse:
        """An output for each column."""
        parameters = Parameters(content_type=cls.ContentType)
        outputs = cls.encode_outputs(payload)
        return InferenceResponse(
            model_name=model_name, model_version=model_version, parameters=parameters, outputs=outputs
        )

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        """A DataFrame of the outputs."""
        return _frame(response.outputs)

    @classmethod
    def encode_request(cls, payload: Any, **kwargs: Any) -> InferenceRequest:  # noqa: ARG003
        """An input for each column."""
        inputs = [RequestInput(**one.model_dump()) for one in cls.encode_outputs(payload)]
        return InferenceRequest(parameters=Parameters(content_type=cls.ContentType), inputs=inputs)

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        """A DataFrame of the inputs."""
        return _frame(request.inputs)


def _column(name: str, series: Any) -> ResponseOutput:
    values = series.to_numpy()
    codec: type[InputCodec] = NumpyCodec if values.dtype.kind in "biuf" else StringCodec
    given = values if codec is NumpyCodec else [str(value) for value in values.tolist()]
    return codec.encode_output(name, given)


def _frame(tensors: Any) -> Any:
    columns: dict[str, Any] = {}
    for one in tensors:
        array = NumpyCodec.decode_output(ResponseOutput(**one.model_dump()))
        if one.datatype == "BYTES":
            columns[one.name] = StringCodec.decode_output(ResponseOutput(**one.model_dump()))
        else:
            columns[one.name] = array.reshape(-1) if array.ndim == 1 or array.shape[1:] == (1,) else list(array)
    return need("pandas", extra="mlflow").DataFrame(columns)


def _only(tensors: Any, what: str) -> None:
    if len(tensors) != 1:
        raise ValueError(
            f"this codec reads one {what}, there are {len(tensors)}; give a content_type of pd, or decode each"
        )
