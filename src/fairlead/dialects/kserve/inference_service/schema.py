"""The InferenceService as its users write it: every field of `serving.kserve.io/v1beta1`, typed.

Descriptions are what `kubectl explain` shows. Pods and containers stand inline, as core/v1 names their fields.
"""

from typing import Any, Literal

from pydantic import Field

from fairlead.dialects.inline_pods import InlineContainer, InlinePod
from fairlead.dialects.podspec import Container, Object, ObjectMeta, OpenObject, Quantity

GROUP = "serving.kserve.io"
VERSION = "v1beta1"
KIND = "InferenceService"

PREDICTOR_CONTAINER = "kserve-container"
TRANSFORMER_CONTAINER = "transformer-container"
WORKER_CONTAINER = "worker-container"

Mode = Literal["all", "request", "response", ""]
ScaleMetricName = Literal["cpu", "memory", "concurrency", "rps"]
TargetType = Literal["Utilization", "Value", "AverageValue"]

NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
_RESOURCE_ID = r"^kbs:///[a-zA-Z0-9_.-]+/[a-zA-Z0-9_.-]+/[a-zA-Z0-9_.-]+$"


class StorageSpec(Object):
    """A model by the name of its credentials."""

    key: str | None = Field(default=None, description="Entry of the Secret storage-config; else the default one.")
    path: str | None = Field(default=None, description="Path of the model in the store.")
    schema_path: str | None = Field(default=None, description="Path of the model's schema; kept, not read.")
    parameters: dict[str, str] | None = Field(default=None, description="type, bucket and others, over the Secret's.")


class Confidential(Object):
    """An encrypted model. There is nothing to decrypt it with here."""

    enabled: bool = Field(default=False, description="Whether the model is encrypted.")
    resource_id: str = Field(default="", pattern=_RESOURCE_ID, description="Its key: kbs:///a/b/c.")


class PredictorExtension(InlineContainer):
    """A model server: the model, and whatever of a container is to differ from its runtime's."""

    storage_uri: str | None = Field(default=None, description="Where the model is.")
    storage: StorageSpec | None = Field(default=None, description="Where it is, by the name of its credentials.")
    protocol_version: str | None = Field(default=None, description="v1, v2, grpc-v1 or grpc-v2.")
    runtime_version: str | None = Field(default=None, description="Tag of the runtime's image.")
    confidential: Confidential | None = Field(default=None, description="An encrypted model.")


class ModelFormat(Object):
    """What a model was saved as."""

    name: str = Field(description="sklearn, xgboost, lightgbm, onnx and so on.")
    version: str | None = Field(default=None, description="Version of the format, compared as text.")


class Model(PredictorExtension):
    """A model in a named format, served by a runtime for it."""

    model_format: ModelFormat = Field(description="What it was saved as.")
    runtime: str | None = Field(default=None, description="ServingRuntime or ClusterServingRuntime; else one is found.")


class StorageUri(Object):
    """One of several models."""

    uri: str = Field(min_length=1, description="Where it is.")
    mount_path: str = Field(
        default="/mnt/models", pattern="^/", max_length=255, description="Where the server finds it."
    )


class WorkerSpec(InlinePod):
    """Further nodes of one predictor."""

    pipeline_parallel_size: int | None = Field(default=None, description="Nodes in a row.")
    tensor_parallel_size: int | None = Field(default=None, description="Devices side by side.")


class LoggerStorage(Object):
    """A bucket for payload logs."""

    key: str | None = Field(default=None, description="Entry of the Secret storage-config.")
    path: str | None = Field(default=None, description="Folder of the logs.")
    parameters: dict[str, str] | None = Field(default=None, description="format and others.")
    service_account_name: str = Field(default="", description="Account whose Secrets hold credentials.")


