"""The Open Inference Protocol as MLServer's types. Values are lists: models ask a codec for arrays."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Shape = list[int]


class _Base(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), extra="ignore", arbitrary_types_allowed=True)


class Parameters(_Base):
    """What is said of a request, an answer or a tensor besides; unknown keys are kept."""

    model_config = ConfigDict(protected_namespaces=(), extra="allow", arbitrary_types_allowed=True)

    content_type: str | None = None
    headers: dict[str, Any] | None = None


class Tags(_Base):
    """Free words about a tensor."""

    model_config = ConfigDict(extra="allow")


class MetadataTensor(_Base):
    """Name, datatype and shape of a tensor of a model."""

    name: str
    datatype: str
    shape: Shape
    parameters: Parameters | None = None


class RequestInput(_Base):
    """One tensor of a request."""

    name: str
    shape: Shape
    datatype: str
    parameters: Parameters | None = None
    data: Any


class RequestOutput(_Base):
    """An output that a request asks for."""

    name: str
    parameters: Parameters | None = None


class ResponseOutput(_Base):
    """One tensor of an answer."""

    name: str
    shape: Shape
    datatype: str
    parameters: Parameters | None = None
    data: Any


class InferenceRequest(_Base):
    """A request."""

    id: str | None = None
    parameters: Parameters | None = None
    inputs: list[RequestInput]
    outputs: list[RequestOutput] | None = None


class InferenceResponse(_Base):
    """An answer."""

    model_name: str
    model_version: str | None = None
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[ResponseOutput]


class MetadataModelResponse(_Base):
    """What a model says of itself."""

    name: str
    versions: list[str] | None = None
    platform: str = ""
    inputs: list[MetadataTensor] | None = None
    outputs: list[MetadataTensor] | None = None
    parameters: Parameters | None = Field(default=None)
