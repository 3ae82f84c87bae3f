"""What an owner decides about accounts, as values. Reading settings is control's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fairlead.errors import ConfigError
from fairlead.registry.accounts.names import check_name
from fairlead.registry.callers import Role

_KEYS = {
    "issuer", "client_id", "client_secret", "label", "scopes", "name_claim", "groups_claim", "roles", "default_role",
    "admin_groups",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider of identities (OpenID Connect). Who is in none of the groups of `roles` gets `default_role`, and is
    turned away when there is none. `admin_groups` may do everything."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    label: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    roles: tuple[tuple[str, Role], ...] = ()
    default_role: Role | None = None
    admin_groups: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the button says."""
        return self.label or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsConfig:
    """`owner_token` is the configured token of the whole installation; its bearer is the owner. `component_token`
    is what operators elsewhere send; without one they are refused."""

    setup_token: str = field(default="", repr=False)
    is_registration_open: bool = False
    component_token: str = field(default="", repr=False)
    owner_token: str = field(default="", repr=False)
    providers: tuple[Provider, ...] = ()


def read_providers(tables: Mapping[str, Any]) -> tuple[Provider, ...]:
    """The tables `[oidc.NAME]` of the settings. Raises ConfigError naming the table and what is accepted."""
    return tuple(_provider(name, table) for name, table in tables.items())


def _provider(name: str, table: Any) -> Provider:
    where = f"oidc.{name}"
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: is a table; write [{where}] and its keys below")
    if unknown := sorted(set(table) - _KEYS):
        raise ConfigError(f"{where}: unknown key {unknown[0]}; accepted here: {', '.join(sorted(_KEYS))}")
    check_name(name, where)
    issuer = _text(table, "issuer", where)
    if not _is_safe(issuer):
        raise ConfigError(f"{where}.issuer: must be an https address (http is for a provider on this machine)")
    return Provider(
        name=name,
        issuer=issuer,
        client_id=_text(table, "client_id", where),
        client_secret=str(table.get("client_secret", "")),
        label=str(table.get("label", "")),
        scopes=_words(table, "scopes", where) or ("openid", "profile", "email"),
        name_claim=str(table.get("name_claim", "preferred_username")),
        groups_claim=str(table.get("groups_claim", "groups")),
        roles=tuple((group, _role(role, f"{where}.roles.{group}")) for group, role in table.get("roles", {}).items()),
        default_role=_role(table["default_role"], f"{where}.default_role") if "default_role" in table else None,
        admin_groups=_words(table, "admin_groups", where),
    )


def _is_safe(issuer: str) -> bool:
    parts = urlsplit(issuer)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_here))


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}.{key}: must be text, and is needed")
    return value


def _words(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(word, str) for word in value):
        raise ConfigError(f"{where}.{key}: must be a list of texts")
    return tuple(value)


def _role(value: Any, where: str) -> Role:
    try:
        return Role(value)
    except ValueError:
        raise ConfigError(f"{where}: must be one of {', '.join(Role)}") from None
