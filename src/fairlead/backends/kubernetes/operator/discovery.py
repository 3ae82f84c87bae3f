"""What this cluster serves: which of the kinds that we read or write, and in which version.

Asked at the start and whenever a definition comes or goes, so that installing KEDA or the Gateway API later is noticed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.resources import ResourceType, TypeKey
from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import NotFound
from fairlead.plan.layout import Routing


@dataclass(slots=True)
class Served:
    """The kinds that are there, each in the best version that is."""

    types: dict[TypeKey, ResourceType] = field(default_factory=dict)

    def get(self, key: TypeKey) -> ResourceType | None:
        """How a kind is served; `None` when it is not."""
        return self.types.get(key)

    def has(self, group: str, kind: str) -> bool:
        """Whether a kind is served at all."""
        return TypeKey(group, kind) in self.types


async def discover(api: Api, wanted: Iterable[ResourceType]) -> Served:
    """Ask. Groups that the server does not have are not there; any other failure is raised."""
    kinds = list(wanted)
    groups = await _groups(api)
    found: dict[TypeKey, ResourceType] = {}
    listings: dict[str, Sequence[Mapping[str, Any]]] = {}
    for kind in kinds:
        for version in kind.versions:
            if version not in groups.get(kind.group, ()):
                continue
            one = replace(kind, versions=(version,))
            if one.api_version not in listings:
                listings[one.api_version] = await _resources(api, one)
            if any(
                each.get("kind") == kind.kind and each.get("name") == kind.plural for each in listings[one.api_version]
            ):
                found[kind.key] = one
                break
    return Served(found)


async def _groups(api: Api) -> dict[str, list[str]]:
    answer = await api.read("/apis")
    groups = {
        str(group["name"]): [str(version["version"]) for version in group.get("versions") or ()]
        for group in answer.get("groups") or ()
    }
    return {"": ["v1"], **groups}


async def _resources(api: Api, kind: ResourceType) -> Sequence[Mapping[str, Any]]:
    path = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.versions[0]}"
    try:
        return (await api.read(path)).get("resources") or ()
    except NotFound:
        return ()  # announced a moment ago and gone since


def settings_here(settings: ClusterSettings, served: Served) -> ClusterSettings:
    """The installation's settings with what the cluster has: Knative and KEDA are used where they are, unless the
    values say otherwise. A way in that nobody chose and that the cluster does not have is none."""

    def has(name: str, group: str, kind: str) -> bool:
        return bool(settings.value(f"{name}.enabled", served.has(group, kind)))

    found = replace(
        settings,
        has_knative=has("knative", "serving.knative.dev", "Service"),
        has_keda=has("keda", "keda.sh", "ScaledObject"),
    )
    is_chosen = settings.routing is not Routing.GATEWAY_API or settings.value("routing") is not None
    if is_chosen or served.has("gateway.networking.k8s.io", "HTTPRoute"):
        return found
    return replace(found, routing=Routing.NONE)
