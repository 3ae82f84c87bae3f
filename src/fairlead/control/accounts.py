"""What the settings say of the registry and of its accounts, as the registry's own values."""

from fairlead.backends.local.home import Home
from fairlead.control.settings import Settings
from fairlead.registry.accounts.config import AccountsConfig, read_providers
from fairlead.registry.service import RegistryConfig


def registry_config(home: Home, settings: Settings) -> RegistryConfig:
    """Where the registry of an installation keeps its things, and how clients are told to reach them."""
    return RegistryConfig.of_home(
        home.registry,
        database=settings.registry_database,
        store=settings.registry_store,
        public_url=settings.registry_public_url,
        transmission_strategy=settings.registry_transmission,
    )


def accounts_config(settings: Settings) -> AccountsConfig:
    """Raises ConfigError for providers of identities that cannot be used."""
    return AccountsConfig(
        setup_token=settings.registry_setup_token,
        is_registration_open=settings.registry_registration,
        component_token=settings.registry_component_token,
        owner_token=settings.token,
        providers=read_providers(settings.oidc),
    )
