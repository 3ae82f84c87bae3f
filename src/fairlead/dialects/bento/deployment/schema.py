"""The BentoDeployment as it is stored: every field of `serving.yatai.ai/v2alpha1`, typed."""

from typing import Any

from pydantic import Field

from fairlead.dialects.bento.schema import SERVING, PodMetadata
from fairlead.dialects.inline_pods import InlinePod
from fairlead.dialects.podspec import EnvVar, Object, ObjectMeta, OpenObject, Quantity
from fairlead.dialects.reading import Identity

GROUP, VERSION, KIND = SERVING, "v2alpha1", "BentoDeployment"
IDENTITY = Identity(GROUP, (VERSION,), KIND)
PORT = 3000


class ResourceItem(Object):
    """Amounts of resources."""

    cpu: Quantity | None = Field(default=None, description="Processors.")
    memory: Quantity | None = Field(default=None, description="Memory.")
    gpu: Quantity | None = Field(default=None, description="GPUs of NVIDIA's; a limit in any case.")
    custom: dict[str, Quantity] = Field(default_factory=dict, description="Any other resource, by its name.")


class Resources(Object):
    """Requests and limits."""

    requests: ResourceItem | None = Field(default=None, description="What is set aside; 300m and 500Mi by default.")
    limits: ResourceItem | None = Field(default=None, description="What is allowed; 500m and 1Gi by default.")


class Autoscaling(Object):
    """How many replicas, and by what rule."""

    min_replicas: int | None = Field(default=None, ge=0, description="Lowest number of replicas; 0 for to zero.")
    max_replicas: int | None = Field(default=None, ge=1, description="Highest number of replicas.")
    metrics: list[dict[str, Any]] = Field(
        default_factory=list, description="Metrics of autoscaling/v2; the processor at 80 % by default."
    )
    behavior: dict[str, Any] | None = Field(default=None, description="How fast the number may change.")


class ExtraPodSpec(InlinePod):
    """Anything of a pod: what is given here takes the place of what would be there, containers by name."""


class RunnerSpec(Object):
    """What a runner has of its own."""

    name: str = Field(description="Name of the runner.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations that say how it is run.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of its objects.")
    resources: Resources | None = Field(default=None, description="Requests and limits.")
    autoscaling: Autoscaling | None = Field(default=None, description="How many replicas.")
    envs: list[EnvVar] = Field(default_factory=list, description="Variables.")
    extra_pod_metadata: PodMetadata | None = Field(default=None, description="Labels and annotations of its pods.")
    extra_pod_spec: ExtraPodSpec | None = Field(default=None, description="Anything of its pods.")


class IngressTls(Object):
    """A certificate for the way in."""

    secret_name: str = Field(default="", description="Secret with tls.crt and tls.key.")


class Ingress(Object):
    """The way in from outside."""

    enabled: bool = Field(default=False, description="Whether there is one.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of the Ingress or route.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of the Ingress or route.")
    tls: IngressTls | None = Field(default=None, description="Its certificate.")


class MonitorMount(OpenObject):
    """A volume for the exporter; its source stands beside these fields, as in a pod's volumes."""

    path: str = Field(description="Where it is mounted.")
    read_only: bool = Field(default=False, description="Whether it may only be read.")


class MonitorExporter(Object):
    """Where monitored data goes."""

    enabled: bool = Field(default=False, description="Whether it runs.")
    output: str = Field(default="", description="Name of an output of Fluent Bit.")
    options: dict[str, str] = Field(default_factory=dict, description="Options of the output.")
    structure_options: list[EnvVar] = Field(
        default_factory=list, description="Options that may come from Secrets; they win over options."
    )
    mounts: list[MonitorMount] = Field(default_factory=list, description="Volumes of the exporter.")


class BentoDeploymentSpec(Object):
    """What is to run."""

    bento: str = Field(min_length=1, description="Name of the Bento, or of the BentoRequest that is to become one.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations that say how it is run.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of all its objects.")
    resources: Resources | None = Field(default=None, description="Requests and limits of the API server.")
    autoscaling: Autoscaling | None = Field(default=None, description="How many replicas of the API server.")
    envs: list[EnvVar] = Field(default_factory=list, description="Variables of the API server.")
    runners: list[RunnerSpec] = Field(default_factory=list, description="What runners have of their own.")
    ingress: Ingress = Field(default_factory=Ingress, description="The way in from outside.")
    monitor_exporter: MonitorExporter | None = Field(default=None, description="Where monitored data goes.")
    extra_pod_metadata: PodMetadata | None = Field(default=None, description="Labels and annotations of the pods.")
    extra_pod_spec: ExtraPodSpec | None = Field(default=None, description="Anything of the pods.")


class BentoDeployment(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: BentoDeploymentSpec
