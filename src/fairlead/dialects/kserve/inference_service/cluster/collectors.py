"""The OpenTelemetry collector beside a server whose own metrics KEDA scales by: an object of the OpenTelemetry
operator, which puts the collector into the pods that name it."""

from dataclasses import dataclass, replace
from typing import Any

from fairlead.dialects.kserve.inference_service.cluster.scaling import KEDA, autoscaler_class
from fairlead.dialects.kserve.inference_service.cluster.triggers import pod_metrics
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import PodTemplate

_INJECT = "sidecar.opentelemetry.io/inject"
_PORT = "prometheus.kserve.io/port"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """The object, and how a pod asks for it."""

    name: str
    document: dict[str, Any]

    def into(self, pod: PodTemplate) -> PodTemplate:
        """The pod with a collector beside its server."""
        return replace(pod, annotations={**pod.annotations, _INJECT: self.name})


def collector_of(template: ComponentTemplate, name: str, site: Site) -> Collector | None:
    """The collector of a component; `None` when its pods tell nothing that scales them."""
    metrics = pod_metrics(template) if autoscaler_class(template) == KEDA else []
    if not metrics:
        return None
    wanted = [one for each in metrics for one in (each.get("metric") or {}).get("metricNames") or ()]
    return Collector(name=name, document=_document(template, name, wanted, site))


def _document(template: ComponentTemplate, name: str, wanted: list[str], site: Site) -> dict[str, Any]:
    config = site.config.open_telemetry_collector
    port = template.annotations.get(_PORT) or "8080"
    scraped = {
        "job_name": "otel-collector",
        "scrape_interval": config.scrape_interval,
        "static_configs": [{"targets": [f"localhost:{port}"]}],
    }
    pipeline: dict[str, Any] = {"receivers": ["prometheus"], "exporters": ["otlp"]}
    processors: dict[str, Any] = {
        "resourcedetection/env": {"detectors": ["env"], "timeout": "2s", "override": False},
    }
    if wanted:
        processors["filter/metrics"] = {"metrics": {"include": {"match_type": "strict", "metric_names": wanted}}}
    return {
        "apiVersion": "opentelemetry.io/v1beta1",
        "kind": "OpenTelemetryCollector",
        "metadata": {"name": name, "namespace": template.namespace},
        "spec": {
            "mode": "sidecar",
            "resources": config.resource.resources(),
            "config": {
                "receivers": {"prometheus": {"config": {"scrape_configs": [scraped]}}},
                "processors": processors,
                "exporters": {"otlp": {"endpoint": config.metric_receiver_endpoint, "tls": {"insecure": True}}},
                "service": {"pipelines": {"metrics": {**pipeline, "processors": list(processors)}}},
            },
        },
    }
