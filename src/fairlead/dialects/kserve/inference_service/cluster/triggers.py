"""The triggers of a ScaledObject: KEDA's words for the metrics of a component. Amounts keep their spelling."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.dialects.kserve.site import Site

Json = dict[str, Any]

OTEL = "opentelemetry"
_DEFAULT_PERCENT = 80


def triggers_of(template: ComponentTemplate, name: str, site: Site, findings: Findings) -> list[Json]:
    """All of a component's. `name` is its Deployment's."""
    written = (template.spec.get("autoScaling") or {}).get("metrics") or ()
    if not written:
        percent = template.spec.get("scaleTarget") or _DEFAULT_PERCENT
        return [
            _resource({"name": template.spec.get("scaleMetric") or "cpu", "target": {"averageUtilization": percent}})
        ]
    found = []
    for index, one in enumerate(written):
        kind = str(one.get("type") or "").lower()
        if kind == "resource" and one.get("resource"):
            found.append(_resource(one["resource"]))
        elif kind == "external" and one.get("external"):
            found.append(_external(one["external"]))
        elif kind == "podmetric" and one.get("podmetric"):
            found.append(_of_pods(one["podmetric"], template, name, site))
        else:
            path = f"spec.{template.role}.autoScaling.metrics[{index}]"
            findings.warn(f"{path} is not followed: it says nothing for its type {one.get('type') or 'none'}")
    return found


def has_pod_metrics(template: ComponentTemplate) -> bool:
    """Whether pods tell metrics that a collector beside them has to send."""
    return bool(pod_metrics(template))


def pod_metrics(template: ComponentTemplate) -> list[Mapping[str, Any]]:
    """The metrics that pods tell themselves."""
    written = (template.spec.get("autoScaling") or {}).get("metrics") or ()
    return [one["podmetric"] for one in written if one.get("podmetric")]


def threshold(target: Mapping[str, Any]) -> str:
    """What a metric should be, as it is written."""
    said = (target.get(name) for name in ("value", "averageValue", "averageUtilization"))
    return str(next((one for one in said if one is not None), ""))


def _resource(resource: Mapping[str, Any]) -> Json:
    target = resource.get("target") or {}
    kind = target.get("type") or "Utilization"
    value = target.get("averageUtilization") if kind == "Utilization" else target.get("averageValue")
    return {
        "type": resource.get("name") or "cpu",
        "metricType": kind,
        "metadata": {"value": str(_DEFAULT_PERCENT if value is None else value)},
    }


def _external(external: Mapping[str, Any]) -> Json:
    metric = external.get("metric") or {}
    metadata = {"serverAddress": metric.get("serverAddress") or "", "query": metric.get("query") or ""}
    metadata["threshold"] = threshold(external.get("target") or {})
    if metric.get("namespace"):
        metadata["namespace"] = metric["namespace"]
    trigger: Json = {"type": metric.get("backend") or "prometheus", "metadata": metadata}
    login = external.get("authenticationRef") or {}
    if login.get("authModes"):
        metadata["authModes"] = login["authModes"]
    if name := (login.get("authenticationRef") or {}).get("name"):
        trigger["authenticationRef"] = {"name": name}
    return trigger


def _of_pods(podmetric: Mapping[str, Any], template: ComponentTemplate, name: str, site: Site) -> Json:
    metric = podmetric.get("metric") or {}
    config = site.config.open_telemetry_collector
    query = f'sum({metric.get("query") or ""}{{namespace="{template.namespace}", deployment="{name}"}})'
    metadata = {
        "scalerAddress": metric.get("serverAddress") or config.metric_scaler_endpoint,
        "metricQuery": query,
        "targetValue": threshold(podmetric.get("target") or {}),
    }
    if metric.get("operationOverTime"):
        metadata["operationOverTime"] = metric["operationOverTime"]
    return {"type": "external", "metadata": metadata}
