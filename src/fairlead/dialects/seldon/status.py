"""A plan's status in the words of a SeldonDeployment's `status`.

Consumers read `state`, `description`, `replicas`, `address.url`, `deploymentStatus`, `serviceStatus` and the
conditions. Unlike upstream, `description` always says why a deployment is not Available: which predictor, which unit,
what happened.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon import conditions, names
from fairlead.dialects.seldon.conditions import DEPLOYMENTS_READY, Condition
from fairlead.dialects.seldon.defaults import apply_defaults
from fairlead.dialects.seldon.graph import find_container, walk
from fairlead.dialects.seldon.schema import PredictorSpec, SeldonDeployment
from fairlead.plan.status import ComponentStatus, Phase, PlanStatus, Progress, ReplicaState

AVAILABLE, CREATING, FAILED = "Available", "Creating", "Failed"

_LIVE = (ReplicaState.NEW, ReplicaState.STARTING, ReplicaState.READY)
_PATHS = {"tensorflow": "/v1/models/{root}:predict", "v2": "/v2/models/{root}/infer"}
_SELDON_PATH = "/api/v1.0/predictions"
# Progress is told in tenths, so that a long download does not write a new status for every megabyte.
_PROGRESS_STEP = 10


def status_of(
    sdep: SeldonDeployment, observed: PlanStatus, previous: Mapping[str, Any], *, external_url: str, now: str
) -> dict[str, Any]:
    """The new status. `previous` is the old one, for transition times."""
    defaulted = apply_defaults(sdep, catalog=Catalog())
    sdep = defaulted.deployment
    components: dict[str, ComponentStatus] = {item.component: item for item in observed.components}
    reasons = [_why(predictor.name, components.get(predictor.name)) for predictor in sdep.spec.predictors]
    is_ready = all(_is_ready(components.get(predictor.name)) for predictor in sdep.spec.predictors)
    state = _state(sdep, components, is_ready=is_ready, is_routed=observed.routed)
    why = "; ".join(reason for reason in reasons if reason)
    if is_ready and not observed.routed:
        why = "; ".join(part for part in (why, "waiting for the gateway to route to it") if part)
    found = conditions.conditions_of(
        sdep, is_ready=is_ready, is_routed=observed.routed, why=why, cause=_cause(list(components.values()))
    )
    return {
        "state": state,
        "description": why,
        "replicas": _live(components.get(sdep.spec.predictors[0].name)),
        "address": {"url": _address(sdep, external_url)},
        "deploymentStatus": _deployments(sdep, components),
        "serviceStatus": _services(sdep, defaulted.ports),
        "conditions": conditions.write([*found, conditions.aggregate(found)], previous, now=now),
        "observedGeneration": observed.owner.generation,
    }


def failed(doc: Mapping[str, Any], message: str, *, now: str) -> dict[str, Any]:
    """The status of a document that gives no plan. What an earlier generation left running stays told."""
    previous = doc.get("status")
    previous = previous if isinstance(previous, Mapping) else {}
    missing = Condition(type=DEPLOYMENTS_READY, is_true=False, reason="InvalidManifest", message=message)
    written = conditions.write([missing, conditions.aggregate([missing])], previous, now=now)
    replaced = {condition["type"] for condition in written}
    kept = [item for item in previous.get("conditions") or [] if item.get("type") not in replaced]
    metadata = doc.get("metadata")
    generation = metadata.get("generation", 0) if isinstance(metadata, Mapping) else 0
    return {
        "replicas": 0,
        **previous,
        "state": FAILED,
        "description": message,
        "conditions": sorted([*kept, *written], key=lambda item: str(item.get("type"))),
        "observedGeneration": generation,
    }


def _state(
    sdep: SeldonDeployment, components: Mapping[str, ComponentStatus], *, is_ready: bool, is_routed: bool
) -> str:
    if is_ready and is_routed:
        return AVAILABLE
    wanted = {predictor.name for predictor in sdep.spec.predictors}
    if any(component.phase is Phase.FAILED for name, component in components.items() if name in wanted):
        return FAILED
    return CREATING


def _is_ready(component: ComponentStatus | None) -> bool:
    """Every replica answers. A component that is meant to have none is as it should be."""
    if component is None:
        return False
    if component.desired == 0:
        return component.phase is not Phase.FAILED
    return component.phase is Phase.READY and component.ready >= component.desired


def _why(name: str, component: ComponentStatus | None) -> str:
    if component is None:
        return f"predictor {name}: not started yet"
    if _is_ready(component):
        return f"predictor {name} has 0 replicas, as asked: it takes no requests" if component.desired == 0 else ""
    about = f"predictor {name}"
    if component.cause is not None:
        unit = component.cause.unit
        # Messages of runtimes start with the unit, for logs that say nothing before them.
        message = component.cause.message.removeprefix(f"unit {unit}: ")
        return f"{about}{f', unit {unit}' if unit else ''}: {message}"
    if component.progress is not None:
        return f"{about}: {component.progress.verb} {_progress(component.progress)}"
    doing = {
        Phase.PENDING: "waiting to start",
        Phase.DOWNLOADING: "downloading its models",
        Phase.STARTING: "loading",
        Phase.FAILED: "failed",
        Phase.READY: "starting more replicas",
    }[component.phase]
    return f"{about}: {doing} ({component.ready} of {component.desired} replicas ready)"


def _progress(progress: Progress) -> str:
    if progress.total_bytes <= 0:
        return progress.what
    percent = 100 * progress.done_bytes // progress.total_bytes
    return f"{progress.what} ({percent - percent % _PROGRESS_STEP} %)"


def _cause(components: Sequence[ComponentStatus]) -> str:
    return next((component.cause.reason for component in components if component.cause is not None), "")


def _live(component: ComponentStatus | None) -> int:
    if component is None:
        return 0
    return sum(replica.state in _LIVE for replica in component.replicas) if component.replicas else component.ready


def predict_path(protocol: str, root: str) -> str:
    """Where predictions are asked for, by the protocol and the graph's root."""
    return _PATHS.get(protocol, _SELDON_PATH).format(root=root)