class Logger(Object):
    """Copies of payloads."""

    url: str | None = Field(default=None, description="Where they go: http(s), or s3://, gs://, abfs://.")
    mode: Mode = Field(default="", description="all, request or response.")
    metadata_headers: list[str] = Field(default_factory=list, description="Headers of the request to pass on.")
    metadata_annotations: list[str] = Field(default_factory=list, description="Annotations of the service to pass on.")
    storage: LoggerStorage | None = Field(default=None, description="Credentials of a bucket.")
    marshaller_url: str | None = Field(default=None, description="Who shapes what is stored.")
    batch_size: int | None = Field(default=None, description="Payloads in a file.")
    batch_interval: str | None = Field(default=None, description="How long a file gathers payloads.")


class Batcher(Object):
    """Requests gathered into one."""

    max_batch_size: int | None = Field(default=None, description="Most instances in a batch; 32.")
    max_latency: int | None = Field(default=None, description="Longest wait in milliseconds; 5000.")
    timeout: int | None = Field(default=None, description="Accepted, not used.")


class MetricTarget(Object):
    """What a metric should be."""

    type: TargetType | None = Field(default=None, description="Utilization, Value or AverageValue.")
    value: Quantity | None = Field(default=None, description="Of all replicas together.")
    average_value: Quantity | None = Field(default=None, description="Of each replica.")
    average_utilization: int | None = Field(default=None, description="Percent of what is requested.")


class ResourceMetric(Object):
    """Processor or memory."""

    name: str = Field(default="", description="cpu or memory.")
    target: MetricTarget = Field(default_factory=MetricTarget, description="What it should be.")


class ExternalMetricSource(Object):
    """Where a metric is asked for."""

    backend: str = Field(default="", description="prometheus or graphite.")
    server_address: str = Field(default="", description="URL of the server.")
    query: str = Field(default="", description="What is asked.")
    namespace: str = Field(default="", description="Namespace that the query is limited to.")


class AuthenticationName(Object):
    """A name."""

    name: str = Field(default="", description="TriggerAuthentication with credentials.")


class AuthenticationRef(Object):
    """How the server of a metric knows us."""

    auth_modes: str = Field(default="", description="basic, bearer and so on.")
    authentication_ref: AuthenticationName | None = Field(default=None, description="TriggerAuthentication to use.")


class ExternalMetric(Object):
    """A number that a server of metrics knows."""

    metric: ExternalMetricSource = Field(default_factory=ExternalMetricSource, description="Where it is asked for.")
    target: MetricTarget = Field(default_factory=MetricTarget, description="What it should be.")
    authentication_ref: AuthenticationRef | None = Field(default=None, description="How the server knows us.")


class PodMetricSource(Object):
    """A number that the replicas tell themselves."""

    backend: str = Field(default="", description="opentelemetry.")
    server_address: str = Field(default="", description="Address of the collector.")
    metric_names: list[str] = Field(default_factory=list, description="Metrics that are collected.")
    query: str = Field(default="", description="Which of them counts.")
    operation_over_time: str = Field(default="", description="last_one, avg, max, min, rate or count.")


class PodMetric(Object):
    """A number of the replicas' own."""

    metric: PodMetricSource = Field(default_factory=PodMetricSource, description="Where it comes from.")
    target: MetricTarget = Field(default_factory=MetricTarget, description="What it should be.")


class Metric(Object):
    """One metric that decides the number of replicas."""

    type: str = Field(default="", description="Resource, External or PodMetric.")
    resource: ResourceMetric | None = Field(default=None, description="Of type Resource.")
    external: ExternalMetric | None = Field(default=None, description="Of type External.")
    podmetric: PodMetric | None = Field(default=None, description="Of type PodMetric.")


class AutoScaling(Object):
    """Scaling by metrics, in Standard mode."""

    metrics: list[Metric] = Field(default_factory=list, description="The largest of their answers counts.")
    behavior: dict[str, Any] | None = Field(default=None, description="autoscaling/v2 behavior.")


