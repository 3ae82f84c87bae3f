"""The LLMInferenceService as its users write it: every field of `serving.kserve.io/v1alpha2`, typed. The fields of
v1alpha1 are the same."""

from typing import Any

from pydantic import Field

from fairlead.dialects.podspec import Object, ObjectMeta, OpenObject

GROUP = "serving.kserve.io"
VERSIONS = ("v1alpha2", "v1alpha1")
KIND = "LLMInferenceService"
CONFIG_KIND = "LLMInferenceServiceConfig"
MAIN = "main"
"""The container of the template that serves."""

Kept = dict[str, Any]


class Reference(Object):
    """An object by its name."""

    name: str = Field(default="", description="Its name.")


class Lora(Object):
    """Adapters; none is served here."""

    adapters: list[Kept] = Field(default_factory=list, description="Adapters by name and uri; refused.")
    max_rank: int | None = Field(default=None, ge=1, description="Of vLLM.")
    max_adapters: int | None = Field(default=None, ge=1, description="Of vLLM.")
    max_cpu_adapters: int | None = Field(default=None, ge=1, description="Of vLLM.")


class LlmModel(Object):
    """The model."""

    uri: str = Field(default="", description="Where it is: hf://org/name, or any address of a model.")
    name: str | None = Field(default=None, description="What requests call it; the service's name by default.")
    lora: Lora | None = Field(default=None, description="Adapters.")


class Scaling(Object):
    """How many replicas, by load."""

    min_replicas: int | None = Field(default=None, ge=0, description="Lowest number; 1, and 0 for to zero.")
    max_replicas: int = Field(ge=1, description="Highest number.")
    wva: Kept | None = Field(default=None, description="The Workload Variant Autoscaler; not used.")
    keda: Kept | None = Field(default=None, description="KEDA; not used.")


class Parallelism(Object):
    """How vLLM splits a model; nothing is split here."""

    tensor: int | None = Field(default=None, ge=1, description="Devices that share each layer.")
    pipeline: int | None = Field(default=None, ge=1, description="Devices one after the other.")
    data: int | None = Field(default=None, ge=1, description="Copies of the model.")
    data_local: int | None = Field(default=None, ge=1, description="Copies on each node.")
    data_rpc_port: int | None = Field(default=None, ge=1, le=65535, alias="dataRPCPort", description="Their port.")
    expert: bool = Field(default=False, description="Whether experts are spread.")


class StorageInitializer(Object):
    """Who fetches the model."""

    enabled: bool | None = Field(default=None, description="false: a container brings its own.")


class OffloadedCache(Object):
    """Tiers of the cache of keys and values; there is one here."""

    cpu_bytes_to_use: int | None = Field(default=None, ge=1, description="Bytes of the first tier.")
    eviction_policy: str = Field(default="", description="lru or arc.")
    secondary_tiers: list[Kept] = Field(default_factory=list, description="Further tiers.")


class HttpRoute(Object):
    """Routes of Gateway API."""

    refs: list[Reference] = Field(default_factory=list, description="Routes of somebody's own; not used.")
    spec: Kept | None = Field(default=None, description="A route's spec; not used.")


class GatewayRoutes(Object):
    """The route to the service; there is always one here."""

    http: HttpRoute | None = Field(default=None, description="Of Gateway API.")


class PlaceReference(Object):
    """An object by name and namespace."""

    name: str = Field(default="", description="Its name.")
    namespace: str = Field(default="", description="Its namespace.")
    section_name: str = Field(default="", description="One of its listeners.")


class Places(Object):
    """Gateways or ingresses; here there is one gateway."""

    refs: list[PlaceReference] = Field(default_factory=list, description="Those to use; not used.")


class Router(Object):
    """How requests reach the service."""

    route: GatewayRoutes | None = Field(default=None, description="Its route.")
    gateway: Places | None = Field(default=None, description="Its gateway.")
    ingress: Places | None = Field(default=None, description="Its ingress.")
    scheduler: Kept | None = Field(default=None, description="Endpoint picker and InferencePool; not used.")


class Tracing(OpenObject):
    """Traces of vLLM's own; those of Fairlead are a setting of the installation."""


class Workload(Object):
    """Replicas of one kind."""

    replicas: int | None = Field(default=None, ge=0, description="How many, always; 1 by default.")
    scaling: Scaling | None = Field(default=None, description="How many, by load.")
    parallelism: Parallelism | None = Field(default=None, description="How the model is split.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of replicas.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of replicas.")
    template: Kept | None = Field(default=None, description="The pod; its container main serves.")
    worker: Kept | None = Field(default=None, description="Pods of further nodes; not used.")
    kv_cache_offloading: OffloadedCache | None = Field(default=None, description="Tiers of the cache.")


class LlmSpec(Workload):
    """What is wanted. Everything may come from a configuration that `baseRefs` names."""

    model: LlmModel | None = Field(default=None, description="The model.")
    storage_initializer: StorageInitializer | None = Field(default=None, description="Who fetches the model.")
    router: Router | None = Field(default=None, description="How requests reach it.")
    prefill: Workload | None = Field(default=None, description="Replicas that only read prompts; not used.")
    tracing: Tracing | None = Field(default=None, description="Traces; not used.")
    base_refs: list[Reference] = Field(default_factory=list, description="Configurations below this one, in order.")


class LlmService(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: LlmSpec = Field(default_factory=LlmSpec)
