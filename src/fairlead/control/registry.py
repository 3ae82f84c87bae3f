"""The registry as an installation has it: opened with the owner's settings, and its API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fairlead.backends.local.home import Home
from fairlead.control.accounts import accounts_config, registry_config
from fairlead.control.settings import Settings
from fairlead.registry.accounts.service import Accounts
from fairlead.registry.api.app import RegistryApp
from fairlead.registry.api.composing import build_app
from fairlead.registry.service import Registry


@asynccontextmanager
async def open_registry(home: Home, settings: Settings) -> AsyncIterator[RegistryApp]:
    """The registry's API, over the registry of a home."""
    decided = accounts_config(settings)
    async with (
        Registry.open(registry_config(home, settings)) as registry,
        Accounts.open(registry.database, decided, registry.secret, clock=registry.clock) as accounts,
    ):
        yield build_app(registry, accounts)
