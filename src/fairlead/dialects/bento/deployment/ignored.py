"""What a pod would have had and a process has not, said once to whoever wrote it."""

from collections.abc import Iterable

from fairlead.dialects.bento.deployment.annotations import CLUSTER_ONLY
from fairlead.dialects.bento.deployment.lower_units import MAIN
from fairlead.dialects.bento.deployment.parts import DeploymentPart
from fairlead.dialects.bento.deployment.schema import BentoDeployment
from fairlead.dialects.findings import Findings

_USED = frozenset({"containers", "termination_grace_period_seconds", "service_account_name"})


def warn_of_ignored(deployment: BentoDeployment, parts: Iterable[DeploymentPart], findings: Findings) -> None:
    """Everything that means nothing on one machine."""
    exporter = deployment.spec.monitor_exporter
    if exporter is not None and exporter.enabled:
        findings.warn("spec.monitorExporter is ignored: there is no pod for an exporter beside the server")
    for field in ("annotations", "labels"):
        if getattr(deployment.spec.ingress, field):
            findings.warn(f"spec.ingress.{field} are ignored: the gateway is our own")
    for part in parts:
        for name in sorted(CLUSTER_ONLY & part.annotations.keys()):
            findings.warn(f"{part.path}.annotations[{name}] is ignored: it is about pods")
        _warn_of_pod(part, findings)


def _warn_of_pod(part: DeploymentPart, findings: Findings) -> None:
    path = f"{part.path}.extraPodSpec"
    fields = type(part.pod).model_fields
    for name in sorted(part.pod.model_fields_set - _USED):
        if getattr(part.pod, name):
            findings.warn(f"{path}.{fields[name].alias} is ignored: there is one machine, and no pod")
    for container in part.pod.containers:
        if container.name != MAIN:
            findings.warn(f"{path}.containers: {container.name} is not run; the environment of {MAIN} is taken")