class ComponentExtension(InlinePod):
    """What a predictor, a transformer and an explainer have in common."""

    min_replicas: int | None = Field(default=None, description="Lowest number of replicas; 1, and 0 for to zero.")
    max_replicas: int = Field(default=0, description="Highest number of replicas; 0 is no limit.")
    scale_target: int | None = Field(default=None, description="What the metric should be, per replica.")
    scale_metric: ScaleMetricName | None = Field(default=None, description="cpu, memory, concurrency or rps.")
    scale_metric_type: TargetType | None = Field(default=None, description="Accepted, not used.")
    auto_scaling: AutoScaling | None = Field(default=None, description="Scaling by metrics, in Standard mode.")
    container_concurrency: int | None = Field(default=None, description="Requests a replica takes at once; 0 is any.")
    timeout: int | None = Field(default=None, description="Seconds a request may take.")
    canary_traffic_percent: int | None = Field(default=None, description="Share of the newest revision.")
    logger: Logger | None = Field(default=None, description="Copies of payloads.")
    batcher: Batcher | None = Field(default=None, description="Requests gathered into one.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of replicas.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of replicas.")
    deployment_strategy: dict[str, Any] | None = Field(default=None, description="How replicas are replaced.")


class Predictor(ComponentExtension):
    """What predicts: a model, a framework's own object, or containers."""

    name: str = Field(default="", pattern=NAME_PATTERN, description="Name of the variant.")
    model: Model | None = Field(default=None, description="A model in a named format.")
    sklearn: PredictorExtension | None = Field(default=None, description="A scikit-learn model.")
    xgboost: PredictorExtension | None = Field(default=None, description="An XGBoost model.")
    tensorflow: PredictorExtension | None = Field(default=None, description="A TensorFlow model.")
    pytorch: PredictorExtension | None = Field(default=None, description="A PyTorch model.")
    triton: PredictorExtension | None = Field(default=None, description="A Triton model repository.")
    onnx: PredictorExtension | None = Field(default=None, description="An ONNX model.")
    huggingface: PredictorExtension | None = Field(default=None, description="A Hugging Face model.")
    pmml: PredictorExtension | None = Field(default=None, description="A PMML model.")
    lightgbm: PredictorExtension | None = Field(default=None, description="A LightGBM model.")
    paddle: PredictorExtension | None = Field(default=None, description="A Paddle model.")
    storage_uris: list[StorageUri] = Field(default_factory=list, description="Several models of one server.")
    storage_container_name: str | None = Field(default=None, description="ClusterStorageContainer that fetches them.")
    worker_spec: WorkerSpec | None = Field(default=None, description="Further nodes of one predictor.")


FRAMEWORKS = (
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
)
"""The legacy objects, each named as the format it stands for."""


class Transformer(ComponentExtension):
    """What comes before and after the predictor."""


class ArtExplainer(InlineContainer):
    """An explainer of the Adversarial Robustness Toolbox."""

    type: str = Field(default="", description="SquareAttack.")
    storage_uri: str = Field(default="", description="Where its model is.")
    storage: StorageSpec | None = Field(default=None, description="Where it is, by the name of its credentials.")
    runtime_version: str | None = Field(default=None, description="Tag of its image.")
    config: dict[str, str] = Field(default_factory=dict, description="Command line flags.")


class Explainer(ComponentExtension):
    """What explains predictions."""

    art: ArtExplainer | None = Field(default=None, description="The Adversarial Robustness Toolbox.")


class Canary(Object):
    """A variant beside the stable predictor, in Standard mode."""

    predictor: Predictor = Field(description="What differs from the stable predictor; its name is required.")
    traffic_percent: int = Field(description="Its share, 0 to 100.")


class InferenceServiceSpec(Object):
    """What is wanted."""

    predictor: Predictor = Field(description="What predicts.")
    transformer: Transformer | None = Field(default=None, description="What comes before and after it.")
    explainer: Explainer | None = Field(default=None, description="What explains predictions.")
    canary: list[Canary] = Field(default_factory=list, description="Variants beside the stable predictor.")


class InferenceService(OpenObject):
    """The resource. Its status is kept as it is."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: InferenceServiceSpec
    status: dict[str, Any] = Field(default_factory=dict)


def containers_of(predictor: Predictor) -> list[Container]:
    """All containers of a predictor's pod, those that run first included."""
    return [*predictor.init_containers, *predictor.containers]
