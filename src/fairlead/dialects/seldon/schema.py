"""The SeldonDeployment as its users write it: every field of `machinelearning.seldon.io`, typed.

The three served versions share this one schema. Descriptions are what `kubectl explain` shows. Names of fields that
JSON spells with an underscore have an alias; all others are camel case of the Python name.
"""

from typing import Any, Literal

from pydantic import Field

from fairlead.dialects.podspec import (
    Container,
    EnvVar,
    IntOrString,
    Object,
    ObjectMeta,
    OpenObject,
    PodSpec,
    ResourceRequirements,
)

GROUP = "machinelearning.seldon.io"
VERSIONS = ("v1", "v1alpha2", "v1alpha3")
KIND = "SeldonDeployment"

MAX_DEPTH = 30
"""Levels of `children` that the CRD's schema knows."""

NodeType = Literal["UNKNOWN_TYPE", "ROUTER", "COMBINER", "MODEL", "TRANSFORMER", "OUTPUT_TRANSFORMER"]
NodeMethod = Literal["TRANSFORM_INPUT", "TRANSFORM_OUTPUT", "ROUTE", "AGGREGATE", "SEND_FEEDBACK"]


class Endpoint(Object):
    """Where a node answers. Hosts and ports are assigned; only `type` is read."""

    service_host: str = Field(default="", alias="service_host", description="Assigned; a value given here is not used.")
    service_port: int = Field(default=0, alias="service_port", description="Assigned; a value given here is not used.")
    type: Literal["REST", "GRPC", ""] = Field(default="", description="Legacy: the node's transport, REST or GRPC.")
    http_port: int = Field(default=0, description="Assigned; a value given here is not used.")
    grpc_port: int = Field(default=0, description="Assigned; a value given here is not used.")


class Parameter(Object):
    """A constructor argument of a node's class, as text and the type to read it as."""

    name: str = Field(description="Name of the constructor's argument.")
    value: str = Field(default="", description="The value, always as text.")
    type: str = Field(default="STRING", description="INT, FLOAT, DOUBLE, STRING or BOOL.")


class Logger(Object):
    """Copies of a node's payloads as CloudEvents."""

    url: str = Field(default="", description="Where to post them; empty for the default sink.")
    mode: Literal["all", "request", "response", ""] = Field(default="", description="all, request or response.")


class PredictiveUnit(Object):
    """A node of the inference graph."""

    name: str = Field(description="Name of the node, and of its container unless it needs none.")
    children: list["PredictiveUnit"] = Field(default_factory=list, description="In the order of route numbers.")
    type: NodeType | None = Field(default=None, description="Which call the node gets.")
    implementation: str = Field(
        default="", description="A built-in node or a prepackaged server; empty for a container."
    )
    methods: list[NodeMethod] = Field(default_factory=list, description="Calls on top of those of the type.")
    endpoint: Endpoint | None = Field(default=None, description="Legacy: transport of the node.")
    parameters: list[Parameter] = Field(default_factory=list, description="Arguments of the node's class.")
    model_uri: str = Field(default="", description="Where the model is.")
    service_account_name: str = Field(default="", description="ServiceAccount whose Secrets allow to fetch the model.")
    env_secret_ref_name: str = Field(default="", description="Secret with the environment of the transfer.")
    storage_initializer_image: str = Field(default="", description="Image that would fetch the model.")
    logger: Logger | None = Field(default=None, description="Payload logging of this node.")


class Explainer(Object):
    """An explainer beside a predictor."""

    type: str = Field(default="", description="Kind of explainer; empty for none.")
    model_uri: str = Field(default="", description="Where the explainer's artifact is.")
    service_account_name: str = Field(default="", description="ServiceAccount whose Secrets allow to fetch it.")
    container_spec: Container | None = Field(default=None, description="Overrides of its container.")
    config: dict[str, str] = Field(default_factory=dict, description="Command line flags.")
    endpoint: Endpoint | None = Field(default=None, description="Its port.")
    env_secret_ref_name: str = Field(default="", description="Secret with the environment of the transfer.")
    storage_initializer_image: str = Field(default="", description="Image that would fetch the artifact.")
    replicas: int | None = Field(default=None, ge=0, description="Number of replicas.")
    init_parameters: str = Field(default="", description="Constructor arguments as JSON text.")

    @property
    def is_wanted(self) -> bool:
        """An explainer without a type is none."""
        return bool(self.type)


class Ssl(Object):
    """TLS of a predictor."""

    cert_secret_name: str = Field(default="", description="Secret with tls.crt and tls.key.")


