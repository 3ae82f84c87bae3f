"""Codecs of one tensor: arrays, text, bytes and times."""

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

import numpy as np

from fairlead.protocols.tensors import BYTES, DTYPES, tensor
from fairlead.runtimes.mlserver_shim.codecs.base import InputCodec
from fairlead.runtimes.mlserver_shim.types import Parameters, ResponseOutput


class NumpyCodec(InputCodec):
    """Arrays."""

    ContentType: ClassVar[str] = "np"
    TypeHint: ClassVar[Any] = np.ndarray

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether it is an array."""
        return isinstance(payload, np.ndarray)

    @classmethod
    def encode_output(cls, name: str, payload: Any, **kwargs: Any) -> ResponseOutput:  # noqa: ARG003
        """The array's values in row-major order; a list of single values becomes a column."""
        one = tensor(name, np.asarray(payload))
        shape = [*one.array.shape, 1] if one.array.ndim == 1 else list(one.array.shape)
        return ResponseOutput(
            name=name,
            shape=shape,
            datatype=one.datatype,
            parameters=Parameters(content_type=cls.ContentType),
            data=one.array.reshape(-1).tolist(),
        )

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> Any:
        """The array."""
        data = response_output.data
        if isinstance(data, np.ndarray):
            return data.reshape(response_output.shape)
        dtype = DTYPES[response_output.datatype]
        return np.array(data, dtype=None if dtype == np.object_ else dtype).reshape(response_output.shape)


class StringCodec(InputCodec):
    """Lists of text."""

    ContentType: ClassVar[str] = "str"
    TypeHint: ClassVar[Any] = list[str]

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether it is a list of text."""
        return isinstance(payload, list) and all(isinstance(one, str) for one in payload)

    @classmethod
    def encode_output(
        cls,
        name: str,
        payload: Any,
        use_bytes: bool = True,  # noqa: ARG003 - bytes and text travel alike here
        **kwargs: Any,  # noqa: ARG003
    ) -> ResponseOutput:
        """One BYTES element for each text."""
        return _of_bytes(name, list(payload), cls.ContentType)

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> list[str]:
        """The texts."""
        return [_text(one) for one in _flat(response_output.data)]


class Base64Codec(InputCodec):
    """Lists of bytes, as base64."""

    ContentType: ClassVar[str] = "base64"
    TypeHint: ClassVar[Any] = list[bytes]

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether it is a list of bytes."""
        return isinstance(payload, list) and bool(payload) and all(isinstance(one, bytes) for one in payload)

    @classmethod
    def encode_output(cls, name: str, payload: Any, **kwargs: Any) -> ResponseOutput:  # noqa: ARG003
        """One BYTES element of base64 for each."""
        return _of_bytes(name, [base64.b64encode(one).decode() for one in payload], cls.ContentType)

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> list[bytes]:
        """The bytes."""
        return [base64.b64decode(_text(one)) for one in _flat(response_output.data)]


class DatetimeCodec(InputCodec):
    """Lists of times, as ISO 8601."""

    ContentType: ClassVar[str] = "datetime"
    TypeHint: ClassVar[Any] = list[datetime]

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether it is a list of times."""
        return isinstance(payload, list) and bool(payload) and all(isinstance(one, datetime) for one in payload)

    @classmethod
    def encode_output(cls, name: str, payload: Any, **kwargs: Any) -> ResponseOutput:  # noqa: ARG003
        """One BYTES element for each."""
        return _of_bytes(name, [one.isoformat() for one in payload], cls.ContentType)

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> list[datetime]:
        """The times."""
        return [datetime.fromisoformat(_text(one)) for one in _flat(response_output.data)]


def _of_bytes(name: str, data: list[Any], content_type: str) -> ResponseOutput:
    parameters = Parameters(content_type=content_type)
    return ResponseOutput(name=name, shape=[len(data), 1], datatype=BYTES, parameters=parameters, data=data)


def _flat(data: Any) -> Iterable[Any]:
    if isinstance(data, str | bytes):
        return [data]
    flat: Iterable[Any] = np.asarray(data, dtype=np.object_).reshape(-1).tolist()
    return flat


def _text(one: Any) -> str:
    return one.decode() if isinstance(one, bytes) else str(one)
