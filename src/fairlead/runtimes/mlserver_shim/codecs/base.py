"""What every codec can do. Users write their own by deriving from these."""

from typing import Any, ClassVar

from fairlead.runtimes.mlserver_shim.types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput


class InputCodec:
    """One tensor and one value."""

    ContentType: ClassVar[str] = ""
    TypeHint: ClassVar[Any] = None

    @classmethod
    def can_encode(cls, payload: Any) -> bool:  # noqa: ARG003 - subclasses look at it
        """Whether a value is of this codec's kind."""
        return False

    @classmethod
    def encode_output(cls, name: str, payload: Any, **kwargs: Any) -> ResponseOutput:
        """A value as an output."""
        raise NotImplementedError

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> Any:
        """The value in an output."""
        raise NotImplementedError

    @classmethod
    def encode_input(cls, name: str, payload: Any, **kwargs: Any) -> RequestInput:
        """A value as an input."""
        output = cls.encode_output(name, payload, **kwargs)
        return RequestInput(
            name=output.name,
            shape=output.shape,
            datatype=output.datatype,
            parameters=output.parameters,
            data=output.data,
        )

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> Any:
        """The value in an input."""
        return cls.decode_output(
            ResponseOutput(
                name=request_input.name,
                shape=request_input.shape,
                datatype=request_input.datatype,
                parameters=request_input.parameters,
                data=request_input.data,
            )
        )


class RequestCodec:
    """A whole request or answer and one value."""

    ContentType: ClassVar[str] = ""
    TypeHint: ClassVar[Any] = None

    @classmethod
    def can_encode(cls, payload: Any) -> bool:  # noqa: ARG003 - subclasses look at it
        """Whether a value is of this codec's kind."""
        return False

    @classmethod
    def encode_response(
        cls, model_name: str, payload: Any, model_version: str | None = None, **kwargs: Any
    ) -> InferenceResponse:
        """A value as an answer."""
        raise NotImplementedError

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        """The value in an answer."""
        raise NotImplementedError

    @classmethod
    def encode_request(cls, payload: Any, **kwargs: Any) -> InferenceRequest:
        """A value as a request."""
        raise NotImplementedError

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        """The value in a request."""
        raise NotImplementedError
