"""Codecs: between MLServer's tensors and values people compute with, chosen by content type or by the kind of value."""

from fairlead.runtimes.mlserver_shim.codecs.base import InputCodec, RequestCodec
from fairlead.runtimes.mlserver_shim.codecs.choosing import (
    content_type_of,
    decode_inference_request,
    decode_input,
    decode_request,
    decode_request_input,
    find_codec,
    input_codec_for,
    request_codec_for,
)
from fairlead.runtimes.mlserver_shim.codecs.decorator import decode_args
from fairlead.runtimes.mlserver_shim.codecs.inputs import Base64Codec, DatetimeCodec, NumpyCodec, StringCodec
from fairlead.runtimes.mlserver_shim.codecs.requests import NumpyRequestCodec, PandasCodec, StringRequestCodec

__all__ = [
    "Base64Codec",
    "DatetimeCodec",
    "InputCodec",
    "NumpyCodec",
    "NumpyRequestCodec",
    "PandasCodec",
    "RequestCodec",
    "StringCodec",
    "StringRequestCodec",
    "content_type_of",
    "decode_args",
    "decode_inference_request",
    "decode_input",
    "decode_request",
    "decode_request_input",
    "find_codec",
    "input_codec_for",
    "request_codec_for",
]
