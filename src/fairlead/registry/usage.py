"""What uses the versions of the registry, so that nobody removes it from under something that runs.

Deployments are known elsewhere; whoever knows them gives the registry a `Uses`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from fairlead.registry.values import Kind, Version

Tag = tuple[Kind, str, str]
"""A version by its kind, repository and name."""


class Uses(Protocol):
    """Somebody who runs what is in the registry."""

    async def deployed(self, organization: str) -> Mapping[Tag, Sequence[str]]:
        """The deployments (`namespace/name`) that use each version now, of the organization with this uid."""
        ...


async def deployed(sources: Iterable[Uses], organization: str) -> dict[Tag, tuple[str, ...]]:
    """What all of them say together."""
    found: dict[Tag, tuple[str, ...]] = {}
    for source in sources:
        for tag, names in (await source.deployed(organization)).items():
            found[tag] = tuple(dict.fromkeys((*found.get(tag, ()), *names)))
    return found


def tag_of(version: Version) -> Tag:
    return version.kind, version.repository_name, version.version
