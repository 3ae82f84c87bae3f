"""Which codec reads a tensor or a request, and which writes a value."""

from typing import Any

from fairlead.runtimes.mlserver_shim.codecs.base import InputCodec, RequestCodec
from fairlead.runtimes.mlserver_shim.codecs.inputs import Base64Codec, DatetimeCodec, NumpyCodec, StringCodec
from fairlead.runtimes.mlserver_shim.codecs.requests import NumpyRequestCodec, PandasCodec, StringRequestCodec
from fairlead.runtimes.mlserver_shim.types import InferenceRequest, RequestInput

INPUT_CODECS: tuple[type[InputCodec], ...] = (NumpyCodec, StringCodec, Base64Codec, DatetimeCodec)
REQUEST_CODECS: tuple[type[RequestCodec], ...] = (PandasCodec, NumpyRequestCodec, StringRequestCodec)


def content_type_of(one: Any) -> str | None:
    """What a request, tensor or description says of its content."""
    return None if one is None or one.parameters is None else one.parameters.content_type


def find_codec(content_type: str | None) -> type[InputCodec] | None:
    """The codec of a tensor for a content type."""
    return next((codec for codec in INPUT_CODECS if codec.ContentType == content_type), None)


def input_codec_for(payload: Any) -> type[InputCodec] | None:
    """The codec that writes a value as one tensor."""
    return next((codec for codec in INPUT_CODECS if codec.can_encode(payload)), None)


def request_codec_for(payload: Any) -> type[RequestCodec] | None:
    """The codec that writes a value as an answer."""
    return next((codec for codec in REQUEST_CODECS if codec.can_encode(payload)), None)


def decode_input(one: RequestInput, content_type: str | None, default: type[InputCodec] | None = None) -> Any:
    """The value of an input; its data as they are when nothing says how to read them."""
    codec = find_codec(content_type) or default
    return one.data if codec is None else codec.decode_input(one)


def decode_request(
    request: InferenceRequest, content_type: str | None, default: type[RequestCodec] | None = None
) -> Any:
    """The value of a request; the request itself when nothing says how to read it."""
    codec = next((codec for codec in REQUEST_CODECS if codec.ContentType == content_type), None) or default
    return request if codec is None else codec.decode_request(request)


def decode_request_input(request_input: RequestInput, metadata_inputs: Any = None) -> Any:
    """The value of an input as it or the model's metadata says."""
    known = (metadata_inputs or {}).get(request_input.name)
    return decode_input(request_input, content_type_of(request_input) or content_type_of(known))


def decode_inference_request(inference_request: InferenceRequest, *_: Any) -> Any:
    """The value of a request as it says."""
    return decode_request(inference_request, content_type_of(inference_request))
