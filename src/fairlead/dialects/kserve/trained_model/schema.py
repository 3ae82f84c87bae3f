"""The TrainedModel as its users write it: every field of `serving.kserve.io/v1alpha1`, typed."""

from typing import Any

from pydantic import Field

from fairlead.dialects.podspec import Object, ObjectMeta, OpenObject, Quantity

GROUP = "serving.kserve.io"
VERSION = "v1alpha1"
KIND = "TrainedModel"


class HostedModelSpec(Object):
    """A model for a server that runs already."""

    storage_uri: str = Field(description="Where the model is.")
    framework: str = Field(description="What it was saved as: sklearn, xgboost, onnx and so on.")
    memory: Quantity = Field(description="Memory that it needs; not to be changed.")


class TrainedModelSpec(Object):
    """What is wanted."""

    inference_service: str = Field(description="InferenceService whose predictor loads it.")
    model: HostedModelSpec = Field(description="The model.")


class TrainedModel(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: TrainedModelSpec
    status: dict[str, Any] = Field(default_factory=dict)
