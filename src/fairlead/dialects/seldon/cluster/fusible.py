"""Whether all nodes of a graph can run in one process, which then is the orchestrator too.

Only when nothing that a user wrote would be lost by it: every node is built in or a prepackaged server that our image
runs, all are in one pod, and what their containers ask for fits into one container.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.seldon import annotations
from fairlead.dialects.seldon.cluster.programs import Program
from fairlead.dialects.seldon.context import PredictorContext
from fairlead.dialects.seldon.graph import is_builtin

_MERGED = frozenset({"name", "env", "envFrom", "resources", "volumeMounts", "ports", "imagePullPolicy"})
"""What the second container of a process may ask for."""


def can_fuse(outer: PredictorContext, pods: Sequence[Mapping[str, Any]], programs: Mapping[str, Program]) -> bool:
    """Whether they fit. `pods` are the componentSpecs as JSON."""
    if annotations.of_predictor(outer.sdep, outer.predictor).get(annotations.FUSE, "").lower() == "false":
        return False
    nodes = [context.node for context in outer.nodes()]
    filled = [pod for pod in pods if pod["spec"]["containers"]]
    if len(filled) != 1 or not programs or _scales_by_container(filled[0]):
        return False
    if not all(is_builtin(node) or (node.name in programs and programs[node.name].is_own) for node in nodes):
        return False
    if len({program.image for program in programs.values()}) > 1:
        return False
    return _fit([item for item in filled[0]["spec"]["containers"] if item["name"] in programs])


def _fit(containers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether what the first container leaves free is all that the others ask for."""
    if any(container.keys() - _MERGED for container in containers[1:]):
        return False
    for field, key in (("env", "name"), ("volumeMounts", "mountPath")):
        wanted: dict[str, Any] = {}
        for container in containers:
            for item in container.get(field) or []:
                if wanted.setdefault(item[key], item) != item:
                    return False
    return True


def _scales_by_container(pod: Mapping[str, Any]) -> bool:
    """A metric of one container by its name means that container alone."""
    metrics = [*(pod.get("hpaSpec") or {}).get("metrics", []), *(pod.get("hpaSpec") or {}).get("metricsv2", [])]
    return any(metric.get("type") == "ContainerResource" for metric in metrics)
