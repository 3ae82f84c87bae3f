"""Queries about people: users, who they are to providers of identities, organizations, clusters, and members.

Each function works inside the caller's transaction. A password's hash leaves this module only through `hash_of`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from fairlead.registry.callers import Organization, Role, User
from fairlead.registry.db.tables import clusters, identities, members, organizations, users

_USER = [column for column in users.c if column.name != "password_hash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A place where deployments run."""

    uid: str
    name: str
    created_at: float
    updated_at: float
    organization: str
    description: str = ""
    config: str = "{}"
    creator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One person's role. `cluster` is a uid, empty for the organization itself."""

    uid: str
    created_at: float
    updated_at: float
    cluster: str
    role: Role
    user: User
    creator: str = ""


def _given(row: sa.Row[Any]) -> dict[str, Any]:
    """A row's columns; what is NULL keeps the value's own default."""
    return {key: value for key, value in row._mapping.items() if value is not None}


async def find_user(connection: AsyncConnection, *, uid: str = "", name: str = "", email: str = "") -> User | None:
    """By the first of these that is given."""
    column, value = next(
        (pair for pair in ((users.c.uid, uid), (users.c.name, name), (users.c.email, email)) if pair[1]),
        (users.c.uid, ""),
    )
    row = (await connection.execute(sa.select(*_USER).where(column == value))).one_or_none()
    return User(**_given(row)) if row is not None else None


async def list_users(connection: AsyncConnection, *, search: str = "", start: int = 0, count: int = 0) -> list[User]:
    """Oldest first. A `count` of 0 is all of them."""
    query = sa.select(*_USER).order_by(users.c.created_at, users.c.uid)
    query = query.where(users.c.name.contains(search, autoescape=True)) if search else query
    query = query.offset(start).limit(count) if count else query.offset(start).limit(2**31)
    return [User(**_given(row)) for row in await connection.execute(query)]


async def count_users(connection: AsyncConnection, *, search: str = "") -> int:
    query = sa.select(sa.func.count()).select_from(users)
    query = query.where(users.c.name.contains(search, autoescape=True)) if search else query
    return int(await connection.scalar(query) or 0)


async def is_somebody_set_up(connection: AsyncConnection) -> bool:
    """Whether any person can log in: somebody has an e-mail address or a password."""
    known = sa.or_(users.c.email.is_not(None), users.c.password_hash.is_not(None))
    return bool(await connection.scalar(sa.select(sa.func.count()).select_from(users).where(known)))


async def hash_of(connection: AsyncConnection, uid: str) -> str:
    """The hash of a password; empty for who has none."""
    return str(await connection.scalar(sa.select(users.c.password_hash).where(users.c.uid == uid)) or "")


async def insert_user(connection: AsyncConnection, user: User, password_hash: str = "") -> None:
    await connection.execute(
        users.insert().values(
            uid=user.uid,
            created_at=user.created_at,
            updated_at=user.updated_at,
            name=user.name,
            email=user.email or None,
            first_name=user.first_name,
            last_name=user.last_name,
            password_hash=password_hash or None,
            is_admin=user.is_admin,
        )
    )


async def update_user(connection: AsyncConnection, uid: str, now: float, **values: Any) -> None:
    await connection.execute(users.update().where(users.c.uid == uid).values(updated_at=now, **values))


async def find_identity(connection: AsyncConnection, issuer: str, subject: str) -> User | None:
    """Whom a provider means."""
    found = sa.and_(identities.c.issuer == issuer, identities.c.subject == subject)
    uid = await connection.scalar(sa.select(identities.c.user).where(found))
    return await find_user(connection, uid=uid) if uid else None


async def insert_identity(connection: AsyncConnection, issuer: str, subject: str, user: str, now: float) -> None:
    await connection.execute(identities.insert().values(issuer=issuer, subject=subject, user=user, created_at=now))


async def find_organization(connection: AsyncConnection, *, uid: str = "", name: str = "") -> Organization | None:
    condition = organizations.c.uid == uid if uid else organizations.c.name == name
    row = (await connection.execute(sa.select(organizations).where(condition))).one_or_none()
    return Organization(**_given(row)) if row is not None else None


async def list_organizations(connection: AsyncConnection, user: str = "") -> list[Organization]:
    """Those that a user is a member of, or all; oldest first."""
    query = sa.select(organizations).order_by(organizations.c.created_at, organizations.c.uid)
    if user:
        mine = sa.select(members.c.organization).where(members.c.user == user, members.c.cluster == "")
        query = query.where(organizations.c.uid.in_(mine))
    return [Organization(**_given(row)) for row in await connection.execute(query)]


async def insert_organization(connection: AsyncConnection, organization: Organization) -> None:
    await connection.execute(
        organizations.insert().values(
            uid=organization.uid,
            created_at=organization.created_at,
            updated_at=organization.updated_at,
            name=organization.name,
            description=organization.description,
            config=organization.config,
            creator=organization.creator or None,
        )
    )


