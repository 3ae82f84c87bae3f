"""The pods of a part: its server as the bento's own image starts it, and whatever stands beside it.

BentoML's server is asked directly. Upstream puts an Envoy before it and a rewriter of metrics' names behind it; both
are there where the installation's values ask for them (`bento.proxy.enabled`, `bento.metricsTransformer.enabled`).
"""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.bento.bento.schema import Bento
from fairlead.dialects.bento.deployment import annotations as asked
from fairlead.dialects.bento.deployment.annotations import is_on
from fairlead.dialects.bento.deployment.cluster.merging import merged_pod
from fairlead.dialects.bento.deployment.cluster.server import environment, ports, probes, server_args
from fairlead.dialects.bento.deployment.cluster.sidecars import sidecars
from fairlead.dialects.bento.deployment.labels import SELECTOR, bento_annotations, labels_of
from fairlead.dialects.bento.deployment.lower_units import MAIN, requirements
from fairlead.dialects.bento.deployment.parts import DeploymentPart
from fairlead.dialects.bento.deployment.schema import BentoDeployment, ResourceItem, Resources
from fairlead.dialects.bento.site import Site
from fairlead.plan import quantity
from fairlead.plan.layout import PodTemplate

ACCOUNT_LABEL = "yatai.ai/bento-deployment-pod"
MAIN_USER, OTHER_USER = 1034, 1000
_DEFAULTS = Resources(requests=ResourceItem(cpu="300m", memory="500Mi"), limits=ResourceItem(cpu="500m", memory="1Gi"))
_MEMORY_LIMIT = "1Gi"


def pod_of(
    deployment: BentoDeployment,
    bento: Bento,
    part: DeploymentPart,
    peers: Mapping[str, str],
    name: str,
    site: Site,
    *,
    target: str,
) -> PodTemplate:
    """The template of a part's pods. `peers` are the Services of runners by their names, `name` is the Deployment's."""
    labels = {**part.labels, **part.pod_metadata.labels}
    labels |= {**labels_of(deployment, bento.spec.tag, part.runner or part.service, target=target), SELECTOR: name}
    return PodTemplate(
        spec=merged_pod(_spec(deployment, bento, part, peers, site), part.pod),
        labels=labels,
        annotations={**bento_annotations(bento.spec.tag), **part.pod_metadata.annotations},
    )


def resources_of(part: DeploymentPart) -> dict[str, Any]:
    """Requests and limits of the server, each amount with its default."""
    given, usual = requirements(part.resources), requirements(_DEFAULTS)
    # A default must not stand beyond what was asked for on the other side.
    limits = {**_up_to(usual.limits, given.requests), **given.limits}
    requests = {**_down_to(usual.requests, limits), **given.requests}
    return {"requests": _texts(requests), "limits": _texts(limits)}


def _spec(
    deployment: BentoDeployment, bento: Bento, part: DeploymentPart, peers: Mapping[str, str], site: Site
) -> dict[str, Any]:
    beside = sidecars(deployment, bento, part, site)
    resources = resources_of(part)
    main: dict[str, Any] = {
        "name": MAIN,
        "image": bento.spec.image,
        "command": ["sh", "-c"],
        "args": [server_args(bento, part, peers)],
        "ports": ports(bento, part),
        "env": environment(deployment, part, site),
        "resources": resources,
        "stdin": True,
        "tty": True,
        "volumeMounts": [{"name": "shared-memory", "mountPath": "/dev/shm"}],  # noqa: S108 - the pod's own
        **probes(bento, part, peers),
    }
    if context := _security(part, site):
        main["securityContext"] = context
    memory = quantity.size_bytes(resources["limits"].get("memory", _MEMORY_LIMIT))
    shared = {"medium": "Memory", "sizeLimit": quantity.format_bytes(memory // 2)}
    spec: dict[str, Any] = {
        "containers": [main, *beside.containers],
        "volumes": [{"name": "shared-memory", "emptyDir": shared}, *beside.volumes],
    }
    if account := _account(deployment, site):
        spec["serviceAccountName"] = account
    if bento.spec.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": one.name} for one in bento.spec.image_pull_secrets]
    flags = {"hostIPC": asked.HOST_IPC, "hostNetwork": asked.HOST_NETWORK, "hostPID": asked.HOST_PID}
    spec |= {field: True for field, name in flags.items() if is_on(part.annotations, name)}
    if is_on(part.annotations, asked.DEBUG):
        spec["shareProcessNamespace"] = True
    return spec


def _account(deployment: BentoDeployment, site: Site) -> str:
    """The account that an administrator marked for bentos' pods, if there is one."""
    for account in site.world.list("ServiceAccount", deployment.metadata.namespace):
        if (account["metadata"].get("labels") or {}).get(ACCOUNT_LABEL) == "true":
            return str(account["metadata"]["name"])
    return ""


def _security(part: DeploymentPart, site: Site) -> dict[str, Any]:
    """What its annotations ask for, over what the installation demands."""
    context: dict[str, Any] = {}
    if site.settings.value("bento.enableRestrictedSecurityContext", False):
        context = restricted(MAIN_USER)
    if is_on(part.annotations, asked.ROOT):
        context |= {"runAsUser": 0, "runAsNonRoot": False}
    if is_on(part.annotations, asked.PTRACE):
        capabilities = {**context.get("capabilities", {}), "add": ["SYS_PTRACE"]}
        context |= {"capabilities": capabilities}
    if is_on(part.annotations, asked.PRIVILEGED):
        context |= {"privileged": True, "allowPrivilegeEscalation": True}
    return context


def restricted(user: int) -> dict[str, Any]:
    """What the restricted policy of Kubernetes asks of a container."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "allowPrivilegeEscalation": False,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
    }


def _up_to(usual: Mapping[str, Any], requests: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _larger(amount, requests.get(name)) for name, amount in usual.items()}


def _down_to(usual: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _smaller(amount, limits.get(name)) for name, amount in usual.items()}


def _larger(amount: Any, other: Any) -> Any:
    return amount if other is None or quantity.parse(amount) >= quantity.parse(other) else other


def _smaller(amount: Any, other: Any) -> Any:
    return amount if other is None or quantity.parse(amount) <= quantity.parse(other) else other


def _texts(amounts: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(amount) for name, amount in amounts.items()}
