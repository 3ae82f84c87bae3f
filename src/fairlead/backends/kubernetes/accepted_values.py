"""The chart values that are read, by the names that people know from the upstream charts, and ours.

Names of Seldon's chart stand at the top, as there; KServe's under `kserve`. A name that is not in this table is told to
whoever gave it and changes nothing: install lines are copied for years, and one stale name must not stop an upgrade.
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
    ANY = "anything"


@dataclass(frozen=True, slots=True)
class Value:
    """One name. `choices` are all that a text may be; empty for any."""

    path: str
    sort: Sort
    choices: tuple[str, ...] = ()


ROUTINGS = ("gateway-api", "istio", "ambassador", "ingress", "none")

_OURS = {
    Sort.TEXT: "image.repository image.tag gateway.name gateway.namespace ingress.className clusterDomain",
    Sort.FLAG: "networkPolicy.enabled knative.enabled ownGateway.enabled",
    Sort.LIST: "image.pullSecrets networkPolicy.from",
    Sort.MAPPING: "runtimeImages",
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
    Sort.MAPPING: "predictor_servers storageInitializer explainer credentials",
}

_CHOICES = (
    Value("image.pullPolicy", Sort.TEXT, ("Always", "IfNotPresent", "Never")),
    Value("routing", Sort.TEXT, ROUTINGS),
    Value("ingress.rewrite", Sort.TEXT, ("nginx", "none")),
    Value("security.profile", Sort.TEXT, ("compatible", "restricted", "none")),
)


def _listed(table: dict[Sort, str]) -> Iterator[Value]:
    return (Value(path, sort) for sort, paths in table.items() for path in paths.split())


ACCEPTED: dict[str, Value] = {value.path: value for value in (*_CHOICES, *_listed(_OURS), *_listed(_SELDON))}
"""Every value by its path."""
