"""Sizes that parts of a bento can have by name, so that nobody writes amounts. An installation may have others: the key
`instance_types` of its cluster's configuration is a list in the same form, in place of this one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.registry.deploying.parts import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """One size. `resources` are requests and limits as a BentoDeployment has them."""

    name: str
    description: str
    resources: Json
    group: str = "cpu"
    node_selectors: Mapping[str, str] = field(default_factory=dict)


def _cpu(cores: int, memory_gib: int) -> InstanceType:
    # What is set aside is half of what is allowed: bentos wait for requests most of the time.
    return InstanceType(
        name=f"cpu.{cores}",
        description=f"up to {cores} CPU cores and {memory_gib} GiB of memory",
        resources={
            "requests": {"cpu": f"{cores * 500}m", "memory": f"{memory_gib * 512}Mi"},
            "limits": {"cpu": str(cores), "memory": f"{memory_gib}Gi"},
        },
    )


def _gpu(count: int) -> InstanceType:
    found = _cpu(4 * count, 16 * count)
    limits = {**found.resources["limits"], "gpu": str(count)}
    return InstanceType(
        name=f"gpu.{count}",
        description=f"{count} GPU, {found.description}",
        resources={**found.resources, "limits": limits},
        group="gpu",
    )


DEFAULTS = (*(_cpu(cores, 2 * cores) for cores in (1, 2, 4, 8)), _gpu(1))


def read(config: Mapping[str, Any]) -> Sequence[InstanceType]:
    """Those of a cluster with this configuration; entries that are none are passed over."""
    listed = config.get("instance_types")
    if not isinstance(listed, list):
        return DEFAULTS
    return [
        InstanceType(
            name=str(each["name"]),
            description=str(each.get("description") or ""),
            resources=dict(each["resources"]),
            group=str(each.get("group") or "cpu"),
            node_selectors=dict(each.get("node_selectors") or {}),
        )
        for each in listed
        if isinstance(each, dict) and each.get("name") and isinstance(each.get("resources"), dict)
    ]
