"""The settings of KServe in a cluster: what its ConfigMap says, over what this installation would write there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fairlead.dialects.base import Document, World
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve import autoscaler_config, config
from fairlead.dialects.kserve.chart_values import with_values
from fairlead.dialects.kserve.pod_sections import shipped_pod_sections
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

_MAP = "ConfigMap"


def cluster_config(settings: ClusterSettings) -> dict[str, str]:
    """The data of `inferenceservice-config` as an installation writes it."""
    has_revisions = settings.has_knative or settings.has_own_gateway
    mode = {"defaultDeploymentMode": "Knative" if has_revisions else "Standard"}
    return with_values({**_shipped(), "deploy": json.dumps(mode)}, settings)


# Asked several times for each look at a resource.
@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, str]:
    pods = {key: json.dumps(section) for key, section in shipped_pod_sections().items()}
    return {**config.shipped_config(config.DEFAULT_DOMAIN), **pods}


def config_map(namespace: str, name: str, data: Mapping[str, str]) -> Document:
    """A ConfigMap as a document."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": _MAP, "metadata": metadata, "data": dict(data)}


@dataclass(frozen=True, slots=True)
class ClusterWorld:
    """Implements `dialects.base.World`: another one, with `settings` in the place of its ConfigMaps of settings, by
    namespace and name."""

    world: World
    settings: Mapping[tuple[str, str], Document]

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object."""
        mine = self.settings.get((namespace, name)) if kind == _MAP else None
        return mine or self.world.get(kind, namespace, name)

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        """All objects of a kind that are stored."""
        return self.world.list(kind, namespace)

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:
        """What an object was lowered to last."""
        return self.world.plan(kind, namespace, name)

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:
        """How far that plan has got."""
        return self.world.observed(kind, namespace, name)


def cluster_world(world: World, settings: ClusterSettings) -> World:
    """The world with KServe's settings where KServe looks for them (namespace `kserve`): those that are stored there or
    else in the operator's namespace, each key that they lack as an installation would write it."""
    stored = world.get(_MAP, config.NAMESPACE, config.NAME) or world.get(_MAP, settings.namespace, config.NAME)
    data = {**cluster_config(settings), **((stored or {}).get("data") or {})}
    place, knative = (config.NAMESPACE, config.NAME), (autoscaler_config.NAMESPACE, autoscaler_config.NAME)
    scaling = world.get(_MAP, *knative) or config_map(*knative, autoscaler_config.shipped_autoscaler_config())
    return ClusterWorld(world, {place: config_map(*place, data), knative: scaling})
