"""Which versions of the registry the resources of this machine run, whatever their dialect: what their plans fetch by
`fairlead://`. A name that may be moved counts as what it points at now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        plans = self._world.plans
        used = [(f"{key[1]}/{key[2]}", registered(_uris(plans[key]))) for key in sorted(plans)]
        return await tagged(self._registry, organization, used)


async def tagged(
    registry: Registry, organization: str, used: Iterable[tuple[str, Iterable[RegistryUri]]]
) -> Mapping[Tag, Sequence[str]]:
    """Resources (`namespace/name`) by the versions that they mean by these addresses."""
    found: dict[Tag, list[str]] = {}
    uris = [(name, sorted(set(written), key=str)) for name, written in used]
    own = await _own(registry) if any(written for _, written in uris) else None
    if own is None or own.uid != organization:
        return found
    for name, written in uris:
        for uri in written:
            if tag := await _tag(registry, own, uri):
                found.setdefault(tag, []).append(name)
    return found


async def _own(registry: Registry) -> Organization | None:
    async with registry.database.read() as connection:
        return await people.find_organization(connection, name=DEFAULT)


async def _tag(registry: Registry, organization: Organization, uri: RegistryUri) -> Tag | None:
    kind = Kind.BENTO if uri.is_bento else Kind.MODEL
    with suppress(NotFound):
        version = await registry.versions.get(organization, kind, uri.name, uri.tag or LATEST)
        return kind, uri.name, version.version
    return None


def registered(addresses: Iterable[str]) -> Iterator[RegistryUri]:
    """Those that are of the registry."""
    for written in addresses:
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
