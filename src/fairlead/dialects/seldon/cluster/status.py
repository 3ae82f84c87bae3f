"""A SeldonDeployment's status from what a cluster has of its layout, in Seldon's words.

`Available` means that every Deployment has finished its roll-out and all its pods are ready, that its Services are
there, and whatever scales and protects it. Unlike upstream, `description` says what is missing: which Deployment, and
what its newest pod complains of.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.seldon import conditions
from fairlead.dialects.seldon.cluster.objects_ready import autoscalers, budgets, events_scalers, routes, services
from fairlead.dialects.seldon.cluster.pods_tell import complaint
from fairlead.dialects.seldon.conditions import DEPLOYMENTS_READY, Condition
from fairlead.dialects.seldon.names import explainer, predictor_key
from fairlead.dialects.seldon.reading import read
from fairlead.dialects.seldon.schema import SeldonDeployment
from fairlead.dialects.seldon.servers import canonical_protocol
from fairlead.dialects.seldon.status import AVAILABLE, CREATING, FAILED, predict_path
from fairlead.plan.layout import Layout, Service, Workload

NOT_PROGRESSING = "Deployment is no longer progressing and not available."
_UNAVAILABLE = "MinimumReplicasUnavailable"


def cluster_status(
    doc: Document, layout: Layout, observed: Observed, *, settings: ClusterSettings, now: str
) -> dict[str, Any]:
    """The new status; transition times of conditions that stay are those of the document's own."""
    sdep = read(doc)
    previous = doc.get("status") if isinstance(doc.get("status"), Mapping) else {}
    parts = [
        services(layout, observed),
        autoscalers(layout, observed),
        budgets(layout, observed),
        events_scalers(layout, observed),
    ]
    waiting = [text for workload in layout.workloads if (text := _missing(workload, observed))]
    is_ready = not waiting and all(part.condition.is_true for part in parts)
    is_stuck = any(_is_stuck(observed.get("Deployment", workload.name)) for workload in layout.workloads)
    found = [_deployments(layout, observed, waiting), *(part.condition for part in parts)]
    found += routes(layout, observed, settings)
    why = "; ".join([*waiting, *(part.why for part in parts if part.why)])
    description = f"{NOT_PROGRESSING} {why}".strip() if is_stuck and not is_ready else why
    return {
        "state": AVAILABLE if is_ready else FAILED if is_stuck else CREATING,
        # Left out when empty, as upstream does: some API servers take an empty text for none and refuse it.
        **({"description": description} if description else {}),
        "replicas": _count(observed.get("Deployment", layout.workloads[0].name), "replicas"),
        "address": {"url": _address(sdep, layout)},
        "deploymentStatus": {item.name: _counts(observed, item) for item in layout.workloads},
        "serviceStatus": {item.name: _service(sdep, item) for item in layout.services},
        "conditions": conditions.write([*found, conditions.aggregate(found)], previous or {}, now=now),
        "observedGeneration": sdep.metadata.generation,
    }


def _missing(workload: Workload, observed: Observed) -> str:
    """Why a Deployment is not what it is to be; empty when it is."""
    deployment = observed.get("Deployment", workload.name)
    if deployment is None:
        return f"Deployment {workload.name}: not created yet"
    status = _mapping(deployment.get("status"))
    wanted = _mapping(deployment.get("spec")).get("replicas", 1)
    is_current = int(status.get("observedGeneration") or 0) >= int(
        _mapping(deployment["metadata"]).get("generation", 0)
    )
    ready, updated = int(status.get("readyReplicas") or 0), int(status.get("updatedReplicas") or 0)
    if is_current and wanted == 0 and not status.get("replicas"):
        return ""
    is_whole = ready > 0 and ready >= wanted and updated >= wanted and not status.get("unavailableReplicas")
    if is_current and is_whole:
        return ""
    told = complaint(workload, observed.pods) or _progress(ready, updated, int(wanted))
    return f"Deployment {workload.name}: {told}"


def _progress(ready: int, updated: int, wanted: int) -> str:
    """How far it is, in the number that is still too small: in a roll-out earlier pods are ready all the while."""
    return f"{ready} of {wanted} replicas ready" if ready < wanted else f"rolling out, {updated} of {wanted} replicas"


def _is_stuck(deployment: Document | None) -> bool:
    """Neither available nor on the way there, in the Deployment's own words."""
    if deployment is None:
        return False
    found = {item.get("type"): item.get("status") for item in _conditions(deployment)}
    return found.get("Progressing") == "False" and found.get("Available") == "False"


def _deployments(layout: Layout, observed: Observed, waiting: Sequence[str]) -> Condition:
    """What the Deployments say of themselves: the first one that is not available speaks for all."""
    told = [_available(observed.get("Deployment", workload.name)) for workload in layout.workloads]
    missing = next((item for item in told if item is None or item.get("status") != "True"), None)
    why = "; ".join(waiting)
    if waiting or any(item is None for item in told):
        own = missing or {}
        reason = str(own.get("reason") or _UNAVAILABLE) if own.get("status") != "True" else _UNAVAILABLE
        return Condition(type=DEPLOYMENTS_READY, is_true=False, reason=reason, message=why)
    own = missing or told[0] or {}
    return Condition(
        type=DEPLOYMENTS_READY,
        is_true=own.get("status") == "True",
        reason=str(own.get("reason") or ""),
        message=str(own.get("message") or ""),
    )


def _available(deployment: Document | None) -> Mapping[str, Any] | None:
    return next((item for item in _conditions(deployment or {}) if item.get("type") == "Available"), None)


def _conditions(holder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    listed = _mapping(holder.get("status")).get("conditions")
    yield from (item for item in listed if isinstance(item, Mapping)) if isinstance(listed, list) else ()


def _counts(observed: Observed, workload: Workload) -> dict[str, int]:
    deployment = observed.get("Deployment", workload.name)
    return {name: _count(deployment, name) for name in ("replicas", "availableReplicas")}


def _count(deployment: Document | None, name: str) -> int:
    return int(_mapping((deployment or {}).get("status")).get(name) or 0)


def _address(sdep: SeldonDeployment, layout: Layout) -> str:
    """The first predictor's Service, by the port that the transport's clients ask; its path is the protocol's."""
    predictor = sdep.spec.predictors[0]
    key = predictor_key(sdep, predictor)
    ports = {port.name: port.port for item in layout.services if item.name == key for port in item.ports}
    port = ports.get("grpc" if sdep.spec.transport == "grpc" else "http", 0)
    path = predict_path(canonical_protocol(sdep.spec.protocol), predictor.graph.name)
    return f"http://{key}.{layout.owner.namespace}.svc.cluster.local:{port}{path}"


def _service(sdep: SeldonDeployment, service: Service) -> dict[str, str]:
    host = f"{service.name}.{sdep.metadata.namespace or 'default'}"
    told = {"svcName": service.name}
    told |= {f"{port.name}Endpoint": f"{host}:{port.port}" for port in service.ports}
    explained = next((one for one in sdep.spec.predictors if explainer(sdep, one) == service.name), None)
    return {**told, "explainerFor": predictor_key(sdep, explained)} if explained is not None else told


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
