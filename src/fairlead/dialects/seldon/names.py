"""The names a cluster would give to the objects of a SeldonDeployment.

Dashboards, scripts and clients know them, so replicas, hosts and status keep them. Rules: Seldon Core v1.18 operator,
as observed; a name over 63 characters becomes `seldon-` and the MD5 of the long name.
"""

import hashlib
from collections.abc import Sequence

from fairlead.dialects.seldon.schema import PredictorSpec, SeldonDeployment, SeldonPodSpec

LONGEST_NAME = 63
SERVICE_NAME_ANNOTATION = "seldon.io/svc-name"
HTTP_PORT, GRPC_PORT = 8000, 5001
"""Ports of a predictor's Service."""


def shorten(name: str) -> str:
    """The name, or what stands for it when it is too long to be a DNS label."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"seldon-{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()}"


def seldon_id(sdep: SeldonDeployment) -> str:
    """The label value that marks everything of a deployment."""
    return shorten(sdep.metadata.name)


def predictor_key(sdep: SeldonDeployment, predictor: PredictorSpec) -> str:
    """The name of a predictor's Service."""
    fixed = predictor.annotations.get(SERVICE_NAME_ANNOTATION, "")
    return fixed or shorten(f"{sdep.metadata.name}-{predictor.name}")


def deployment_name(sdep: SeldonDeployment, predictor: PredictorSpec, index: int, *, keeps_prefix: bool = False) -> str:
    """The name of the Deployment of a predictor's pod number `index`, containers already defaulted. One that is too
    long can keep the deployment's own name before the digest (`DEPLOYMENT_NAME_AS_PREFIX` upstream), if that fits."""
    pod = predictor.component_specs[index]
    tail = pod.metadata.name or "-".join(container.name for container in pod.spec.containers)
    name = f"{sdep.metadata.name}-{predictor.name}-{index}-{tail}"
    prefixed = f"{sdep.metadata.name}-{shorten(name).removeprefix('seldon-')}"
    if keeps_prefix and len(name) > LONGEST_NAME and len(prefixed) <= LONGEST_NAME:
        return prefixed
    return shorten(name)


def orchestrator(sdep: SeldonDeployment, predictor: PredictorSpec) -> str:
    """The name of the Deployment of an orchestrator that has a pod of its own."""
    return shorten(f"{sdep.metadata.name}-{predictor.name}-svc-orch")


def explainer(sdep: SeldonDeployment, predictor: PredictorSpec) -> str:
    """The name of everything that belongs to a predictor's explainer."""
    return shorten(f"{sdep.metadata.name}-{predictor.name}-explainer")


def deployment_names(sdep: SeldonDeployment, predictor: PredictorSpec) -> list[str]:
    """The names of all Deployments of a predictor; a predictor without pods gets one for its orchestrator."""
    names = [
        deployment_name(sdep, predictor, index)
        for index, pod in enumerate(predictor.component_specs)
        if pod.spec.containers
    ]
    return names or [orchestrator(sdep, predictor)]


def container_service(sdep: SeldonDeployment, predictor: PredictorSpec, container: str) -> str:
    """The name of the Service of one graph container."""
    return shorten(f"{sdep.metadata.name}-{predictor.name}-{container}")


def init_container(container: str) -> str:
    """The name that an init container must have to stand for the model download of a container."""
    return cut(f"{container}-model-initializer")


def provision_volume(container: str) -> str:
    """The name of the volume that a container's model is fetched into."""
    return cut(f"{container}-provision-location")


def hosts(key: str, namespace: str) -> tuple[str, ...]:
    """The host names under which a Service answers inside a cluster."""
    return key, f"{key}.{namespace}", f"{key}.{namespace}.svc", f"{key}.{namespace}.svc.cluster.local"


def containers(pods: Sequence[SeldonPodSpec]) -> list[str]:
    """The names of all containers, in order."""
    return [container.name for pod in pods for container in pod.spec.containers]


def cut(name: str) -> str:
    """The first of the characters that a name may have."""
    return name[:LONGEST_NAME].rstrip("-")
