"""A world that always has the settings: where somebody deleted a ConfigMap of settings, with its namespace perhaps,
what an installation starts with holds until it is there again. The names of services must not change meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.base import Document, World
from fairlead.dialects.given import GivenWorld
from fairlead.dialects.kserve import autoscaler_config, config
from fairlead.errors import ConfigError, InvalidManifest, Problem, Where
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

_PLACES = {
    (config.NAMESPACE, config.NAME): config.read_config,
    (autoscaler_config.NAMESPACE, autoscaler_config.NAME): autoscaler_config.read_autoscaler_config,
}


@dataclass(frozen=True, slots=True)
class FurnishedWorld:
    """Implements `dialects.base.World` over another one."""

    world: World
    shipped: World

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object."""
        found = self.world.get(kind, namespace, name)
        if found is None and kind == "ConfigMap" and (namespace, name) in _PLACES:
            return self.shipped.get(kind, namespace, name)
        return found

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        """All objects of a kind that are stored."""
        return self.world.list(kind, namespace)

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:
        """What an object was lowered to last."""
        return self.world.plan(kind, namespace, name)

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:
        """How far that plan has got."""
        return self.world.observed(kind, namespace, name)


def check_settings(doc: Document) -> None:
    """Raise `InvalidManifest` for a ConfigMap of settings that no service could be read by any more."""
    metadata: dict[str, Any] = doc["metadata"]
    read = _PLACES.get((metadata.get("namespace", ""), metadata["name"]))
    if doc.get("kind") != "ConfigMap" or read is None:
        return
    try:
        read(GivenWorld([doc]))
    except ConfigError as error:
        raise InvalidManifest([Problem(where=Where(path="data"), field="data", message=str(error))]) from error
