"""The values of KServe's Helm chart, as the sections of `inferenceservice-config` that its templates write of them.

Somebody who installed KServe by the chart has a values file and never saw the ConfigMap; the ConfigMap stays the one
thing that services are laid out by.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.clusters import ClusterSettings

_GATEWAY = "controller.gateway"
FIELDS: Mapping[str, str] = {
    "deploy.defaultDeploymentMode": "controller.deploymentMode",
    "ingress.ingressDomain": f"{_GATEWAY}.domain",
    "ingress.domainTemplate": f"{_GATEWAY}.domainTemplate",
    "ingress.urlScheme": f"{_GATEWAY}.urlScheme",
    "ingress.pathTemplate": f"{_GATEWAY}.pathTemplate",
    "ingress.additionalIngressDomains": f"{_GATEWAY}.additionalIngressDomains",
    "ingress.disableIstioVirtualHost": f"{_GATEWAY}.disableIstioVirtualHost",
    "ingress.disableIngressCreation": f"{_GATEWAY}.disableIngressCreation",
    "ingress.localGateway": f"{_GATEWAY}.localGateway.gateway",
    "ingress.localGatewayService": f"{_GATEWAY}.localGateway.gatewayService",
    "ingress.knativeLocalGatewayService": f"{_GATEWAY}.localGateway.knativeGatewayService",
    "ingress.enableGatewayApi": f"{_GATEWAY}.ingressGateway.enableGatewayApi",
    "ingress.kserveIngressGateway": f"{_GATEWAY}.ingressGateway.kserveGateway",
    "ingress.ingressGateway": f"{_GATEWAY}.ingressGateway.gateway",
    "ingress.ingressClassName": f"{_GATEWAY}.ingressGateway.className",
    "storageInitializer.memoryRequest": "storage.resources.requests.memory",
    "storageInitializer.memoryLimit": "storage.resources.limits.memory",
    "storageInitializer.cpuRequest": "storage.resources.requests.cpu",
    "storageInitializer.cpuLimit": "storage.resources.limits.cpu",
    "storageInitializer.enableModelcar": "storage.enableModelcar",
    "storageInitializer.cpuModelcar": "storage.cpuModelcar",
    "storageInitializer.memoryModelcar": "storage.memoryModelcar",
    "storageInitializer.uidModelcar": "storage.uidModelcar",
    "storageInitializer.caBundleConfigMapName": "storage.caBundleConfigMapName",
    "storageInitializer.caBundleVolumeMountPath": "storage.caBundleVolumeMountPath",
    "credentials.storageSpecSecretName": "storage.storageSpecSecretName",
    "credentials.storageSecretNameAnnotation": "storage.storageSecretNameAnnotation",
    "credentials.s3.s3AccessKeyIDName": "storage.s3.accessKeyIdName",
    "credentials.s3.s3SecretAccessKeyName": "storage.s3.secretAccessKeyName",
    "credentials.s3.s3Endpoint": "storage.s3.endpoint",
    "credentials.s3.s3UseHttps": "storage.s3.useHttps",
    "credentials.s3.s3Region": "storage.s3.region",
    "credentials.s3.s3VerifySSL": "storage.s3.verifySSL",
    "credentials.s3.s3UseVirtualBucket": "storage.s3.useVirtualBucket",
    "credentials.s3.s3UseAccelerate": "storage.s3.useAccelerate",
    "credentials.s3.s3UseAnonymousCredential": "storage.s3.useAnonymousCredential",
    "credentials.s3.s3CABundle": "storage.s3.CABundle",
    "credentials.s3.s3CABundleConfigMap": "storage.s3.CABundleConfigMap",
    "storageInitializer.ociModelMode": "storage.ociModelMode",
    "localModel.enabled": "localmodel.enabled",
    "router.imagePullPolicy": "router.imagePullPolicy",
    "router.imagePullSecrets": "router.imagePullSecrets",
    "metricsAggregator.enableMetricAggregation": "metricsaggregator.enableMetricAggregation",
    "metricsAggregator.enablePrometheusScraping": "metricsaggregator.enablePrometheusScraping",
    "inferenceService.resource.cpuLimit": "inferenceservice.resources.limits.cpu",
    "inferenceService.resource.memoryLimit": "inferenceservice.resources.limits.memory",
    "inferenceService.resource.cpuRequest": "inferenceservice.resources.requests.cpu",
    "inferenceService.resource.memoryRequest": "inferenceservice.resources.requests.memory",
    "autoscaler.scaleUpStabilizationWindowSeconds": "autoscaler.scaleUpStabilizationWindowSeconds",
    "autoscaler.scaleDownStabilizationWindowSeconds": "autoscaler.scaleDownStabilizationWindowSeconds",
    "security.autoMountServiceAccountToken": "security.autoMountServiceAccountToken",
    "service.serviceClusterIPNone": "service.serviceClusterIPNone",
    "opentelemetryCollector.scrapeInterval": "opentelemetryCollector.scrapeInterval",
    "opentelemetryCollector.metricReceiverEndpoint": "opentelemetryCollector.metricReceiverEndpoint",
    "opentelemetryCollector.metricScalerEndpoint": "opentelemetryCollector.metricScalerEndpoint",
}
"""Where each field of the ConfigMap has its value, below `kserve`."""
_OF_ART: Mapping[str, str] = {
    "explainers.art.image": "servingruntime.art.image",
    "explainers.art.defaultImageVersion": "servingruntime.art.defaultVersion",
}
"""The same, in the table of runtimes."""
IMAGES: Mapping[str, str] = {"storageInitializer.image": "storage", "agent.image": "agent", "router.image": "router"}
"""Images, which the chart has as an `image` and a `tag`."""


def with_values(data: Mapping[str, str], settings: ClusterSettings) -> dict[str, str]:
    """The ConfigMap's data with what the chart's values say in it. Sections that they leave alone stay as they are."""
    given = dict(_given(settings))
    touched = {field.partition(".")[0] for field in given}
    sections: dict[str, Any] = {section: json.loads(data.get(section, "{}")) for section in sorted(touched)}
    for field, value in given.items():
        sections = _put(sections, field.split("."), value)
    return {**data, **{section: json.dumps(content) for section, content in sections.items()}}


def _given(settings: ClusterSettings) -> Iterator[tuple[str, Any]]:
    """The fields that the values set, with their paths in the ConfigMap."""
    if not settings.value("kserve"):
        return
    for field, path in FIELDS.items():
        value = settings.value(f"kserve.{path}")
        if value is not None:
            yield field, value
    for field, path in IMAGES.items():
        image, tag = (settings.value(f"kserve.{path}.{part}", "") for part in ("image", "tag"))
        if image:
            yield field, f"{image}:{tag}" if tag else image


def _put(sections: Mapping[str, Any], names: list[str], value: Any) -> dict[str, Any]:
    name, *rest = names
    return {**sections, name: _put(sections.get(name) or {}, rest, value) if rest else value}
