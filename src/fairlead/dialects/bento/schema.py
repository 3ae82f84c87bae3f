"""What several of the kinds hold: runners, models and the bento's own words about itself, as `resources.yatai.ai`
writes them."""

from typing import Any

from pydantic import Field

from fairlead.dialects.podspec import Object, Quantity

RESOURCES, SERVING = "resources.yatai.ai", "serving.yatai.ai"


class BentoContext(Object):
    """What a bento was made with."""

    bentoml_version: str = Field(default="", description="Version of BentoML that made the bento.")


class BentoRunner(Object):
    """A runner of an old-style bento."""

    name: str = Field(description="Its name.")
    runnable_type: str = Field(default="", description="Class of what it runs.")
    model_tags: list[str] = Field(default_factory=list, description="Tags of the models it uses.")
    manifest: dict[str, Any] | None = Field(default=None, description="Anything else that is known of it.")


class BentoModel(Object):
    """A model that a bento uses."""

    tag: str = Field(description="Its tag, name:version.")
    download_url: str = Field(
        default="", description="Where to fetch it: http(s), s3, gs or hf; the registry if empty."
    )
    size: Quantity | None = Field(default=None, description="How large it is.")


class BentoManifest(Object):
    """What a bento's server has besides what every one has."""

    extra_ports: list[dict[str, Any]] = Field(default_factory=list, description="Further ports of its container.")
    livez_endpoint: str = Field(default="", description="Path that says whether it lives; /livez by default.")
    readyz_endpoint: str = Field(default="", description="Path that says whether it is ready; /readyz by default.")


class PodMetadata(Object):
    """Labels and annotations for pods."""

    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations for the pods.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels for the pods.")
