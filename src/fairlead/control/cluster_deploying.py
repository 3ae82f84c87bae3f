"""A registry whose deployments run in a Kubernetes cluster: the cluster's place, and what resources there use.

Loaded only by who is told of a cluster, because it needs the libraries that talk to one.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairlead.backends.kubernetes.deploying import ClusterPlace
from fairlead.backends.kubernetes.operator import find_config
from fairlead.backends.kubernetes.operator.resources import ResourceType
from fairlead.control.lineage import registered, tagged
from fairlead.registry.accounts.people import DEFAULT
from fairlead.registry.service import Registry
from fairlead.registry.usage import Tag

_FETCHING = tuple(
    ResourceType(group=group, versions=(version,), kind=kind, plural=plural)
    for group, version, kind, plural in (
        ("machinelearning.seldon.io", "v1", "SeldonDeployment", "seldondeployments"),
        ("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices"),
        ("serving.kserve.io", "v1alpha1", "TrainedModel", "trainedmodels"),
    )
)
"""Kinds whose pods fetch models when they start. What BentoDeployments use, the registry knows from its own tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which cluster: without a kubeconfig, the one whose pod this is. No `namespaces` are all of them."""

    kubeconfig: Path | None = None
    context: str = ""
    namespaces: tuple[str, ...] = ()


@asynccontextmanager
async def deploying(registry: Registry, target: Target) -> AsyncIterator[ClusterPlace]:
    """Have deployments of the registry run there until the block ends. Raises `ConfigError` without a way to it."""
    async with ClusterPlace(find_config(target.kubeconfig, target.context), only=target.namespaces) as place:
        registry.clusters.places.by_name[DEFAULT] = place
        registry.uses.append(ClusterLineage(place, registry))
        yield place


class ClusterLineage:
    """Implements `registry.usage.Uses` over the manifests in a cluster: whatever they write as `fairlead://…`."""

    def __init__(self, place: ClusterPlace, registry: Registry) -> None:
        self._place = place
        self._registry = registry

    async def deployed(self, organization: str) -> Mapping[Tag, Sequence[str]]:
        """The resources (`namespace/name`) by what they use."""
        found = [document for kind in _FETCHING for document in await self._place.listed(kind)]
        used = [(_name(each), registered(_texts(each.get("spec")))) for each in found]
        return await tagged(self._registry, organization, used)


def _name(document: Mapping[str, Any]) -> str:
    return f"{document['metadata']['namespace']}/{document['metadata']['name']}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
