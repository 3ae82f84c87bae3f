"""The ClusterStorageContainer as its users write it: every field of `serving.kserve.io/v1alpha1`, typed."""

from typing import Literal

from pydantic import Field

from fairlead.dialects.podspec import Container, Object, ObjectMeta, OpenObject

GROUP = "serving.kserve.io"
VERSION = "v1alpha1"
KIND = "ClusterStorageContainer"
INIT_CONTAINER: Literal["initContainer"] = "initContainer"


class UriFormat(Object):
    """Addresses that a container fetches."""

    prefix: str = Field(default="", description="What they start with.")
    regex: str = Field(default="", description="What they match.")


class StorageContainerSpec(Object):
    """Who fetches which models. Models are fetched without containers here; its addresses and variables count."""

    container: Container = Field(description="The container that would fetch them.")
    supported_uri_formats: list[UriFormat] = Field(description="Addresses that it fetches.")
    workload_type: Literal["initContainer", "localModelDownloadJob"] = Field(
        default=INIT_CONTAINER, description="initContainer or localModelDownloadJob."
    )
    supports_multi_model_download: bool = Field(default=False, description="Whether it fetches several models.")


class ClusterStorageContainer(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: StorageContainerSpec
    disabled: bool = False
