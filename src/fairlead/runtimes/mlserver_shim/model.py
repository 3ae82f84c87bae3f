"""The base class of MLServer's models."""

from collections.abc import AsyncIterator
from typing import Any

from fairlead.runtimes.mlserver_shim import codecs
from fairlead.runtimes.mlserver_shim.settings import ModelSettings
from fairlead.runtimes.mlserver_shim.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataTensor,
    RequestInput,
    RequestOutput,
    ResponseOutput,
)


class MLModel:
    """Subclasses write `load` and `predict`."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self.ready = False
        self._inputs = list(settings.inputs)
        self._outputs = list(settings.outputs)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._settings.name

    @property
    def version(self) -> str | None:
        """Its version, when the settings name one."""
        return self._settings.version

    @property
    def settings(self) -> ModelSettings:
        """What it was made with."""
        return self._settings

    @property
    def inputs(self) -> list[MetadataTensor]:
        """What it takes, as far as it says."""
        return self._inputs

    @inputs.setter
    def inputs(self, value: list[MetadataTensor]) -> None:
        self._inputs = value

    @property
    def outputs(self) -> list[MetadataTensor]:
        """What it gives, as far as it says."""
        return self._outputs

    @outputs.setter
    def outputs(self, value: list[MetadataTensor]) -> None:
        self._outputs = value

    async def load(self) -> bool:
        """Make the model ready; gives whether it is."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The answer to a request."""
        raise NotImplementedError("predict() method not implemented")

    async def predict_stream(
        self,
        payloads: AsyncIterator[InferenceRequest],  # noqa: ARG002 - a hook's signature
    ) -> AsyncIterator[InferenceResponse]:
        """Answers to a stream of requests."""
        raise NotImplementedError("predict_stream() method not implemented")
        yield

    async def unload(self) -> bool:
        """Let go of what it holds."""
        return True

    async def metadata(self) -> MetadataModelResponse:
        """What it says of itself."""
        return MetadataModelResponse(
            name=self.name,
            versions=self._settings.versions or None,
            platform=self._settings.platform,
            inputs=self.inputs,
            outputs=self.outputs,
        )

    def decode(self, request_input: RequestInput, default_codec: Any = None) -> Any:
        """An input as its content type says, or as the model's metadata or `default_codec` does."""
        content_type = codecs.content_type_of(request_input) or self._declared(request_input.name)
        return codecs.decode_input(request_input, content_type, default_codec)

    def decode_request(self, inference_request: InferenceRequest, default_codec: Any = None) -> Any:
        """A whole request as its content type says, or as `default_codec` does."""
        declared = self._settings.parameters.content_type if self._settings.parameters is not None else None
        content_type = codecs.content_type_of(inference_request) or declared
        return codecs.decode_request(inference_request, content_type, default_codec)

    def encode_response(self, payload: Any, default_codec: Any = None) -> InferenceResponse:
        """A value as a whole answer."""
        codec = codecs.request_codec_for(payload) or default_codec
        if codec is None:
            raise ValueError(f"no codec for an answer of the type {type(payload).__name__}")
        response: InferenceResponse = codec.encode_response(self.name, payload, self.version)
        return response

    def encode(self, payload: Any, request_output: RequestOutput, default_codec: Any = None) -> ResponseOutput:
        """A value as one output."""
        named = codecs.find_codec(codecs.content_type_of(request_output))
        codec = named or codecs.input_codec_for(payload) or default_codec
        if codec is None:
            raise ValueError(f"no codec for an output of the type {type(payload).__name__}")
        output: ResponseOutput = codec.encode_output(request_output.name, payload)
        return output

    def _declared(self, name: str) -> str | None:
        known = next((one for one in self._inputs if one.name == name), None)
        return None if known is None else codecs.content_type_of(known)