def _address(sdep: SeldonDeployment, external_url: str) -> str:
    predictor = sdep.spec.predictors[0]
    path = predict_path(sdep.spec.protocol, predictor.graph.name)
    if external_url:
        return f"{external_url.rstrip('/')}/seldon/{sdep.metadata.namespace}/{sdep.metadata.name}{path}"
    service = names.predictor_key(sdep, predictor)
    port = names.GRPC_PORT if sdep.spec.transport == "grpc" else names.HTTP_PORT
    return f"http://{service}.{sdep.metadata.namespace}.svc.cluster.local:{port}{path}"


def _deployments(sdep: SeldonDeployment, components: Mapping[str, ComponentStatus]) -> dict[str, dict[str, int]]:
    found = {}
    for predictor in sdep.spec.predictors:
        component = components.get(predictor.name)
        counts = {"replicas": _live(component), "availableReplicas": component.ready if component else 0}
        found.update({name: dict(counts) for name in names.deployment_names(sdep, predictor)})
    return found


def _services(sdep: SeldonDeployment, ports: Mapping[tuple[int, str], Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for index, predictor in enumerate(sdep.spec.predictors):
        key = names.predictor_key(sdep, predictor)
        found[key] = _service(sdep, key, names.HTTP_PORT, names.GRPC_PORT)
        for container in _graph_containers(predictor, index):
            service = names.container_service(sdep, predictor, container)
            own = ports[index, container]
            found[service] = _service(sdep, service, own.http, own.grpc)
    return found


def _graph_containers(predictor: PredictorSpec, index: int) -> list[str]:
    nodes = dict.fromkeys(placed.node.name for placed in walk(predictor, index))
    return [name for name in nodes if find_container(predictor, name) is not None]


def _service(sdep: SeldonDeployment, name: str, http: int, grpc: int) -> dict[str, str]:
    host = f"{name}.{sdep.metadata.namespace}"
    return {"svcName": name, "httpEndpoint": f"{host}:{http}", "grpcEndpoint": f"{host}:{grpc}"}
