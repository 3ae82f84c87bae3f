"""Queries about tokens, sessions and codes of a login. What is stored of a secret is its digest."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.db.tables import login_codes, members, organizations, tokens, users


class Purpose(StrEnum):
    API = "api"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token without its secret. `user` and `organization` are uids; no namespaces means all of them."""

    uid: str
    created_at: float
    updated_at: float
    organization: str
    user: str
    purpose: Purpose
    name: str
    description: str = ""
    scopes: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    last_used_at: float | None = None
    last_used_from: str = ""
    expires_at: float | None = None

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now


_COLUMNS = [column for column in tokens.c if column.name != "secret_hash"]


def _token(row: sa.Row[Any]) -> Token:
    values = {key: value for key, value in row._mapping.items() if key != "secret_hash"}
    values["purpose"] = Purpose(values["purpose"])
    values["scopes"], values["namespaces"] = (tuple(json.loads(values[name])) for name in ("scopes", "namespaces"))
    return Token(**values)


async def insert(connection: AsyncConnection, token: Token, digest: str) -> None:
    await connection.execute(
        tokens.insert().values(
            uid=token.uid,
            created_at=token.created_at,
            updated_at=token.updated_at,
            organization=token.organization,
            user=token.user,
            purpose=token.purpose.value,
            name=token.name,
            description=token.description,
            secret_hash=digest,
            scopes=json.dumps(token.scopes),
            namespaces=json.dumps(token.namespaces),
            expires_at=token.expires_at,
        )
    )


async def find(connection: AsyncConnection, digest: str, purpose: Purpose) -> Token | None:
    """By the digest of its secret, whether or not it has expired."""
    query = sa.select(*_COLUMNS).where(tokens.c.secret_hash == digest, tokens.c.purpose == purpose.value)
    row = (await connection.execute(query)).one_or_none()
    return _token(row) if row is not None else None


async def find_named(connection: AsyncConnection, organization: str, user: str, name: str) -> Token | None:
    """A user's API token by its name."""
    query = sa.select(*_COLUMNS).where(
        tokens.c.organization == organization,
        tokens.c.user == user,
        tokens.c.purpose == Purpose.API.value,
        tokens.c.name == name,
    )
    row = (await connection.execute(query)).one_or_none()
    return _token(row) if row is not None else None


async def list_api(connection: AsyncConnection, organization: str, user: str = "") -> list[Token]:
    """A user's API tokens, or everybody's; newest first."""
    query = sa.select(*_COLUMNS).where(tokens.c.organization == organization, tokens.c.purpose == Purpose.API.value)
    query = query.where(tokens.c.user == user) if user else query
    return [_token(row) for row in await connection.execute(query.order_by(tokens.c.created_at.desc(), tokens.c.uid))]


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A token that lets its bearer ask deployments, by the digest of its secret."""

    digest: str
    namespaces: tuple[str, ...]
    expires_at: float | None


async def in_force(
    connection: AsyncConnection, organization: str, now: float, scopes: Collection[str]
) -> list[InForce]:
    """The API tokens of an organization (by name) with one of these scopes that have not ended, of users who are let in
    and have a role; those of admins of everything whatever their organization."""
    has_role = sa.exists().where(
        members.c.user == tokens.c.user, members.c.organization == tokens.c.organization, members.c.cluster == ""
    )
    query = (
        sa.select(tokens.c.secret_hash, tokens.c.scopes, tokens.c.namespaces, tokens.c.expires_at)
        .join(users, users.c.uid == tokens.c.user)
        .join(organizations, organizations.c.uid == tokens.c.organization)
        .where(tokens.c.purpose == Purpose.API.value, users.c.disabled_at.is_(None), sa.or_(users.c.is_admin, has_role))
        .where(sa.or_(users.c.is_admin, organizations.c.name == organization))
        .where(sa.or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now))
        .order_by(tokens.c.uid)
    )
    return [
        InForce(digest=digest, namespaces=tuple(json.loads(namespaces)), expires_at=expires_at)
        for digest, given, namespaces, expires_at in await connection.execute(query)
        if not set(scopes).isdisjoint(json.loads(given))
    ]


async def update(connection: AsyncConnection, uid: str, now: float, **values: Any) -> None:
    written = {key: json.dumps(value) if key in ("scopes", "namespaces") else value for key, value in values.items()}
    await connection.execute(tokens.update().where(tokens.c.uid == uid).values(updated_at=now, **written))


async def touch(connection: AsyncConnection, uid: str, now: float, address: str, *, before: float) -> None:
    """Note a use, unless one was noted since `before`."""
    stale = sa.or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < before)
    values = {"last_used_at": now, "last_used_from": address}
    await connection.execute(tokens.update().where(tokens.c.uid == uid, stale).values(**values))


async def delete(connection: AsyncConnection, uid: str) -> bool:
    """Whether there was one."""
    return bool((await connection.execute(tokens.delete().where(tokens.c.uid == uid))).rowcount)


async def delete_sessions(connection: AsyncConnection, user: str, *, but: str = "") -> None:
    """Log a user out everywhere, except in one session."""
    of_user = sa.and_(tokens.c.user == user, tokens.c.purpose == Purpose.SESSION.value, tokens.c.uid != but)
    await connection.execute(tokens.delete().where(of_user))


async def delete_expired_sessions(connection: AsyncConnection, now: float) -> None:
    """Sessions only: an API token that expired is still shown to its owner."""
    expired = sa.and_(tokens.c.purpose == Purpose.SESSION.value, tokens.c.expires_at <= now)
    await connection.execute(tokens.delete().where(expired))


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A login that a terminal waits for; it has a user once a person approved it."""

    user: str
    organization: str
    expires_at: float


async def insert_code(connection: AsyncConnection, digest: str, now: float, expires_at: float) -> None:
    await connection.execute(login_codes.delete().where(login_codes.c.expires_at <= now))
    await connection.execute(login_codes.insert().values(code_hash=digest, created_at=now, expires_at=expires_at))


async def find_code(connection: AsyncConnection, digest: str) -> Code | None:
    query = sa.select(login_codes.c.user, login_codes.c.organization, login_codes.c.expires_at)
    row = (await connection.execute(query.where(login_codes.c.code_hash == digest))).one_or_none()
    return Code(user=row[0] or "", organization=row[1] or "", expires_at=row[2]) if row is not None else None


async def approve_code(connection: AsyncConnection, digest: str, user: str, organization: str, now: float) -> bool:
    """Whether the code was waiting."""
    waiting = sa.and_(login_codes.c.code_hash == digest, login_codes.c.user.is_(None), login_codes.c.expires_at > now)
    changed = await connection.execute(login_codes.update().where(waiting).values(user=user, organization=organization))
    return bool(changed.rowcount)


async def take_code(connection: AsyncConnection, digest: str) -> bool:
    """Use a code up; whether it was still there."""
    return bool((await connection.execute(login_codes.delete().where(login_codes.c.code_hash == digest))).rowcount)
