"""The spec of an old version as the stored version has it. Tolerant: what is of the wrong type is left for the schema
to say."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.bento.names import request_name

Spec = Mapping[str, Any]
LEAST, MOST, CPU_PERCENT = 2, 10, 80
"""What an old `autoscaling` means where it says nothing."""
QPS = "http_request"
_RENAMED = {"extra_pod_metadata": "extraPodMetadata", "extra_pod_spec": "extraPodSpec"}


def stored_spec(spec: Spec, version: str) -> dict[str, Any]:
    """The same in the words of the stored version."""
    made: dict[str, Any] = {}
    for name, value in spec.items():
        if name == "bento_tag":
            made["bento"] = request_name(value) if isinstance(value, str) else value
        elif name == "autoscaling":
            made[name] = _autoscaling(value)
        elif name == "envs":
            made[name] = _envs(value)
        elif name == "runners":
            made[name] = [_runner(one, version) for one in value] if isinstance(value, list) else value
        else:
            made[_RENAMED.get(name, name)] = value
    return made


def _runner(runner: Any, version: str) -> Any:
    if not isinstance(runner, Mapping):
        return runner
    made = dict(runner)
    if version == "v1alpha1":
        # Upstream's own conversion loses these runners; resources are those of a container there.
        return {**made, "resources": _of_container(made["resources"])} if "resources" in made else made
    if "autoscaling" in made:
        made["autoscaling"] = _autoscaling(made["autoscaling"])
    if "envs" in made:
        made["envs"] = _envs(made["envs"])
    return made


def _of_container(resources: Any) -> Any:
    if not isinstance(resources, Mapping):
        return resources
    return {side: _items(amounts) if side in ("requests", "limits") else amounts for side, amounts in resources.items()}


def _items(amounts: Any) -> Any:
    if not isinstance(amounts, Mapping):
        return amounts
    named = {"cpu": "cpu", "memory": "memory", "nvidia.com/gpu": "gpu"}
    made = {named[name]: amount for name, amount in amounts.items() if name in named}
    custom = {name: amount for name, amount in amounts.items() if name not in named}
    return {**made, "custom": custom} if custom else made


def _envs(envs: Any) -> Any:
    if not isinstance(envs, list):
        return envs
    return [
        {"name" if key == "key" else key: value for key, value in env.items()} if isinstance(env, Mapping) else env
        for env in envs
    ]


def _autoscaling(old: Any) -> Any:
    if not isinstance(old, Mapping):
        return old
    made: dict[str, Any] = {
        "minReplicas": LEAST if old.get("min_replicas") is None else old["min_replicas"],
        "maxReplicas": MOST if old.get("max_replicas") is None else old["max_replicas"],
    }
    metrics = []
    if old.get("cpu") is not None:
        metrics.append(resource_metric("cpu", "Utilization", old["cpu"]))
    if old.get("memory") is not None:
        metrics.append(resource_metric("memory", "AverageValue", str(old["memory"])))
    if old.get("qps") is not None:
        target = {"type": "AverageValue", "averageValue": str(old["qps"])}
        metrics.append({"type": "Pods", "pods": {"metric": {"name": QPS}, "target": target}})
    return {**made, "metrics": metrics or [resource_metric("cpu", "Utilization", CPU_PERCENT)]}


def resource_metric(name: str, kind: str, target: int | str) -> dict[str, Any]:
    """A metric of autoscaling/v2 over a resource."""
    field = "averageUtilization" if kind == "Utilization" else "averageValue"
    return {"type": "Resource", "resource": {"name": name, "target": {"type": kind, field: target}}}
