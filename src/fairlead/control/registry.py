"""The registry as an installation has it: opened with the owner's settings, and its API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fairlead.backends.local.home import Home
from fairlead.control.accounts import accounts_config, registry_config
from fairlead.control.settings import Settings
from fairlead.registry.accounts.people import DEFAULT
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.api.app import RegistryApp
from fairlead.registry.api.composing import build_app
from fairlead.registry.db import people
from fairlead.registry.deploying.place import Place
from fairlead.registry.owning import owner_token
from fairlead.registry.service import Registry, load_secret
from fairlead.storage.registry import TOKEN, URL


@asynccontextmanager
async def open_registry(home: Home, settings: Settings) -> AsyncIterator[RegistryApp]:
    """The registry's API, over the registry of a home."""
    decided = accounts_config(settings)
    async with (
        Registry.open(registry_config(home, settings)) as registry,
        Accounts.open(registry.database, decided, registry.secret, clock=registry.clock) as accounts,
        registry.collector.running(),
    ):
        yield build_app(registry, accounts)


async def serve_here(registry: Registry, place: Place) -> None:
    """Let deployments of the organization that is there from the start run in a place. What runs fetches as the owner,
    who is of that one, so nobody else's could get their bentos."""
    async with registry.database.read() as connection:
        organization = await people.find_organization(connection, name=DEFAULT)
    assert organization is not None
    places = registry.clusters.places
    places.organization, places.by_name[DEFAULT] = organization.uid, place


def own_access(home: Home, settings: Settings, port: int) -> dict[str, str]:
    """The variables by which programs of an installation fetch from its own registry, once that has been opened."""
    scheme = "https" if settings.tls_cert else "http"
    host = "127.0.0.1" if settings.host in ("", "0.0.0.0", "::", "localhost") else settings.host  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    token = settings.token or owner_token(load_secret(registry_config(home, settings).secret_key))
    return {URL: f"{scheme}://{shown}:{port}", TOKEN: token}