class SvcOrchSpec(Object):
    """Settings of the orchestrator."""

    resources: ResourceRequirements | None = Field(default=None, description="Its resources.")
    env: list[EnvVar] = Field(default_factory=list, description="Its environment variables.")
    replicas: int | None = Field(default=None, ge=0, description="Replicas when it runs in a pod of its own.")


class HpaSpec(Object):
    """Horizontal scaling by metrics."""

    min_replicas: int | None = Field(default=None, ge=0, description="Lowest number of replicas.")
    max_replicas: int = Field(ge=1, description="Highest number of replicas.")
    metrics: list[dict[str, Any]] = Field(default_factory=list, description="autoscaling/v2beta1 metrics.")
    metricsv2: list[dict[str, Any]] = Field(default_factory=list, description="autoscaling/v2 metrics.")


class KedaSpec(Object):
    """Event-driven scaling."""

    polling_interval: int | None = Field(default=None, description="Seconds between looks at the triggers.")
    cooldown_period: int | None = Field(default=None, description="Seconds before scaling to the minimum.")
    idle_replica_count: int | None = Field(default=None, ge=0, description="Replicas while no trigger is active.")
    min_replica_count: int | None = Field(default=None, ge=0, description="Lowest number of replicas.")
    max_replica_count: int | None = Field(default=None, ge=0, description="Highest number of replicas.")
    advanced: dict[str, Any] | None = Field(default=None, description="Further KEDA settings.")
    triggers: list[dict[str, Any]] = Field(description="What to scale on.")
    fallback: dict[str, Any] | None = Field(default=None, description="Replicas when a trigger fails.")


class PdbSpec(Object):
    """A disruption budget."""

    min_available: IntOrString | None = Field(default=None, description="Number or percentage.")
    max_unavailable: IntOrString | None = Field(default=None, description="Number or percentage.")


class SeldonPodSpec(Object):
    """A pod of a predictor."""

    metadata: ObjectMeta = Field(default_factory=ObjectMeta, description="Its name, labels and annotations.")
    spec: PodSpec = Field(description="The pod specification.")
    hpa_spec: HpaSpec | None = Field(default=None, description="Horizontal scaling by metrics.")
    keda_spec: KedaSpec | None = Field(default=None, description="Event-driven scaling.")
    pdb_spec: PdbSpec | None = Field(default=None, description="Disruption budget.")
    replicas: int | None = Field(default=None, ge=0, description="Replicas of this pod; wins over all others.")


class PredictorSpec(Object):
    """A version of the service: a graph and the pods it runs in."""

    name: str = Field(default="", description="Unique in the deployment.")
    graph: PredictiveUnit = Field(description="The root node.")
    component_specs: list[SeldonPodSpec] = Field(default_factory=list, description="The pods.")
    replicas: int | None = Field(default=None, ge=0, description="Replicas of every pod; wins over spec.replicas.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Settings of the predictor.")
    engine_resources: ResourceRequirements | None = Field(default=None, description="Legacy, ignored.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels; `version` is always there.")
    svc_orch_spec: SvcOrchSpec = Field(default_factory=SvcOrchSpec, description="Settings of the orchestrator.")
    traffic: int = Field(default=0, description="Percentage of the traffic, or of its copy when shadow.")
    explainer: Explainer | None = Field(default=None, description="An explainer beside the predictor.")
    shadow: bool = Field(default=False, description="Gets a copy of the traffic; its answers are dropped.")
    ssl: Ssl | None = Field(default=None, description="TLS of the predictor.")
    progress_deadline_seconds: int | None = Field(default=None, ge=0, description="Seconds a rollout may take.")


class SeldonDeploymentSpec(Object):
    """What is wanted."""

    name: str = Field(default="", description="Deprecated; appears in messages of validation.")
    predictors: list[PredictorSpec] = Field(description="One or more versions of the service.")
    oauth_key: str = Field(default="", alias="oauth_key", description="Legacy, ignored.")
    oauth_secret: str = Field(default="", alias="oauth_secret", description="Legacy, ignored.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Settings of the deployment.")
    protocol: str = Field(default="", description="seldon, tensorflow, kfserving or v2.")
    transport: str = Field(default="", description="Legacy: rest or grpc.")
    replicas: int | None = Field(default=None, ge=0, description="Replicas of every predictor that does not say.")
    server_type: str = Field(default="", description="rpc or kafka.")


class SeldonDeployment(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: SeldonDeploymentSpec
