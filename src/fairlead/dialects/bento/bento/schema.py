"""The Bento: a bento that is there, with the image that was made of it, as `resources.yatai.ai/v1alpha1` has it."""

from pydantic import Field

from fairlead.dialects.bento.schema import RESOURCES, BentoContext, BentoManifest, BentoModel, BentoRunner
from fairlead.dialects.podspec import Object, ObjectMeta, OpenObject
from fairlead.dialects.reading import Identity

GROUP, VERSION, KIND = RESOURCES, "v1alpha1", "Bento"
IDENTITY = Identity(GROUP, (VERSION,), KIND)


class SecretName(Object):
    """A Secret by its name."""

    name: str = Field(default="", description="Its name.")


class BentoSpec(Object):
    """What is there."""

    tag: str = Field(description="Tag of the bento, name:version.")
    image: str = Field(description="Image that serves it.")
    service_name: str = Field(default="", description="Name of its service.")
    context: BentoContext | None = Field(default=None, description="What it was made with.")
    runners: list[BentoRunner] = Field(default_factory=list, description="Its runners; none of a new-style bento.")
    models: list[BentoModel] = Field(default_factory=list, description="Its models.")
    manifest: BentoManifest | None = Field(default=None, description="What its server has besides.")
    image_pull_secrets: list[SecretName] = Field(default_factory=list, description="Secrets the image is pulled with.")


class Bento(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: BentoSpec
