"""How the GPUs of a predictor of several nodes are shared out: how many nodes there are, and what each of them has.

With Ray the head takes what is left when every worker has its own; with `mp` every node has the same. Where nobody says
how many GPUs a node has, it is one.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.kserve.serving_runtime.selection import NoRuntime

BACKEND, GPU_TYPES = "multinode/executor-backend", "serving.kserve.io/gpu-resource-types"
_KNOWN = ("nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu", "habana.ai/gaudi")


class InvalidGpuAllocation(NoRuntime):
    """Fewer GPUs are asked for than the nodes have."""

    def __init__(self, total: int, head: int, worker: int) -> None:
        text = (
            f"the total required number of GPUs({total}) is less than the number of GPUs assigned to the head "
            f"node({head}) + worker node({worker})"
        )
        super().__init__(text, failure="InvalidGPUAllocation", told=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """`count` of all, the head included."""

    count: int
    head_gpus: int
    worker_gpus: int
    resource: str


def nodes_of(
    *, pipeline: int, tensor: int, head: Mapping[str, Any], worker: Mapping[str, Any], is_mp: bool, known: Sequence[str]
) -> Nodes:
    """The nodes for so many GPUs side by side (`tensor`) and in a row (`pipeline`). `head` and `worker` are containers.
    Raises `InvalidGpuAllocation`."""
    at_head, at_worker = _said(head, known), _said(worker, known)
    resource = next((name for name, _ in (at_head, at_worker) if name), known[0])
    if is_mp:
        return Nodes(count=pipeline, head_gpus=tensor, worker_gpus=tensor, resource=resource)
    total = pipeline * tensor
    if not at_head[1] and not at_worker[1]:
        return Nodes(count=total, head_gpus=1, worker_gpus=1, resource=resource)
    each = at_worker[1] or 1
    if at_head[1] and at_worker[1] and total < at_head[1] + at_worker[1]:
        raise InvalidGpuAllocation(total, at_head[1], at_worker[1])
    count = max(1, math.ceil(total / each))
    return Nodes(count=count, head_gpus=total - each * (count - 1), worker_gpus=each, resource=resource)


def known_resources(annotations: Mapping[str, str], further: Sequence[str]) -> list[str]:
    """The names of GPUs, the usual one first."""
    try:
        said = json.loads(annotations.get(GPU_TYPES, "[]"))
    except ValueError:
        said = []
    own = [name for name in said if isinstance(name, str)] if isinstance(said, list) else []
    return [*_KNOWN, *own, *further]


def with_gpus(container: Mapping[str, Any], resource: str, count: int) -> dict[str, Any]:
    """A container with so many GPUs."""
    resources = container.get("resources") or {}
    written = {part: {**(resources.get(part) or {}), resource: str(count)} for part in ("requests", "limits")}
    return {**container, "resources": {**resources, **written}}


def _said(container: Mapping[str, Any], known: Sequence[str]) -> tuple[str, int]:
    resources = container.get("resources") or {}
    for part in ("limits", "requests"):
        for name, amount in (resources.get(part) or {}).items():
            if name in known and str(amount).isdecimal() and int(amount):
                return name, int(amount)
    return "", 0
