"""Users, organizations and who has which role where.

Every change needs the right to operate, is refused when it would raise somebody above whoever makes it, and is
written down in the transaction that makes it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.errors import AlreadyExists, BadRequest, Conflict, Forbidden, NotFound
from fairlead.registry.accounts.auditing import Auditor
from fairlead.registry.accounts.names import check_email, check_name
from fairlead.registry.accounts.passwords import Passwords
from fairlead.registry.callers import Caller, Organization, Role, User, Verb
from fairlead.registry.db import Connection, people, tokens
from fairlead.registry.db.engine import Database
from fairlead.registry.db.people import Cluster, Member
from fairlead.registry.db.taken import refused_as
from fairlead.registry.uids import new_uid
from fairlead.registry.values import Page

DEFAULT = "default"
"""The organization and the cluster that are there from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A user to be. Without a password nobody can log in as them; tokens and identity providers still work."""

    name: str
    email: str = ""
    password: str = field(default="", repr=False)
    first_name: str = ""
    last_name: str = ""
    role: Role = Role.DEVELOPER
    cluster_role: Role | None = None
    """The role in the default cluster; as Yatai has it, admins are admins there and others guests."""
    is_admin: bool = False


class People:
    """Over one database."""

    def __init__(self, database: Database, passwords: Passwords, auditor: Auditor, clock: Callable[[], float]) -> None:
        self._database = database
        self._passwords = passwords
        self._auditor = auditor
        self._clock = clock

    async def seed(self) -> None:
        """Make what there always is: organization and cluster `default`, and a first admin that nobody can log in as
        before the set-up."""
        async with self._database.begin() as connection:
            organization = await people.find_organization(connection, name=DEFAULT)
            if organization is None:
                organization = self._organization(DEFAULT, "", "")
                with refused_as("another process was quicker"):
                    await people.insert_organization(connection, organization)
                await people.insert_cluster(connection, self._cluster(organization.uid, DEFAULT))
            if not await people.count_users(connection):
                now = self._clock()
                admin = User(uid=self._uid(), name="admin", created_at=now, updated_at=now, is_admin=True)
                await people.insert_user(connection, admin)
                await self._join(connection, organization, admin, Role.ADMIN, Role.ADMIN, creator="")

    async def owner(self, address: str = "", token_name: str = "") -> Caller:
        """Whoever runs this installation, as its first admin."""
        async with self._database.read() as connection:
            users = await people.list_users(connection)
            organization = await people.find_organization(connection, name=DEFAULT)
        user = next((user for user in users if user.is_admin and user.disabled_at is None), None)
        if user is None or organization is None:
            raise NotFound("user admin: record not found")
        return Caller(
            user=user, organization=organization, role=Role.ADMIN, is_superuser=True, address=address,
            token_name=token_name,
        )  # fmt: skip

    async def get(self, caller: Caller, name: str) -> User:
        caller.require(Verb.VIEW, "user", name)
        async with self._database.read() as connection:
            return await self._named(connection, name)

    async def list(self, caller: Caller, *, search: str = "", start: int = 0, count: int = 0) -> Page[User]:
        caller.require(Verb.VIEW, "user")
        async with self._database.read() as connection:
            total = await people.count_users(connection, search=search)
            items = await people.list_users(connection, search=search, start=start, count=count)
        return Page(start=start, count=count, total=total, items=items)

    async def create(self, caller: Caller, new: NewUser) -> User:
        """A user with a role in the caller's organization and in its first cluster."""
        caller.require(Verb.OPERATE, "user", new.name)
        if new.is_admin:
            self._require_superuser(caller, new.name)
        hashed = await self._passwords.hash(new.password) if new.password else ""
        async with self._database.begin() as connection:
            return await self.add(connection, caller, new, hashed)

    async def add(self, connection: Connection, caller: Caller, new: NewUser, hashed: str) -> User:
        """`create` without asking whether the caller may, for those who make an account for themselves."""
        check_name(new.name)
        email, now = check_email(new.email), self._clock()
        await self._refuse_taken(connection, new.name, email)
        user = User(
            uid=self._uid(), name=new.name, email=email, first_name=new.first_name, last_name=new.last_name,
            is_admin=new.is_admin, created_at=now, updated_at=now,
        )  # fmt: skip
        with refused_as(f"user {new.name} already exists"):
            await people.insert_user(connection, user, hashed)
        in_cluster = new.cluster_role or (Role.ADMIN if new.role is Role.ADMIN else Role.GUEST)
        await self._join(connection, caller.organization, user, new.role, in_cluster, creator=caller.user.uid)
        await self._auditor.record(
            connection, caller, "created", "user", uid=user.uid, name=user.name, info={"role": new.role}
        )
        return user

    async def set_disabled(self, caller: Caller, name: str, *, is_disabled: bool) -> User:
        """Shut a user out at once, tokens and sessions included, or let them in again."""
        self._require_superuser(caller, name)
        now = self._clock()
        async with self._database.begin() as connection:
            await people.lock_admins(connection)
            user = await self._named(connection, name)
            await people.update_user(connection, user.uid, now, disabled_at=now if is_disabled else None)
            if is_disabled:
                await tokens.delete_sessions(connection, user.uid)
            await self._keep_an_admin(connection, name)
            operation = "disabled" if is_disabled else "enabled"
            await self._auditor.record(connection, caller, operation, "user", uid=user.uid, name=name)
            return await self._named(connection, name)

    async def set_superuser(self, caller: Caller, name: str, *, is_admin: bool) -> User:
        """Let a user do everything, or no longer."""
        self._require_superuser(caller, name)
        async with self._database.begin() as connection:
            await people.lock_admins(connection)
            user = await self._named(connection, name)
            await people.update_user(connection, user.uid, self._clock(), is_admin=is_admin)
            await self._keep_an_admin(connection, name)
            await self._auditor.record(
                connection, caller, "updated", "user", uid=user.uid, name=name, info={"is_super_admin": is_admin}
            )
            return await self._named(connection, name)

    async def set_password(self, caller: Caller, name: str, password: str) -> None:
        """Somebody else's password, given by who may do everything. Their sessions end."""
        self._require_superuser(caller, name)
        hashed = await self._passwords.hash(password)
        async with self._database.begin() as connection:
            user = await self._named(connection, name)
            await people.update_user(connection, user.uid, self._clock(), password_hash=hashed)
            await tokens.delete_sessions(connection, user.uid)
            await self._auditor.record(connection, caller, "password_set", "user", uid=user.uid, name=name)

    async def members(self, caller: Caller, cluster: str = "") -> Sequence[Member]:
        """Who has a role in the organization, or in one cluster of it."""
        caller.require(Verb.VIEW, "cluster" if cluster else "organization", cluster or caller.organization.name)
        async with self._database.read() as connection:
            place = (await self.cluster_in(connection, caller, cluster)).uid if cluster else ""
            return await people.list_members(connection, caller.organization.uid, place)

    async def set_roles(self, caller: Caller, names: Sequence[str], role: Role, cluster: str = "") -> Sequence[Member]:
        """Give users a role, instead of any that they have there."""
        what, which = ("cluster", cluster) if cluster else ("organization", caller.organization.name)
        caller.require(Verb.OPERATE, what, which, cluster=cluster or DEFAULT)
        caller.require_everywhere()
        async with self._database.begin() as connection:
            place = (await self.cluster_in(connection, caller, cluster)).uid if cluster else ""
            for name in names:
                user = await self._named(connection, name)
                await self._put(connection, caller.organization, place, user, role, caller.user.uid)
                await self._auditor.record(
                    connection, caller, "role_set", "user", uid=user.uid, name=name, cluster=place,
                    info={"role": role, "of": which},
                )  # fmt: skip
            return await people.list_members(connection, caller.organization.uid, place)

    async def remove_member(self, caller: Caller, name: str, cluster: str = "") -> None:
        """Take a user's role away. Out of the organization, their tokens for it end too."""
        what, which = ("cluster", cluster) if cluster else ("organization", caller.organization.name)
        caller.require(Verb.OPERATE, what, which, cluster=cluster or DEFAULT)
        caller.require_everywhere()
        async with self._database.begin() as connection:
            place = (await self.cluster_in(connection, caller, cluster)).uid if cluster else ""
            user = await self._named(connection, name)
            if not await people.delete_member(connection, caller.organization.uid, place, user.uid):
                raise NotFound(f"member {name}: record not found")
            await self._auditor.record(
                connection, caller, "member_removed", "user", uid=user.uid, name=name, cluster=place, info={"of": which}
            )

    async def organizations(self, caller: Caller) -> Sequence[Organization]:
        """Those that the caller is in; all of them for who may do everything."""
        async with self._database.read() as connection:
            return await people.list_organizations(connection, "" if caller.is_superuser else caller.user.uid)

    async def create_organization(self, caller: Caller, name: str, description: str) -> Organization:
        """A new one, with its maker as its admin and a first cluster."""
        self._require_superuser(caller, name)
        check_name(name)
        organization = self._organization(name, description, caller.user.uid)
        async with self._database.begin() as connection:
            if await people.find_organization(connection, name=name):
                raise AlreadyExists(f"organization {name} already exists")
            with refused_as(f"organization {name} already exists"):
                await people.insert_organization(connection, organization)
            await people.insert_cluster(connection, self._cluster(organization.uid, DEFAULT))
            await self._join(connection, organization, caller.user, Role.ADMIN, Role.ADMIN, creator=caller.user.uid)
            await self._auditor.record(connection, caller, "created", "organization", uid=organization.uid, name=name)
        return organization

    async def update_organization(self, caller: Caller, **values: Any) -> Organization:
        """Change the caller's organization: `description`, `config` (JSON text)."""
        caller.require(Verb.OPERATE, "organization", caller.organization.name)
        async with self._database.begin() as connection:
            own = caller.organization
            await people.update_organization(connection, own.uid, self._clock(), **values)
            await self._auditor.record(connection, caller, "updated", "organization", uid=own.uid, name=own.name)
            found = await people.find_organization(connection, uid=own.uid)
        assert found is not None
        return found

    async def cluster_in(self, connection: Connection, caller: Caller, name: str) -> Cluster:
        """A cluster of the caller's organization. Raises NotFound."""
        cluster = await people.find_cluster(connection, caller.organization.uid, name)
        if cluster is None:
            raise NotFound(f"get cluster {name}: record not found")
        return cluster

    async def by_uid(self, uids: Sequence[str]) -> Mapping[str, User]:
        """Users for lists that show who made what; those that are gone are left out."""
        async with self._database.read() as connection:
            return await people.names_of(connection, uids)

    async def give_role(self, connection: Connection, caller: Caller, user: User, role: Role) -> None:
        """One role in the organization and its first cluster, in the caller's transaction, without asking."""
        await self._join(connection, caller.organization, user, role, role, creator=caller.user.uid)
        await self._auditor.record(
            connection, caller, "role_set", "user", uid=user.uid, name=user.name, info={"role": role}
        )

    async def _named(self, connection: Connection, name: str) -> User:
        user = await people.find_user(connection, name=name) if name else None
        if user is None:
            raise NotFound(f"get user {name}: record not found")
        return user

    async def _refuse_taken(self, connection: Connection, name: str, email: str) -> None:
        if await people.find_user(connection, name=name):
            raise AlreadyExists(f"user {name} already exists")
        if email and await people.find_user(connection, email=email):
            raise AlreadyExists(f"a user with the e-mail address {email} already exists")

    async def _keep_an_admin(self, connection: Connection, name: str) -> None:
        if not await people.count_admins(connection):
            raise Conflict(f"user {name} is the last who may do everything")

    async def _join(
        self, connection: Connection, organization: Organization, user: User, role: Role, in_cluster: Role, creator: str
    ) -> None:
        await self._put(connection, organization, "", user, role, creator)
        for cluster in (await people.list_clusters(connection, organization.uid))[:1]:
            await self._put(connection, organization, cluster.uid, user, in_cluster, creator)

    async def _put(
        self, connection: Connection, organization: Organization, cluster: str, user: User, role: Role, creator: str
    ) -> None:
        with refused_as(f"user {user.name} was just given a role"):
            await people.put_member(
                connection, uid=self._uid(), now=self._clock(), organization=organization.uid, cluster=cluster,
                user=user.uid, role=role, creator=creator,
            )  # fmt: skip

    @staticmethod
    def _require_superuser(caller: Caller, name: str) -> None:
        caller.require(Verb.OPERATE, "user", name)
        if not caller.is_superuser:
            raise Forbidden(f"user {caller.user.name} cannot operate this user: {name}")

    def _organization(self, name: str, description: str, creator: str) -> Organization:
        now = self._clock()
        return Organization(
            uid=self._uid(), name=name, created_at=now, updated_at=now, description=description, creator=creator
        )

    def _cluster(self, organization: str, name: str) -> Cluster:
        now = self._clock()
        return Cluster(uid=self._uid(), name=name, created_at=now, updated_at=now, organization=organization)

    def _uid(self) -> str:
        return new_uid(self._clock)


def role_named(text: str) -> Role:
    """Raises BadRequest with the roles that there are."""
    try:
        return Role(text)
    except ValueError:
        raise BadRequest(f"role: must be one of {', '.join(Role)}") from None
