"""The InferenceGraph as its users write it: every field of `serving.kserve.io/v1alpha1`, typed."""

from typing import Any, Literal

from pydantic import Field

from fairlead.dialects.podspec import Object, ObjectMeta, OpenObject, ResourceRequirements

GROUP = "serving.kserve.io"
VERSION = "v1alpha1"
KIND = "InferenceGraph"
ROOT = "root"
"""The node that requests come to."""

RouterType = Literal["Sequence", "Splitter", "Ensemble", "Switch"]
Dependency = Literal["Soft", "Hard"]
ANSWER = "$response"


class GraphStep(Object):
    """One step of a node."""

    name: str = Field(default="", description="Its name; answers of an Ensemble stand under it.")
    node_name: str = Field(default="", description="Another node of the graph to go on with.")
    service_name: str = Field(default="", description="An InferenceService of the same namespace to ask.")
    service_url: str = Field(default="", description="Any other service to ask, with the path of the request.")
    data: str = Field(default="", description="$request (the default), or $response for the answer before it.")
    map_predictions_to_instances: bool = Field(default=False, description="Send predictions as instances.")
    weight: int | None = Field(default=None, description="Share of a Splitter's requests, in percent.")
    condition: str = Field(default="", description="GJSON path that must find something.")
    dependency: Dependency | None = Field(default=None, description="Whether a failure ends the node; Soft by default.")

    @property
    def targets(self) -> tuple[str, ...]:
        """What is asked; one of the three kinds in a valid graph."""
        return tuple(target for target in (self.node_name, self.service_name, self.service_url) if target)


class GraphNode(Object):
    """A node: what to do with a request, or with an answer."""

    router_type: RouterType = Field(description="Sequence, Splitter, Ensemble or Switch.")
    steps: list[GraphStep] = Field(default_factory=list, description="What it may do, in order.")


class RouterTimeouts(Object):
    """Limits of time, in seconds."""

    server_read: int | None = Field(default=None, ge=0, description="Until a request has come; the gateway's own here.")
    server_write: int | None = Field(default=None, ge=0, description="Until it is answered; 0 is no limit.")
    server_idle: int | None = Field(default=None, ge=0, description="Between requests; the gateway's own here.")
    service_client: int | None = Field(default=None, ge=0, description="For one call of a step; none by default.")


class InferenceGraphSpec(Object):
    """What is wanted."""

    nodes: dict[str, GraphNode] = Field(description="The nodes by name; requests come to root.")
    resources: ResourceRequirements = Field(
        default_factory=ResourceRequirements, description="Resources of the graph's own process."
    )
    affinity: dict[str, Any] | None = Field(default=None, description="Which nodes and neighbours are preferred.")
    timeout: int | None = Field(default=None, ge=0, description="Seconds a request may take.")
    router_timeouts: RouterTimeouts | None = Field(default=None, description="Limits of time.")
    min_replicas: int | None = Field(default=None, ge=0, description="Lowest number of replicas; 1, and 0 for to zero.")
    max_replicas: int = Field(default=0, ge=0, description="Highest number of replicas; 0 is no limit.")
    scale_target: int | None = Field(default=None, description="What the metric should be, per replica.")
    scale_metric: Literal["cpu", "memory", "concurrency", "rps"] | None = Field(
        default=None, description="cpu, memory, concurrency or rps."
    )
    tolerations: list[dict[str, Any]] = Field(default_factory=list, description="Taints that do not matter.")
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels of nodes that may run it.")
    node_name: str = Field(default="", description="Node to run it on.")
    service_account_name: str = Field(default="", description="Account of the graph's pods.")


class InferenceGraph(OpenObject):
    """The resource."""

    api_version: str = ""
    kind: str = KIND
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: InferenceGraphSpec
