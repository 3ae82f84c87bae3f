"""Local model caches as their users write them: every field of the family of `serving.kserve.io/v1alpha1`, typed."""

from typing import Any

from pydantic import Field

from fairlead.dialects.podspec import Object, ObjectMeta, OpenObject, Quantity

GROUP = "serving.kserve.io"
VERSION = "v1alpha1"
CACHE, NAMESPACE_CACHE = "LocalModelCache", "LocalModelNamespaceCache"
NODE_GROUP, NODE = "LocalModelNodeGroup", "LocalModelNode"


class CacheStorage(Object):
    """Credentials of the store."""

    key: str = Field(default="", description="Entry of the Secret storage-config.")
    parameters: dict[str, str] = Field(default_factory=dict, description="type, bucket and others.")


class LocalModelCacheSpec(Object):
    """A model that is fetched before anybody asks for it."""

    source_model_uri: str = Field(description="Where the model is; not to be changed.")
    model_size: Quantity | None = Field(default=None, description="Size of the model; kept, not read.")
    node_groups: list[str] = Field(min_length=1, description="Groups of nodes that hold it.")
    service_account_name: str = Field(default="", description="ServiceAccount whose Secrets allow to fetch it.")
    storage: CacheStorage | None = Field(default=None, description="Credentials of the store.")


class LocalModelCache(OpenObject):
    """The resource, of a namespace or of all."""

    api_version: str = ""
    kind: str = CACHE
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: LocalModelCacheSpec
    status: dict[str, Any] = Field(default_factory=dict)


class NodeGroupSpec(Object):
    """Nodes with room for models. Here there is one node, and its disk is the only one."""

    storage_limit: Quantity | None = Field(default=None, description="Room for models; kept, not read.")
    persistent_volume_spec: dict[str, Any] | None = Field(default=None, description="Kept, not read.")
    persistent_volume_claim_spec: dict[str, Any] | None = Field(default=None, description="Kept, not read.")


class NodeModel(Object):
    """One model on a node."""

    model_name: str = Field(default="", description="Name of its cache.")
    source_model_uri: str = Field(default="", description="Where it is from.")
    namespace: str = Field(default="", description="Namespace of its cache; empty for one of all.")
    node_group: str = Field(default="", description="Group that asked for it.")
    service_account_name: str = Field(default="", description="ServiceAccount whose Secrets allow to fetch it.")
    storage: CacheStorage | None = Field(default=None, description="Credentials of the store.")


class NodeSpec(Object):
    """What a node is to hold."""

    local_models: list[NodeModel] = Field(default_factory=list, description="Models on the node.")


class NodeGroup(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = NODE_GROUP
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: NodeGroupSpec


class Node(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = NODE
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: NodeSpec
