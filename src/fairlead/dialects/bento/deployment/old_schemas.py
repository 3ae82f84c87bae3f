"""BentoDeployments of the old versions, which name a bento by its tag: `v1alpha1`, `v1alpha2` and `v1alpha3`."""

from pydantic import Field

from fairlead.dialects.bento.deployment.schema import ExtraPodSpec, Ingress, Resources
from fairlead.dialects.bento.schema import PodMetadata
from fairlead.dialects.podspec import Object, Quantity, ResourceRequirements


class OldAutoscaling(Object):
    """How many replicas, by what each should use."""

    cpu: int | None = Field(default=None, description="Percent of the processor that is asked for.")
    gpu: int | None = Field(default=None, description="Kept, and used by nobody.")
    memory: Quantity | None = Field(default=None, description="Memory of each replica, on average.")
    qps: int | None = Field(default=None, description="Requests per second for each replica, on average.")
    min_replicas: int | None = Field(default=None, alias="min_replicas", description="Lowest number; 2 by default.")
    max_replicas: int | None = Field(default=None, alias="max_replicas", description="Highest number; 10 by default.")


class OldEnv(Object):
    """A variable."""

    key: str = Field(description="Its name.")
    value: str = Field(default="", description="Its value.")


class OldRunner(Object):
    """What a runner has of its own."""

    name: str = Field(description="Name of the runner.")
    resources: Resources | None = Field(default=None, description="Requests and limits.")
    autoscaling: OldAutoscaling | None = Field(default=None, description="How many replicas.")
    envs: list[OldEnv] = Field(default_factory=list, description="Variables.")


class FirstAutoscaling(Object):
    """How many replicas of a runner in the first version."""

    min_replicas: int | None = Field(default=None, description="Lowest number.")
    max_replicas: int | None = Field(default=None, description="Highest number.")
    metrics: list[dict[str, object]] = Field(default_factory=list, description="Metrics of autoscaling/v2beta2.")


class FirstRunner(Object):
    """What a runner has of its own in the first version."""

    name: str = Field(description="Name of the runner.")
    autoscaling: FirstAutoscaling | None = Field(default=None, description="How many replicas.")
    resources: ResourceRequirements | None = Field(default=None, description="Requests and limits of a container.")


class OldIngress(Object):
    """The way in."""

    enabled: bool = Field(default=False, description="Whether there is one.")


class V1Alpha1Spec(Object):
    """The first version."""

    bento_tag: str = Field(alias="bento_tag", min_length=1, description="Tag of the bento.")
    resources: Resources | None = Field(default=None, description="Requests and limits of the API server.")
    autoscaling: OldAutoscaling | None = Field(default=None, description="How many replicas of the API server.")
    envs: list[OldEnv] = Field(default_factory=list, description="Variables of the API server.")
    runners: list[FirstRunner] = Field(default_factory=list, description="What runners have of their own.")


class V1Alpha2Spec(V1Alpha1Spec):
    """With a way in."""

    runners: list[OldRunner] = Field(  # type: ignore[assignment]  # runners changed their form with this version
        default_factory=list, description="What runners have of their own."
    )
    ingress: OldIngress = Field(default_factory=OldIngress, description="The way in from outside.")


class V1Alpha3Spec(V1Alpha2Spec):
    """With pods of one's own."""

    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations that say how it is run.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of all its objects.")
    ingress: Ingress = Field(  # type: ignore[assignment]  # it has more since this version
        default_factory=Ingress, description="The way in from outside."
    )
    extra_pod_metadata: PodMetadata | None = Field(
        default=None, alias="extra_pod_metadata", description="Labels and annotations of the pods."
    )
    extra_pod_spec: ExtraPodSpec | None = Field(
        default=None, alias="extra_pod_spec", description="Anything of the pods."
    )
