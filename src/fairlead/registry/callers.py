"""Who is asking, and what they may do: the value that every call to the registry carries.

A person has a role in an organization and, where it says so, another in a cluster; the token that they came with may
narrow that further, never widen it. Nothing here reads a request or a database: that is `registry.accounts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fairlead.errors import Forbidden

ALL_SCOPES = "api"
_CLUSTER_TYPES = frozenset({"cluster", "deployment", "deployment_revision", "terminal_record", "yatai_component"})

_PEOPLE = frozenset({"user", "organization"})


class Verb(StrEnum):
    """Looking, changing, and what only those in charge do: terminate, delete, manage people."""

    VIEW = "view"
    UPDATE = "update"
    OPERATE = "operate"


class Role(StrEnum):
    GUEST = "guest"
    DEVELOPER = "developer"
    ADMIN = "admin"

    def allows(self, verb: Verb) -> bool:
        return verb in _ALLOWED[self]


_ALLOWED = {
    Role.GUEST: frozenset({Verb.VIEW}),
    Role.DEVELOPER: frozenset({Verb.VIEW, Verb.UPDATE}),
    Role.ADMIN: frozenset(Verb),
}
_SCOPE_WORDS = {Verb.VIEW: "read", Verb.UPDATE: "write", Verb.OPERATE: "operate"}
SCOPES = (ALL_SCOPES, *(f"{word}_{what}" for what in ("organization", "cluster") for word in _SCOPE_WORDS.values()))
"""Every scope that a token can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person, or a program that was given a name."""

    uid: str
    name: str
    created_at: float
    updated_at: float
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    is_admin: bool = False
    disabled_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """Everything in the registry belongs to one. `config` is JSON as it was sent."""

    uid: str
    name: str
    created_at: float
    updated_at: float
    description: str = ""
    config: str = "{}"
    creator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as what. A session has all scopes, as its person; no namespaces means all of them."""

    user: User
    organization: Organization
    token_name: str = ""
    token_expires_at: float | None = None
    scopes: tuple[str, ...] = (ALL_SCOPES,)
    namespaces: tuple[str, ...] = ()
    role: Role = Role.GUEST
    cluster_roles: tuple[tuple[str, Role], ...] = ()
    is_superuser: bool = False
    client_version: tuple[int, int, int] | None = None
    address: str = ""

    def role_in(self, cluster: str) -> Role:
        """The role in a cluster: the one given there, else the organization's. Its admins are admins everywhere."""
        if self.is_superuser or self.role is Role.ADMIN:
            return Role.ADMIN
        return dict(self.cluster_roles).get(cluster, self.role)

    def may(self, verb: Verb, resource_type: str, *, cluster: str = "default") -> bool:
        """Whether both the role and the token's scopes allow it."""
        return self._has_role(verb, resource_type, cluster) and not self._missing_scope(verb, resource_type)

    def require(self, verb: Verb, resource_type: str, name: str = "", *, cluster: str = "default") -> None:
        """Raise Forbidden, in the words that BentoML's users know, unless both role and scopes allow it."""
        if missing := self._missing_scope(verb, resource_type):
            raise Forbidden(f"the api_token need the scopes: {ALL_SCOPES} or {missing}")
        if not self._has_role(verb, resource_type, cluster):
            raise Forbidden(f"user {self.user.name} cannot {verb} this {resource_type}: {name}")
        if verb is Verb.OPERATE and resource_type in _PEOPLE:
            self.require_everywhere()

    def require_namespace(self, namespace: str) -> None:
        """Raise Forbidden for a namespace that the token does not reach."""
        if self.namespaces and namespace not in self.namespaces:
            raise Forbidden(f"the api_token does not reach the namespace {namespace}")

    def require_everywhere(self) -> None:
        """Raise Forbidden for a token with namespaces: who may make people could make one who reaches all of them."""
        if self.namespaces:
            raise Forbidden("the api_token reaches only the namespaces " + ", ".join(self.namespaces))

    def _has_role(self, verb: Verb, resource_type: str, cluster: str) -> bool:
        role = self.role_in(cluster) if resource_type in _CLUSTER_TYPES else self.role
        return self.is_superuser or role.allows(verb)

    def _missing_scope(self, verb: Verb, resource_type: str) -> str:
        wanted = f"{_SCOPE_WORDS[verb]}_{'cluster' if resource_type in _CLUSTER_TYPES else 'organization'}"
        return "" if ALL_SCOPES in self.scopes or wanted in self.scopes else wanted


class Authenticator(Protocol):
    """Finds out who asks. Names of headers are lower-case."""

    async def identify(
        self, headers: Mapping[str, str], cookies: Mapping[str, str], query: Mapping[str, str], address: str
    ) -> Caller:
        """The caller. Raises Unauthorized for no or a bad credential, Forbidden for an organization not theirs."""
        ...
