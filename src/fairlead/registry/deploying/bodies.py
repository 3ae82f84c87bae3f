"""What clients of both dialects send, typed. Unknown keys are let by and kept: bodies are stored as they came.

`null` means the same as a missing key everywhere, since clients write all of their fields. `deployments` of clients
before 1.2 have targets with a config; those since have services with theirs.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fairlead.errors import BadRequest
from fairlead.registry.deploying import go_durations
from fairlead.registry.deploying.words import Metric, Mode, Pace, RuleType, Strategy, TargetType

Json = dict[str, Any]


class Body(BaseModel):
    """Numbers may come where text is meant, as people write them in YAML."""

    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)


class Label(Body):
    key: str = Field(min_length=1, max_length=128)
    value: str = Field(max_length=1024)


class OldEnv(Body):
    """An environment variable as clients before 1.2 write it."""

    key: str
    value: str = ""


class NamedEnv(Body):
    """An environment variable as clients since 1.2 write it."""

    name: str
    value: str = ""


class ResourceItem(Body):
    cpu: str | None = None
    memory: str | None = None
    gpu: str | None = None
    custom: dict[str, str] | None = None


class Resources(Body):
    requests: ResourceItem | None = None
    limits: ResourceItem | None = None


class HpaMetric(Body):
    type: Metric
    value: str


class HpaPolicy(Body):
    metrics: list[HpaMetric] | None = None
    scale_down_behavior: Pace | None = None
    scale_up_behavior: Pace | None = None
    scale_down_stabilization_window: int | None = Field(default=None, ge=0, le=3600)
    scale_up_stabilization_window: int | None = Field(default=None, ge=0, le=3600)


class Hpa(Body):
    """How a part of a bento scales. The four metrics by name are those of clients before 1.2."""

    cpu: int | None = Field(default=None, ge=1)
    gpu: int | None = Field(default=None, ge=1)
    memory: str | None = None
    qps: int | None = Field(default=None, ge=1)
    min_replicas: int | None = Field(default=None, ge=0)
    max_replicas: int | None = Field(default=None, ge=1)
    policy: HpaPolicy | None = None


class RequestQueue(Body):
    enabled: bool | None = None
    max_consume_concurrency: int | None = Field(default=None, ge=0)


class TrafficControl(Body):
    timeout: str | None = Field(default=None, description="A duration: 90s, 1m30s.")
    request_queue: RequestQueue | None = None

    @field_validator("timeout")
    @classmethod
    def _is_duration(cls, value: str | None) -> str | None:
        if value:
            go_durations.seconds(value)
        return value


class PodOverrides(Body):
    """Of the objects that a part becomes in a cluster, copied as they stand."""

    annotations: dict[str, str] | None = None
    monitorExporter: Json | None = None  # noqa: N815
    extraPodMetadata: Json | None = None  # noqa: N815
    extraPodSpec: Json | None = None  # noqa: N815


class RequestOverrides(Body):
    """Of the BentoRequest, copied as they stand but for the timeout, which may be a duration here."""

    imageBuildTimeout: int | str | None = None  # noqa: N815
    imageBuilderExtraPodMetadata: Json | None = None  # noqa: N815
    imageBuilderExtraPodSpec: Json | None = None  # noqa: N815
    imageBuilderExtraContainerEnv: list[Json] | None = None  # noqa: N815
    imageBuilderContainerResources: Json | None = None  # noqa: N815
    dockerConfigJsonSecretName: str | None = None  # noqa: N815
    downloaderContainerEnvFrom: Json | list[Json] | None = None  # noqa: N815

    @field_validator("imageBuildTimeout")
    @classmethod
    def _is_duration(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, str) and value:
            go_durations.seconds(value)
        return value


class PartConfig(Body):
    """What the API server and each runner may have, for clients before 1.2."""

    resource_instance: str | None = Field(default=None, description="A name of the list of instance types.")
    resources: Resources | None = None
    hpa_conf: Hpa | None = None
    envs: list[OldEnv | None] | None = None
    enable_stealing_traffic_debug_mode: bool | None = None
    enable_debug_mode: bool | None = None
    enable_debug_pod_receive_production_traffic: bool | None = None
    deployment_strategy: Strategy | None = None
    bento_deployment_overrides: PodOverrides | None = None
    traffic_control: TrafficControl | None = None
    deployment_cold_start_wait_timeout: int | None = Field(default=None, ge=0, description="Seconds.")


class TargetConfig(PartConfig):
    """The API server's, and its runners' by name."""

    kubeResourceUid: str | None = None  # noqa: N815
    kubeResourceVersion: str | None = None  # noqa: N815
    runners: dict[str, PartConfig] | None = None
    access_control: str | None = None
    enable_ingress: bool | None = Field(default=None, description="Whether it answers outside of the cluster.")
    bento_request_overrides: RequestOverrides | None = None


class CanaryRule(Body):
    type: RuleType
    weight: int | None = Field(default=None, ge=0, le=100)
    header: str | None = None
    cookie: str | None = None
    header_value: str | None = None


class TargetBody(Body):
    type: TargetType = TargetType.STABLE
    bento_repository: str
    bento: str = Field(description="The bento's version.")
    canary_rules: list[CanaryRule] | None = None
    config: TargetConfig | None = None


class UpdateV1(Body):
    """`PATCH …/deployments/<name>` of clients before 1.2. Without targets only the words about it change."""

    targets: list[TargetBody] | None = None
    mode: Mode | None = None
    labels: list[Label] | None = None
    description: str | None = Field(default=None, max_length=1 << 20)
    do_not_deploy: bool | None = None


class CreateV1(UpdateV1):
    """`POST …/deployments` of clients before 1.2, and of operators in a cluster."""

    name: str
    kube_namespace: str | None = None
    targets: list[TargetBody] = Field(min_length=1)


class Extras(Body):
    bento_function_overrides: PodOverrides | None = None
    bento_request_overrides: RequestOverrides | None = None


class ServiceConfig(Body):
    """What one service of a bento may have, for clients since 1.2."""

    instance_type: str | None = None
    scaling: Hpa | None = None
    envs: list[NamedEnv | None] | None = None
    deployment_strategy: Strategy | None = None
    extras: Extras | None = None
    cold_start_timeout: int | None = Field(default=None, ge=0)
    config_overrides: Json | None = None


class ConfigV2(Body):
    """All of a body but for what names the deployment and its bento; what a target's config says when it is read."""

    access_authorization: bool | None = None
    envs: list[NamedEnv] | None = None
    secrets: list[str] | None = None
    services: dict[str, ServiceConfig] | None = None


class CanaryVersion(ConfigV2):
    bento: str | None = None
    weight: int | None = Field(default=None, ge=0, le=100)


class Canary(Body):
    route_type: str | None = None
    route_by: str | None = None
    versions: dict[str, CanaryVersion] | None = None


class UpdateV2(ConfigV2):
    """`PUT /api/v2/deployments/<name>`."""

    bento: str
    labels: list[Label] | None = None
    canary: Canary | None = None
    dev: bool | None = None


class CreateV2(UpdateV2):
    """`POST /api/v2/deployments`."""

    name: str | None = None


_Read = TypeVar("_Read", bound=Body)


def read(model: type[_Read], body: Any) -> _Read:
    """The body as its type. Raises `BadRequest` with everything that is wrong in it, each with where it is."""
    if not isinstance(body, Mapping):
        raise BadRequest("the body must be a JSON object")
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise BadRequest("; ".join(_sentence(found) for found in error.errors())) from error


def _sentence(found: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in found["loc"])
    # pydantic puts the sort of error before the words of ours.
    return f"{where}: {str(found['msg']).removeprefix('Value error, ')}"
