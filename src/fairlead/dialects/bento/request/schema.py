"""The BentoRequest as its users write it: every field of `resources.yatai.ai/v1alpha1`, typed."""

from pydantic import Field

from fairlead.dialects.bento.schema import (
    RESOURCES,
    BentoContext,
    BentoManifest,
    BentoModel,
    BentoRunner,
    PodMetadata,
)
from fairlead.dialects.inline_pods import InlinePod
from fairlead.dialects.podspec import EnvFromSource, EnvVar, Object, ObjectMeta, OpenObject, ResourceRequirements
from fairlead.dialects.reading import Identity

GROUP, VERSION, KIND = RESOURCES, "v1alpha1", "BentoRequest"
IDENTITY = Identity(GROUP, (VERSION,), KIND)
NANOSECONDS = 1_000_000_000


class BentoRequestSpec(Object):
    """What is wanted."""

    bento_tag: str = Field(description="Tag of the bento, name:version.")
    download_url: str = Field(default="", description="Where the bento is: s3, gs, http(s); the registry if empty.")
    service_name: str = Field(default="", description="Name of its service.")
    context: BentoContext | None = Field(default=None, description="What it was made with; found in it if empty.")
    runners: list[BentoRunner] = Field(default_factory=list, description="Its runners; found in it if empty.")
    models: list[BentoModel] = Field(default_factory=list, description="Models to fetch besides those it lists.")
    manifest: BentoManifest | None = Field(default=None, description="What its server has besides.")
    image: str = Field(default="", description="The image to make; the installation names it if empty.")
    image_build_timeout: int | None = Field(default=None, ge=0, description="Nanoseconds that building may take.")
    build_args: list[str] = Field(default_factory=list, description="KEY=value, for the Dockerfile.")
    image_builder_extra_pod_metadata: PodMetadata | None = Field(
        default=None, description="Labels and annotations of the builder's pod."
    )
    image_builder_extra_pod_spec: InlinePod | None = Field(default=None, description="The builder's pod.")
    image_builder_extra_container_env: list[EnvVar] = Field(
        default_factory=list, description="Variables of all containers of the builder's pod."
    )
    image_builder_container_resources: ResourceRequirements | None = Field(
        default=None, description="Resources of the builder."
    )
    docker_config_json_secret_name: str = Field(default="", description="Secret with the registry's credentials.")
    oci_registry_insecure: bool = Field(default=False, description="Whether the registry speaks HTTP without TLS.")
    downloader_container_env_from: list[EnvFromSource] = Field(
        default_factory=list, description="Secrets and ConfigMaps with the credentials of downloads."
    )


class BentoRequest(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: BentoRequestSpec

    @property
    def timeout_s(self) -> float | None:
        """How long building may take; `None` for ever."""
        nanoseconds = self.spec.image_build_timeout
        return nanoseconds / NANOSECONDS if nanoseconds else None
