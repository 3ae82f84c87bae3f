from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead.control.lineage import Lineage
from fairlead.control.store import Store
from fairlead.control.world import StoredWorld
from fairlead.errors import Conflict
from fairlead.plan.model import Artifact, Owner, Part, Plan, Prefetched
from fairlead.registry.accounts.config import AccountsConfig
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.callers import Caller
from fairlead.registry.service import Registry, RegistryConfig
from fairlead.registry.values import Kind, NewVersion
from support.accounts import CHEAP

pytestmark = pytest.mark.anyio
_HELD = '{"metadata": {"registry": "huggingface"}}'
"""A manifest of a version that is complete without bytes."""


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with Registry.open(RegistryConfig.of_home(tmp_path)) as registry:
        yield registry


@pytest.fixture
async def owner(registry: Registry) -> AsyncIterator[Caller]:
    async with Accounts.open(registry.database, AccountsConfig(), registry.secret, hasher=CHEAP) as accounts:
        yield await accounts.people.owner()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[StoredWorld]:
    store = await Store.open(tmp_path / "state.db")
    yield StoredWorld(store, [])
    await store.close()


def fetches(world: StoredWorld, name: str, *uris: str) -> None:
    """Have a resource that fetches from there."""
    artifact = Artifact(uri=uris[0], parts=tuple(Part(uri=uri, mount="/mnt/models") for uri in uris[1:]))
    owner = Owner(api_version="v1", kind="Cache", namespace="team", name=name)
    plan = Plan(owner=owner, components=(), routes=(), prefetched=(Prefetched(name="model", artifact=artifact),))
    world.plans[("Cache", "team", name)] = plan


async def push(registry: Registry, owner: Caller, name: str, *versions: str) -> None:
    await registry.repositories.create(owner, Kind.MODEL, name)
    for at, version in enumerate(versions):
        await registry.versions.create(
            owner, Kind.MODEL, name, NewVersion(version=version, build_at=float(at), manifest=_HELD)
        )


async def test_whatever_fetches_a_version_uses_it(registry: Registry, owner: Caller, world: StoredWorld) -> None:
    await push(registry, owner, "iris", "v1", "v2")
    await registry.aliases.put(owner, Kind.MODEL, "iris", "live", "v1")
    fetches(world, "by-version", "fairlead://iris:v1")
    fetches(world, "by-alias", "s3://bucket/iris", "fairlead://models/iris:live")
    fetches(world, "newest", "fairlead://iris")
    fetches(world, "elsewhere", "s3://bucket/iris", "fairlead://unknown:v1")

    used = await Lineage(world, registry).deployed(owner.organization.uid)

    assert used == {
        (Kind.MODEL, "iris", "v1"): ["team/by-alias", "team/by-version"],
        (Kind.MODEL, "iris", "v2"): ["team/newest"],
    }


async def test_another_organization_s_versions_are_used_by_nobody_here(
    registry: Registry, owner: Caller, world: StoredWorld
) -> None:
    await push(registry, owner, "iris", "v1")
    fetches(world, "one", "fairlead://iris:v1")

    assert await Lineage(world, registry).deployed("somebody-else") == {}


async def test_what_is_in_use_is_not_removed(registry: Registry, owner: Caller, world: StoredWorld) -> None:
    await push(registry, owner, "iris", "v1")
    fetches(world, "one", "fairlead://iris:v1")
    registry.uses.append(Lineage(world, registry))

    with pytest.raises(Conflict, match="model iris:v1 is used by the deployment team/one"):
        await registry.versions.delete(owner, Kind.MODEL, "iris", "v1", force=False)

    await registry.versions.delete(owner, Kind.MODEL, "iris", "v1", force=True)
