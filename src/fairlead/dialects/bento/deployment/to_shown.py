"""A stored spec as an old version has it, as far as that can say it, and the status with the fields that it had."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.bento.deployment.to_stored import QPS

Spec = Mapping[str, Any]
_SAME = {
    "v1alpha1": ("resources",),
    "v1alpha2": ("resources",),
    "v1alpha3": ("annotations", "labels", "resources", "ingress"),
}
_RENAMED = {"extraPodMetadata": "extra_pod_metadata", "extraPodSpec": "extra_pod_spec"}
_PRINTED = "printerReady"
COUNTS = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "unavailableReplicas")


def shown_spec(spec: Spec, version: str, tag: str) -> dict[str, Any]:
    """The same in the words of that version. A Bento whose tag nobody knows is called by its name."""
    made = {name: value for name, value in spec.items() if name in _SAME[version]}
    if tag or "bento" in spec:
        made["bento_tag"] = tag or spec["bento"]
    if "autoscaling" in spec:
        made["autoscaling"] = _autoscaling(spec["autoscaling"])
    if "envs" in spec:
        made["envs"] = _envs(spec["envs"])
    if "runners" in spec:
        runners = spec["runners"]
        made["runners"] = [_runner(one, version) for one in runners] if isinstance(runners, list) else runners
    if version == "v1alpha2" and isinstance(spec.get("ingress"), Mapping):
        made["ingress"] = {name: value for name, value in spec["ingress"].items() if name == "enabled"}
    if version == "v1alpha3":
        made |= {old: spec[name] for name, old in _RENAMED.items() if name in spec}
    return made


def shown_status(status: Mapping[str, Any]) -> dict[str, Any]:
    """With the count of pods as one word."""
    return {**status, _PRINTED: f"{status.get('readyReplicas', 0)}/{status.get('replicas', 0)}"}


def stored_status(status: Mapping[str, Any]) -> dict[str, Any]:
    """Without that word."""
    return {name: value for name, value in status.items() if name != _PRINTED}


def _runner(runner: Any, version: str) -> Any:
    if not isinstance(runner, Mapping):
        return runner
    if version == "v1alpha1":
        made = {name: runner[name] for name in ("name", "resources") if name in runner}
        if "resources" in made:
            made["resources"] = _of_container(made["resources"])
        if isinstance(runner.get("autoscaling"), Mapping):
            made["autoscaling"] = {key: value for key, value in runner["autoscaling"].items() if key != "behavior"}
        return made
    made = {name: runner[name] for name in ("name", "resources") if name in runner}
    if "autoscaling" in runner:
        made["autoscaling"] = _autoscaling(runner["autoscaling"])
    if "envs" in runner:
        made["envs"] = _envs(runner["envs"])
    return made


def _of_container(resources: Any) -> Any:
    if not isinstance(resources, Mapping):
        return resources
    return {
        side: _amounts(amounts) if side in ("requests", "limits") else amounts for side, amounts in resources.items()
    }


def _amounts(items: Any) -> Any:
    if not isinstance(items, Mapping):
        return items
    named = {"cpu": "cpu", "memory": "memory", "gpu": "nvidia.com/gpu"}
    made = {named[name]: amount for name, amount in items.items() if name in named}
    return {**made, **(items.get("custom") or {})}


def _envs(envs: Any) -> Any:
    """Values alone: where one comes from elsewhere, an old version has no words for it."""
    if not isinstance(envs, list):
        return envs
    return [
        {"key": env.get("name", ""), **({"value": env["value"]} if "value" in env else {})}
        for env in envs
        if isinstance(env, Mapping) and env.get("valueFrom") is None
    ]


def _autoscaling(new: Any) -> Any:
    if not isinstance(new, Mapping):
        return new
    bounds = (("minReplicas", "min_replicas"), ("maxReplicas", "max_replicas"))
    made = {old: new[name] for name, old in bounds if name in new}
    return {**made, **dict(_targets(new.get("metrics")))}


def _targets(metrics: Any) -> Iterator[tuple[str, Any]]:
    for metric in metrics if isinstance(metrics, list) else ():
        resource, pods = metric.get("resource") or {}, metric.get("pods") or {}
        name = resource.get("name")
        target = (resource or pods).get("target") or {}
        if name == "cpu" and target.get("averageUtilization") is not None:
            yield "cpu", target["averageUtilization"]
        elif name == "memory" and target.get("averageValue") is not None:
            yield "memory", target["averageValue"]
        elif (pods.get("metric") or {}).get("name") == QPS and str(target.get("averageValue") or "").isdigit():
            yield "qps", int(target["averageValue"])
