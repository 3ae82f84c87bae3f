"""People, members and tokens as JSON, beside the objects that everything in the registry has in common (`wire`)."""

from collections.abc import Mapping
from typing import Any

import orjson

from fairlead.registry import callers
from fairlead.registry.accounts.tokens import Owned
from fairlead.registry.api import wire
from fairlead.registry.db import people


class UserInFull(wire.User, kw_only=True):
    """A user as lists of users show one."""

    is_disabled: bool


class OrganizationInFull(wire.Organization, kw_only=True):
    """An organization with its settings."""

    config: dict[str, Any]


class Member(wire.Resource, kw_only=True):
    """Somebody's role; `name` is theirs."""

    role: str
    user: wire.User
    creator: wire.User | None


class ApiToken(wire.Resource, kw_only=True):
    """`token` is there in the answer that made it, and never again."""

    description: str
    scopes: list[str]
    namespaces: list[str]
    user: wire.User
    organization: wire.Organization
    expired_at: str | None
    last_used_at: str | None
    last_used_from: str
    is_expired: bool
    is_api_token: bool = True
    is_organization_token: bool = False
    is_global_access: bool = False
    token: str | None = None


class UserList(wire.Listed, kw_only=True):
    items: list[UserInFull]


class OrganizationList(wire.Listed, kw_only=True):
    items: list[wire.Organization]


class ApiTokenList(wire.Listed, kw_only=True):
    items: list[ApiToken]


def user(given: callers.User) -> UserInFull:
    return UserInFull(
        **_base(given, given.name, "user"),
        first_name=given.first_name,
        last_name=given.last_name,
        email=given.email,
        is_super_admin=given.is_admin,
        is_disabled=given.disabled_at is not None,
    )


def organization(given: callers.Organization, creator: callers.User | None) -> OrganizationInFull:
    config = orjson.loads(given.config or "{}")
    return OrganizationInFull(
        **_base(given, given.name, "organization"),
        creator=wire.user(creator) if creator else None,
        description=given.description,
        config=config if isinstance(config, dict) else {},
    )


def member(given: people.Member, creators: Mapping[str, callers.User]) -> Member:
    creator = creators.get(given.creator)
    return Member(
        **_base(given, given.user.name, "cluster" if given.cluster else "organization"),
        role=given.role,
        user=wire.user(given.user),
        creator=wire.user(creator) if creator else None,
    )


def token(owned: Owned, of: callers.Organization, now: float, secret: str | None = None) -> ApiToken:
    given = owned.token
    return ApiToken(
        **_base(given, given.name, "api_token"),
        description=given.description,
        scopes=list(given.scopes),
        namespaces=list(given.namespaces),
        user=wire.user(owned.user),
        organization=wire.organization(of),
        expired_at=wire.when_if(given.expires_at),
        last_used_at=wire.when_if(given.last_used_at),
        last_used_from=given.last_used_from,
        is_expired=given.is_expired(now),
        token=secret,
    )


def _base(given: Any, name: str, resource_type: str) -> dict[str, Any]:
    return {
        "uid": given.uid,
        "created_at": wire.when(given.created_at),
        "updated_at": wire.when(given.updated_at),
        "name": name,
        "resource_type": resource_type,
        "labels": [],
    }
