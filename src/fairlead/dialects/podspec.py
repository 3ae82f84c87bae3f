"""The parts of Kubernetes' pod specification that mean something to a plan.

Everything else of a pod is kept as it was written, so a manifest survives a round trip; it is neither checked nor
used. The types are Kubernetes' own public API (core/v1); names in JSON are its names.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Quantity = str | int | float
IntOrString = int | str


class Object(BaseModel):
    """A JSON object whose unknown fields are dropped, as an API server prunes them. `null` means absent."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        strict=True,
        extra="ignore",
        # Validators are built with the first manifest, not with the import: 40 ms of every start.
        defer_build=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: item for key, item in value.items() if item is not None}
        return value


class OpenObject(Object):
    """A JSON object whose unknown fields are kept."""

    model_config = ConfigDict(extra="allow")


class ObjectMeta(OpenObject):
    """The metadata that plans and messages use."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class KeySelector(OpenObject):
    """One key of a Secret or ConfigMap."""

    name: str = ""
    key: str
    optional: bool = False


class FieldSelector(OpenObject):
    """A field of the pod itself."""

    field_path: str


class ResourceFieldSelector(OpenObject):
    """A container's own resource as a number."""

    resource: str
    divisor: Quantity = "1"


class EnvVarSource(OpenObject):
    """Where the value of a variable comes from."""

    secret_key_ref: KeySelector | None = None
    config_map_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class EnvVar(OpenObject):
    """An environment variable."""

    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvFromRef(OpenObject):
    """The name in an `envFrom` source."""

    name: str = ""
    optional: bool = False


class EnvFromSource(OpenObject):
    """All keys of a Secret or ConfigMap as variables."""

    prefix: str = ""
    secret_ref: EnvFromRef | None = None
    config_map_ref: EnvFromRef | None = None


class ContainerPort(OpenObject):
    """A port that a container declares."""

    name: str = ""
    container_port: int


class VolumeMount(OpenObject):
    """Where a container sees a volume."""

    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""


class ResourceRequirements(OpenObject):
    """Requests and limits."""

    requests: dict[str, Quantity] = Field(default_factory=dict)
    limits: dict[str, Quantity] = Field(default_factory=dict)


class Container(OpenObject):
    """A container of a pod."""

    name: str = ""
    image: str = ""
    command: list[str] = Field(default_factory=list)
    args: list[str] = Field(default_factory=list)
    working_dir: str = ""
    env: list[EnvVar] = Field(default_factory=list)
    env_from: list[EnvFromSource] = Field(default_factory=list)
    ports: list[ContainerPort] = Field(default_factory=list)
    resources: ResourceRequirements = Field(default_factory=ResourceRequirements)
    volume_mounts: list[VolumeMount] = Field(default_factory=list)
    security_context: dict[str, Any] | None = None


class SecretVolume(OpenObject):
    """A Secret as files."""

    secret_name: str = ""
    optional: bool = False


class ConfigMapVolume(OpenObject):
    """A ConfigMap as files."""

    name: str = ""
    optional: bool = False


class ClaimVolume(OpenObject):
    """A claim on a persistent volume."""

    claim_name: str
    read_only: bool = False


class Volume(OpenObject):
    """A volume of a pod, in the kinds that exist without a cluster."""

    name: str
    empty_dir: dict[str, Any] | None = None
    secret: SecretVolume | None = None
    config_map: ConfigMapVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None


class PodSpec(OpenObject):
    """A pod."""

    containers: list[Container]
    init_containers: list[Container] = Field(default_factory=list)
    volumes: list[Volume] = Field(default_factory=list)
    service_account_name: str = ""
    termination_grace_period_seconds: int | None = None
    security_context: dict[str, Any] | None = None