async def update_organization(connection: AsyncConnection, uid: str, now: float, **values: Any) -> None:
    await connection.execute(organizations.update().where(organizations.c.uid == uid).values(updated_at=now, **values))


async def find_cluster(connection: AsyncConnection, organization: str, name: str) -> Cluster | None:
    found = sa.and_(clusters.c.organization == organization, clusters.c.name == name)
    row = (await connection.execute(sa.select(clusters).where(found))).one_or_none()
    return Cluster(**_given(row)) if row is not None else None


async def list_clusters(connection: AsyncConnection, organization: str) -> list[Cluster]:
    """Oldest first; the first is the organization's major one."""
    query = sa.select(clusters).where(clusters.c.organization == organization)
    return [Cluster(**_given(row)) for row in await connection.execute(query.order_by(clusters.c.created_at))]


async def insert_cluster(connection: AsyncConnection, cluster: Cluster) -> None:
    await connection.execute(
        clusters.insert().values(
            uid=cluster.uid,
            created_at=cluster.created_at,
            updated_at=cluster.updated_at,
            organization=cluster.organization,
            name=cluster.name,
            description=cluster.description,
            config=cluster.config,
            creator=cluster.creator or None,
        )
    )


async def update_cluster(connection: AsyncConnection, cluster: Cluster) -> None:
    """Write what may change of one."""
    values = {"updated_at": cluster.updated_at, "description": cluster.description, "config": cluster.config}
    await connection.execute(clusters.update().where(clusters.c.uid == cluster.uid).values(values))


async def roles_of(connection: AsyncConnection, organization: str, user: str) -> dict[str, Role]:
    """A user's roles by the name of the cluster; that of the organization itself under the empty name."""
    query = (
        sa.select(sa.func.coalesce(clusters.c.name, ""), members.c.role)
        .select_from(members.outerjoin(clusters, clusters.c.uid == members.c.cluster))
        .where(members.c.organization == organization, members.c.user == user)
        .where(sa.or_(members.c.cluster == "", clusters.c.uid.is_not(None)))
    )
    return {name: Role(role) for name, role in await connection.execute(query)}


async def list_members(connection: AsyncConnection, organization: str, cluster: str = "") -> list[Member]:
    """Everybody with a role there, longest first."""
    head = [
        column.label(f"member_{column.name}") for column in members.c if column.name not in ("organization", "user")
    ]
    query = (
        sa.select(*head, *_USER)
        .select_from(members.join(users, users.c.uid == members.c.user))
        .where(members.c.organization == organization, members.c.cluster == cluster)
        .order_by(members.c.created_at, members.c.uid)
    )
    found = [_given(row) for row in await connection.execute(query)]
    return [_member(values) for values in found]


def _member(values: dict[str, Any]) -> Member:
    own = {key.removeprefix("member_"): value for key, value in values.items() if key.startswith("member_")}
    own["role"] = Role(own["role"])
    return Member(**own, user=User(**{key: value for key, value in values.items() if not key.startswith("member_")}))


async def put_member(
    connection: AsyncConnection,
    *,
    uid: str,
    now: float,
    organization: str,
    cluster: str,
    user: str,
    role: Role,
    creator: str,
) -> None:
    """Give a role, instead of an earlier one."""
    place = sa.and_(members.c.organization == organization, members.c.cluster == cluster, members.c.user == user)
    changed = await connection.execute(members.update().where(place).values(role=role.value, updated_at=now))
    if not changed.rowcount:
        await connection.execute(
            members.insert().values(
                uid=uid,
                created_at=now,
                updated_at=now,
                organization=organization,
                cluster=cluster,
                user=user,
                role=role.value,
                creator=creator or None,
            )
        )


async def delete_member(connection: AsyncConnection, organization: str, cluster: str, user: str) -> bool:
    """Whether there was one."""
    place = sa.and_(members.c.organization == organization, members.c.cluster == cluster, members.c.user == user)
    return bool((await connection.execute(members.delete().where(place))).rowcount)


async def count_admins(connection: AsyncConnection) -> int:
    """How many may do everything and are not shut out."""
    able = sa.and_(users.c.is_admin, users.c.disabled_at.is_(None))
    return int(await connection.scalar(sa.select(sa.func.count()).select_from(users).where(able)) or 0)


async def lock_admins(connection: AsyncConnection) -> None:
    """Let nobody else change who may do everything until the transaction ends."""
    await connection.execute(sa.select(users.c.uid).where(users.c.is_admin).order_by(users.c.uid).with_for_update())


async def names_of(connection: AsyncConnection, uids: Sequence[str]) -> dict[str, User]:
    """Users by uid, for lists that show who made what."""
    query = sa.select(*_USER).where(users.c.uid.in_(set(uids)))
    return {row.uid: User(**_given(row)) for row in await connection.execute(query)}
