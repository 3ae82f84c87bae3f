"""Which versions of the registry the resources of this machine run, whatever their dialect: what their plans fetch by
`fairlead://`. A name that may be moved counts as what it points at now."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from fairlead.control.world import StoredWorld
from fairlead.errors import NotFound, StorageError
from fairlead.plan.model import Artifact, Plan
from fairlead.registry.accounts.people import DEFAULT
from fairlead.registry.callers import Organization
from fairlead.registry.db import people
from fairlead.registry.naming import LATEST
from fairlead.registry.service import Registry
from fairlead.registry.usage import Tag
from fairlead.registry.values import Kind
from fairlead.storage.uris import RegistryUri, parse

_SCHEME = "fairlead:"


class Lineage:
    """Implements `registry.usage.Uses` over the plans that are followed now. They fetch as the owner, so only versions
    of the organization that is there from the start can be meant."""

    def __init__(self, world: StoredWorld, registry: Registry) -> None:
        self._world = world
        self._registry = registry

    async def deployed(self, organization: str) -> Mapping[Tag, Sequence[str]]:
        """The resources (`namespace/name`) by what they use."""
        found: dict[Tag, list[str]] = {}
        used = {key: sorted(set(_registered(plan)), key=str) for key, plan in self._world.plans.items()}
        own = await self._own() if any(used.values()) else None
        if own is None or own.uid != organization:
            return found
        for (_, namespace, name), uris in sorted(used.items()):
            for uri in uris:
                if tag := await self._tag(own, uri):
                    found.setdefault(tag, []).append(f"{namespace}/{name}")
        return found

    async def _own(self) -> Organization | None:
        async with self._registry.database.read() as connection:
            return await people.find_organization(connection, name=DEFAULT)

    async def _tag(self, organization: Organization, uri: RegistryUri) -> Tag | None:
        kind = Kind.BENTO if uri.is_bento else Kind.MODEL
        with suppress(NotFound):
            version = await self._registry.versions.get(organization, kind, uri.name, uri.tag or LATEST)
            return kind, uri.name, version.version
        return None


def _registered(plan: Plan) -> Iterator[RegistryUri]:
    for written in _uris(plan):
        if written.startswith(_SCHEME):
            with suppress(StorageError):
                parsed = parse(written)
                if isinstance(parsed, RegistryUri):
                    yield parsed


def _uris(plan: Plan) -> Iterator[str]:
    for artifact in _artifacts(plan):
        yield artifact.uri
        yield from (part.uri for part in artifact.parts)


def _artifacts(plan: Plan) -> Iterator[Artifact]:
    for component in plan.components:
        yield from (unit.artifact for unit in component.revision.units if unit.artifact)
        yield from (model.artifact for model in component.hosted)
    yield from (one.artifact for one in plan.prefetched)
