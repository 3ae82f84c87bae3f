"""What a pod would have had and a process has not, said once to whoever wrote it.

Only what its author would miss: a label that means nothing here passes without a word, and so does what a runtime of
the installation brings along.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.pods import Placed, Pod
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS
from fairlead.plan.model import Unit

_POD_FIELDS = (
    "nodeSelector",
    "nodeName",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "schedulerName",
    "priorityClassName",
    "runtimeClassName",
    "resourceClaims",
    "imagePullSecrets",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "shareProcessNamespace",
    "dnsConfig",
    "hostAliases",
    "deploymentStrategy",
    "workerSpec",
)
_CONTAINER_FIELDS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "volumeDevices")
_WATCHED = "a server is ready when its port answers, and is started again when it ends"
_ONE_MACHINE = "there is one machine, and replicas are processes of it"


def warn_of_pod(pod: Pod, findings: Findings) -> None:
    """Fields of the component that mean nothing here."""
    spec = pod.template.spec
    for name in _POD_FIELDS:
        if spec.get(name):
            findings.warn(f"{pod.path}.{name} is not used: {_ONE_MACHINE}")
    if pod.model is not None and pod.model.confidential is not None and pod.model.confidential.enabled:
        findings.warn(f"{pod.path}.model.confidential is not used: there is nothing to decrypt a model with")
    for placed in pod.others:
        if placed.path.endswith(".runtime"):
            where = f"container {placed.container.name} of the runtime"
        else:
            where = f"{placed.path}: {placed.container.name}"
        findings.warn(f"{where} is not run: sidecars need a pod")


def warn_of_unit(pod: Pod, placed: Placed, unit: Unit, findings: Findings) -> None:
    """Fields of a container whose unit is no container."""
    written = _written(pod, placed)
    for name in _CONTAINER_FIELDS:
        if written.get(name):
            findings.warn(f"{placed.path}.{name} is not used: {_WATCHED}")
    if unit.runtime == "container":
        return
    for mount in placed.container.volume_mounts:
        volume = pod.volume(mount.name)
        if volume is None or volume.empty_dir is not None or mount.mount_path.rstrip("/") == MODELS:
            continue
        if volume.secret or volume.config_map or volume.persistent_volume_claim:
            findings.warn(f"{placed.path}.volumeMounts: the process finds nothing at {mount.mount_path}")


def _written(pod: Pod, placed: Placed) -> Mapping[str, Any]:
    """The container as the manifest has it, without its runtime's fields."""
    if placed is pod.main and pod.model is not None:
        return dict(pod.template.spec["model"])
    containers = pod.template.spec.get("containers") or ()
    name = placed.container.name
    return next((dict(one) for one in containers if one.get("name", "") == name), {})
