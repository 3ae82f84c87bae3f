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


def shipped_pod_sections() -> dict[str, Any]:
    """What an installation in a cluster starts with. No image is named: it is the operator's own, in its version."""
    amounts = _written(ContainerDefaults())
    initializer = StorageInitializerConfig()
    return {
        "storageInitializer": _written(initializer, "oci_model_mode"),
        "agent": amounts,
        "router": {**amounts, "headers": {"propagate": []}, "imagePullPolicy": "IfNotPresent"},
        "logger": {**amounts, "defaultUrl": "http://default-broker"},
        "batcher": {
            **_written(ContainerDefaults(cpu_request="1", memory_request="1Gi")),
            "maxBatchSize": "32",
            "maxLatency": "5000",
        },
        "explainers": {"art": {"image": "", "defaultImageVersion": ""}},
        "metricsAggregator": _written(MetricsConfig()),
        "service": _written(ServiceConfig()),
        "opentelemetryCollector": {**_written(CollectorConfig(), "resource"), "resource": amounts},
    }


def _written(section: Object, *hidden: str) -> dict[str, Any]:
    return section.model_dump(mode="json", by_alias=True, exclude={"image", *hidden})
