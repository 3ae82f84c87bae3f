"""ServingRuntimes and ClusterServingRuntimes as their users write them: every field of
`serving.kserve.io/v1alpha1`, typed. The two kinds differ in their scope alone."""

from typing import Any

from pydantic import Field

from fairlead.dialects.inline_pods import InlinePod
from fairlead.dialects.podspec import Container, EnvVar, Object, ObjectMeta, OpenObject, Volume

GROUP = "serving.kserve.io"
VERSION = "v1alpha1"
KIND = "ServingRuntime"
CLUSTER_KIND = "ClusterServingRuntime"
SERVER_TYPE = "serving.kserve.io/server-type"


class SupportedFormat(Object):
    """A format that a runtime serves."""

    name: str = Field(description="sklearn, xgboost, onnx and so on.")
    version: str | None = Field(default=None, description="Version of the format, compared as text.")
    auto_select: bool = Field(default=False, description="Whether models that name no runtime may get this one.")
    priority: int | None = Field(default=None, ge=1, description="The highest wins when several could serve a model.")


class RuntimePod(Object):
    """What runtimes say of their pods."""

    containers: list[Container] = Field(description="kserve-container is the server.")
    volumes: list[Volume] = Field(default_factory=list, description="Volumes that containers mount.")
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels of nodes that may run it.")
    affinity: dict[str, Any] | None = Field(default=None, description="Which nodes and neighbours are preferred.")
    tolerations: list[dict[str, Any]] = Field(default_factory=list, description="Taints that do not matter.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of replicas; all others win.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of replicas; all others win.")
    image_pull_secrets: list[dict[str, Any]] = Field(default_factory=list, description="Credentials of registries.")
    scheduler_name: str = Field(default="", description="Who chooses the node.")
    host_ipc: bool = Field(default=False, alias="hostIPC", description="Whether it shares the node's memory segments.")
    resource_claims: list[dict[str, Any]] = Field(default_factory=list, description="Claims on devices.")


class RuntimeWorker(InlinePod):
    """Further nodes of a server."""

    containers: list[Container] = Field(description="Exactly one, named worker-container.")
    pipeline_parallel_size: int | None = Field(default=None, description="Nodes in a row.")
    tensor_parallel_size: int | None = Field(default=None, description="Devices side by side.")


class StorageHelper(Object):
    """ModelMesh's puller."""

    disabled: bool = Field(default=False, description="Accepted, not used.")


class BuiltInAdapter(Object):
    """ModelMesh's adapter."""

    server_type: str = Field(default="", description="Accepted, not used.")
    runtime_management_port: int | None = Field(default=None, description="Accepted, not used.")
    mem_buffer_bytes: int | None = Field(default=None, description="Accepted, not used.")
    model_loading_timeout_millis: int | None = Field(default=None, description="Accepted, not used.")
    env: list[EnvVar] = Field(default_factory=list, description="Accepted, not used.")


class ServingRuntimeSpec(RuntimePod):
    """A server and the models it is for."""

    supported_model_formats: list[SupportedFormat] = Field(default_factory=list, description="What it serves.")
    protocol_versions: list[str] = Field(
        default_factory=list, description="v1, v2, grpc-v1 and grpc-v2; every one when empty."
    )
    multi_model: bool = Field(default=False, description="Whether it is for ModelMesh; never chosen here then.")
    disabled: bool = Field(default=False, description="Whether it is not to be used.")
    worker_spec: RuntimeWorker | None = Field(default=None, description="Further nodes of a server.")
    grpc_endpoint: str | None = Field(default=None, description="Accepted, not used.")
    grpc_data_endpoint: str | None = Field(default=None, description="Accepted, not used.")
    http_data_endpoint: str | None = Field(default=None, description="Accepted, not used.")
    replicas: int | None = Field(default=None, description="Accepted, not used.")
    storage_helper: StorageHelper | None = Field(default=None, description="Accepted, not used.")
    built_in_adapter: BuiltInAdapter | None = Field(default=None, description="Accepted, not used.")


class RuntimeMeta(ObjectMeta):
    """Metadata with the time that decides between runtimes of equal rank."""

    creation_timestamp: str = ""


class ServingRuntime(OpenObject):
    """The resource, of either kind."""

    api_version: str = ""
    kind: str = KIND
    metadata: RuntimeMeta = Field(default_factory=RuntimeMeta)
    spec: ServingRuntimeSpec
