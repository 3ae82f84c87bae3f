"""The chart values that are read, by the names that people know from the upstream charts, and ours.

Names of Seldon's chart stand at the top, as there; KServe's under `kserve`, Yatai's under `bento`. A name that is not
in this table is told to whoever gave it and changes nothing: install lines are copied for years, and one stale name
must not stop an upgrade.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Sort(StrEnum):
    """What a value may be, in the words of messages."""

    TEXT = "text"
    FLAG = "true or false"
    NUMBER = "a whole number"
    TEXTS = "a list of text"
    LIST = "a list"
    MAPPING = "a mapping"


@dataclass(frozen=True, slots=True)
class Value:
    """One name. `choices` are all that a text may be; empty for any."""

    path: str
    sort: Sort
    choices: tuple[str, ...] = ()


ROUTINGS = ("gateway-api", "istio", "ambassador", "ingress", "none")

_OURS = {
    Sort.TEXT: """
        image.repository image.tag gateway.name gateway.namespace ingress.className clusterDomain
        registry.url registry.tokenSecret registry.existingSecret registry.storage.size registry.storage.className""",
    Sort.FLAG: """
        image.rollout networkPolicy.enabled knative.enabled ownGateway.enabled
        registry.enabled registry.deploys registry.deploySecrets""",
    Sort.LIST: "image.pullSecrets networkPolicy.from",
    Sort.MAPPING: "runtimeImages",
}
_INSTALLATION = {
    Sort.TEXT: "operator.priorityClassName serviceAccount.name",
    Sort.FLAG: """
        operator.podDisruptionBudget.enabled serviceAccount.create rbac.create crd.create runtimes.create
        webhook.enabled certManager.enabled hostNetwork""",
    Sort.NUMBER: """
        operator.replicas ownGateway.replicas registry.replicas webhook.port webhook.timeoutSeconds metrics.port""",
    Sort.LIST: "operator.tolerations",
    Sort.MAPPING: """
        operator.resources operator.nodeSelector operator.affinity operator.podAnnotations operator.podLabels
        ownGateway.resources registry.resources serviceAccount.annotations""",
}
_SELDON = {
    Sort.TEXT: """
        ambassador.version istio.gateway istio.tlsMode controllerId defaultUserID namespaceOverride
        executor.metricsPortName executor.prometheus.path executor.user executor.serviceAccount.name
        executor.image.registry executor.image.repository executor.image.tag executor.image.pullPolicy
        executor.resources.cpuLimit executor.resources.cpuRequest
        executor.resources.memoryLimit executor.resources.memoryRequest
        executor.requestLogger.defaultEndpoint
        predictiveUnit.metricsPortName predictiveUnit.defaultEnvSecretRefName""",
    Sort.FLAG: """
        ambassador.enabled ambassador.singleNamespace istio.enabled keda.enabled singleNamespace
        executor.fullHealthChecks manager.deploymentNameAsPrefix""",
    Sort.NUMBER: """
        executor.port executor.requestLogger.workQueueSize executor.requestLogger.writeTimeoutMs
        predictiveUnit.httpPort predictiveUnit.grpcPort""",
    Sort.MAPPING: "predictor_servers storageInitializer explainer credentials relatedImages",
}
_KSERVE = {
    Sort.TEXT: """
        controller.gateway.domain controller.gateway.domainTemplate controller.gateway.urlScheme
        controller.gateway.pathTemplate controller.gateway.localGateway.gateway
        controller.gateway.localGateway.gatewayService controller.gateway.localGateway.knativeGatewayService
        controller.gateway.ingressGateway.kserveGateway controller.gateway.ingressGateway.gateway
        controller.gateway.ingressGateway.className
        storage.image storage.tag agent.image agent.tag router.image router.tag router.imagePullPolicy
        storage.resources.requests.cpu storage.resources.requests.memory
        storage.resources.limits.cpu storage.resources.limits.memory
        storage.cpuModelcar storage.memoryModelcar storage.caBundleConfigMapName storage.caBundleVolumeMountPath
        storage.storageSpecSecretName storage.storageSecretNameAnnotation
        storage.s3.accessKeyIdName storage.s3.secretAccessKeyName storage.s3.endpoint storage.s3.useHttps
        storage.s3.region storage.s3.verifySSL storage.s3.useVirtualBucket storage.s3.useAccelerate
        storage.s3.useAnonymousCredential storage.s3.CABundle storage.s3.CABundleConfigMap
        inferenceservice.resources.requests.cpu inferenceservice.resources.requests.memory
        inferenceservice.resources.limits.cpu inferenceservice.resources.limits.memory
        autoscaler.scaleUpStabilizationWindowSeconds autoscaler.scaleDownStabilizationWindowSeconds
        opentelemetryCollector.scrapeInterval opentelemetryCollector.metricReceiverEndpoint
        opentelemetryCollector.metricScalerEndpoint storage.ociModelMode""",
    Sort.FLAG: """
        controller.gateway.disableIstioVirtualHost controller.gateway.disableIngressCreation
        controller.gateway.ingressGateway.enableGatewayApi storage.enableModelcar
        metricsaggregator.enableMetricAggregation metricsaggregator.enablePrometheusScraping
        security.autoMountServiceAccountToken service.serviceClusterIPNone localmodel.enabled""",
    Sort.NUMBER: "storage.uidModelcar",
    Sort.TEXTS: "controller.gateway.additionalIngressDomains router.imagePullSecrets",
    Sort.MAPPING: "servingruntime",
}

_BENTO = {
    Sort.TEXT: """
        network.domainSuffix network.ingressClass network.ingressPath network.ingressStaticTlsSecretName
        dockerRegistry.server dockerRegistry.inClusterServer dockerRegistry.bentoRepositoryName
        dockerRegistry.secretName imageBuilder.engine
        internalImages.proxy internalImages.monitorExporter internalImages.debugger internalImages.metricsTransformer
        yatai.version yatai.orgUid yatai.clusterUid""",
    Sort.FLAG: """
        dockerRegistry.secure addNamespacePrefixToImageName enableRestrictedSecurityContext
        proxy.enabled metricsTransformer.enabled""",
    Sort.MAPPING: "network.ingressAnnotations imageBuilder.resources imageBuilder.securityContext",
}

_MODES = ("Knative", "Standard", "Serverless", "RawDeployment", "ModelMesh")
_CHOICES = (
    Value("kserve.controller.deploymentMode", Sort.TEXT, _MODES),
    Value("image.pullPolicy", Sort.TEXT, ("Always", "IfNotPresent", "Never")),
    Value("routing", Sort.TEXT, ROUTINGS),
    Value("ingress.rewrite", Sort.TEXT, ("nginx", "none")),
    Value("bento.network.ingressTlsMode", Sort.TEXT, ("none", "auto", "static")),
    Value("bento.network.ingressPathType", Sort.TEXT, ("Exact", "Prefix", "ImplementationSpecific")),
    Value("webhook.failurePolicy", Sort.TEXT, ("Fail", "Ignore")),
    Value("security.profile", Sort.TEXT, ("compatible", "restricted", "none")),
)


def _listed(table: dict[Sort, str], prefix: str = "") -> Iterator[Value]:
    return (Value(f"{prefix}{path}", sort) for sort, paths in table.items() for path in paths.split())


ACCEPTED: dict[str, Value] = {
    value.path: value
    for value in (
        *_CHOICES,
        *_listed(_OURS),
        *_listed(_INSTALLATION),
        *_listed(_SELDON),
        *_listed(_KSERVE, "kserve."),
        *_listed(_BENTO, "bento."),
    )
}
"""Every value by its path."""
