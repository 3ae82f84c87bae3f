"""Where a pod's metrics are, for a Prometheus that looks at annotations, and which nodes have its accelerator."""

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.cluster.draft import Draft

_AGGREGATION = "serving.kserve.io/enable-metric-aggregation"
_SCRAPING = "serving.kserve.io/enable-prometheus-scraping"
_PORT, _PATH = "prometheus.kserve.io/port", "prometheus.kserve.io/path"
_QUEUE_PORT = "9091"
_ACCELERATOR, _NODE_LABEL = "serving.kserve.io/gke-accelerator", "cloud.google.com/gke-accelerator"
_GPU = "nvidia.com/gpu"


def tell_metrics(draft: Draft, findings: Findings) -> None:
    """Point to the server's own metrics, or in Knative's mode to those of its queue, which is what has a port there."""
    config, said = draft.site.config.metrics_aggregator, draft.annotations
    is_knative = draft.template.is_knative
    if _is_true(said.get(_AGGREGATION, config.enable_metric_aggregation)) and is_knative:
        findings.warn(
            f"annotation {_AGGREGATION} is ignored: queue-proxy is Knative's own container, and nothing here changes it"
        )
    if not _is_true(said.get(_SCRAPING, config.enable_prometheus_scraping)):
        return
    port = _QUEUE_PORT if is_knative else said.get(_PORT) or "8080"
    path = "/metrics" if is_knative else said.get(_PATH) or "/metrics"
    for name, value in (("scrape", "true"), ("port", port), ("path", path)):
        draft.annotations.setdefault(f"prometheus.io/{name}", value)


def select_accelerator(draft: Draft) -> None:
    """The nodes with the accelerator that an annotation names, for pods that ask for one."""
    wanted = draft.annotations.get(_ACCELERATOR)
    if wanted and any(_has_gpu(one) for one in draft.containers):
        draft.fields["nodeSelector"] = {**(draft.fields.get("nodeSelector") or {}), _NODE_LABEL: wanted}


def _has_gpu(container: dict[str, object]) -> bool:
    resources = container.get("resources")
    limits = resources.get("limits") if isinstance(resources, dict) else None
    return isinstance(limits, dict) and str(limits.get(_GPU, "0")) != "0"


def _is_true(value: str | bool) -> bool:
    return str(value).lower() == "true"
