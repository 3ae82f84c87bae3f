"""The sections of `inferenceservice-config` that say what is put into pods and how they are rolled out. They mean
nothing outside a cluster. Values that Go reads as text are text here too."""

from typing import Any

from pydantic import Field

from fairlead.dialects.podspec import Object


class ContainerDefaults(Object):
    """A container that is put beside the user's."""

    image: str = ""
    cpu_request: str = "100m"
    cpu_limit: str = "1"
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"

    def resources(self) -> dict[str, Any]:
        """As a container has them."""
        return {
            "requests": {"cpu": self.cpu_request, "memory": self.memory_request},
            "limits": {"cpu": self.cpu_limit, "memory": self.memory_limit},
        }


class StorageInitializerConfig(ContainerDefaults):
    """How models get into pods."""

    ca_bundle_config_map_name: str = ""
    ca_bundle_volume_mount_path: str = "/etc/ssl/custom-certs"
    enable_modelcar: bool = True
    cpu_modelcar: str = "10m"
    memory_modelcar: str = "15Mi"
    uid_modelcar: int | None = 1010
    oci_model_mode: str = ""


class MetricsConfig(Object):
    """Whether pods say where their metrics are."""

    enable_metric_aggregation: str | bool = "false"
    enable_prometheus_scraping: str | bool = "false"


class ServiceConfig(Object):
    """Services of Standard mode."""

    service_cluster_ip_none: bool = Field(default=False, alias="serviceClusterIPNone")


class DefaultRollout(Object):
    """How replicas are replaced where a component does not say."""

    max_surge: str = ""
    max_unavailable: str = ""


class RolloutStrategy(Object):
    """Of Standard mode."""

    default_rollout: DefaultRollout | None = None


class CollectorConfig(Object):
    """The collector of metrics that pods tell themselves."""

    scrape_interval: str = "5s"
    metric_receiver_endpoint: str = "keda-otel-scaler.keda.svc:4317"
    metric_scaler_endpoint: str = "keda-otel-scaler.keda.svc:4318"
    resource: ContainerDefaults = Field(default_factory=ContainerDefaults)
